/* SPDX-License-Identifier: Apache-2.0 */
/* Gathers what is known of a pool: its place, its status, and what the kernel made of it. */
#include "oci/store_facts.h"

#include <stdlib.h>
#include <string.h>

#include "oci/store_internal.h"
#include "pkg/base/alloc.h"
#include "pkg/base/log.h"

static bool is_in_kernel(const struct store_facts *f)
{
	return strcmp(f->status.engine, "kernel") == 0;
}

static int read_pool(struct store *s, struct store_facts *f, struct error *err)
{
	cleanup(thin_pool_close_ptr) struct thin_pool *pool = NULL;

	if (store_open_pool(s, THIN_READ, &pool, err) < 0
	    || thin_pool_status(pool, &f->status, err) < 0)
		return -1;
	f->has_status = true;
	if (!is_in_kernel(f))
		return 0;
	f->active = true;
	f->has_setup = thin_kernel_setup(pool, &f->setup, err) == 0;
	return f->has_setup ? 0 : -1;
}

int store_facts_load(struct store *s, struct store_facts *ret, struct error *err)
{
	struct store_facts f = {0};
	struct error no_lvm = {0};

	if (!store_pool_exists(s))
		return error_set(err, ERR_NOT_FOUND, "there is no pool %s in %s", s->pool, s->root);
	if (thin_place_load(s->pool_dir, &f.place, err) < 0)
		return error_wrap(err, "pool %s", s->pool);
	if (f.place.kind == THIN_PLACE_FILES) {
		f.data_file = xasprintf("%s/data", s->pool_dir);
		f.metadata_file = xasprintf("%s/meta", s->pool_dir);
	}
	f.active = thin_kernel_is_active(s->pool_dir, &f.place);
	if (read_pool(s, &f, &f.reason) < 0)
		log_debug("pool %s: %s", s->pool, f.reason.cause);
	if (f.place.kind == THIN_PLACE_LVM) {
		f.has_policy = thin_lvm_policy(&f.place, &f.policy, &no_lvm) == 0;
		if (!f.has_policy)
			log_debug("pool %s: %s", s->pool, no_lvm.cause);
	}
	*ret = f;
	return 0;
}

void store_facts_release(struct store_facts *f)
{
	thin_place_release(&f->place);
	thin_kernel_setup_release(&f->setup);
	thin_lvm_policy_release(&f->policy);
	free(f->data_file);
	free(f->metadata_file);
	*f = (struct store_facts){0};
}
