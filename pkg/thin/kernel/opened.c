/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Thin devices that a session has open. Each has a block device of its own, beside the one that may
 * be given to others, for as long as somebody claims it:
 *
 *   claim it alone ─▶ make the device ─▶ share the claim ─▶ open, read, close ─┬▶ alone again: remove
 *                     (others share it then)                                   └▶ others go on
 *
 * One that this session has just given is written through that device, which stays.
 *
 * Who finds it claimed waits a moment: it may be just coming or going. What a killed process leaves
 * has nobody's claim.
 */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/base/interrupt.h"
#include "pkg/base/log.h"
#include "pkg/thin/kernel/claim.h"
#include "pkg/thin/kernel/pool_internal.h"
#include "pkg/thin/kernel/volume.h"

enum { CLAIM_PAUSE_MS = 5, CLAIM_TRIES = 400 };

/* A volume of this session; freed when it is closed. */
struct tk_opened {
	struct tk_pool *pool;
	struct tk_opened *next;
	uint32_t id;
	uint64_t size_bytes;
	bool writable;
};

/* Claims are the session's: it has one for all its volumes of a thin device. */
static const struct tk_opened *find_opened(const struct tk_pool *p, uint32_t id)
{
	const struct tk_opened *o = p->opened;

	while (o && o->id != id)
		o = o->next;
	return o;
}

/* Thin device 0 has no other device: it is always there, and everybody's. */
static bool stays(const struct tk_pool *p, uint32_t id)
{
	return id == 0 || id == p->given;
}

static void name_of(const struct tk_pool *p, uint32_t id, struct kernel_names *ret)
{
	if (stays(p, id))
		kernel_names_thin(p->place.uuid, id, ret);
	else
		kernel_names_volume(p->place.uuid, id, ret);
}

/* --- claims ----------------------------------------------------------------------------------- */

static int remove_device(struct tk_pool *p, uint32_t id, struct error *err)
{
	struct kernel_names names;

	name_of(p, id, &names);
	return devmap_remove(names.uuid, 0, err);
}

static int is_open(uint32_t id, struct error *err)
{
	return error_set(err, ERR_BUSY, "thin %u is open", id);
}

static int wait_a_moment(unsigned *tries, uint32_t id, struct error *err)
{
	static const struct timespec pause = {.tv_nsec = CLAIM_PAUSE_MS * 1000000L};

	if (++*tries >= CLAIM_TRIES)
		return is_open(id, err);
	nanosleep(&pause, NULL);
	return interrupt_check(err);
}

static int claim_alone(struct tk_pool *p, uint32_t id, struct error *err)
{
	unsigned tries = 0;
	int status;

	while ((status = claim_try(p->claims_fd, id, true, err)) == 1)
		if (wait_a_moment(&tries, id, err) < 0)
			return -1;
	return status;
}

int tk_opened_claim(struct tk_pool *p, uint32_t id, struct error *err)
{
	if (find_opened(p, id))
		return is_open(id, err);
	if (claim_alone(p, id, err) < 0)
		return -1;
	p->given = p->given == id ? 0 : p->given;
	if (remove_device(p, id, err) == 0)
		return 0;
	claim_drop(p->claims_fd, id);
	return -1;
}

void tk_opened_drop(struct tk_pool *p, uint32_t id)
{
	claim_drop(p->claims_fd, id);
}

/* --- devices ---------------------------------------------------------------------------------- */

/* Nobody has it, so it is not there, but for what a kill left. */
static int make_alone(struct tk_pool *p, uint32_t id, uint64_t size_bytes, bool read_only,
		      struct error *err)
{
	struct kernel_names names;

	name_of(p, id, &names);
	if (tk_device_make(p, &names, id, size_bytes, read_only, err) == 0)
		return 0;
	if (err->kind == ERR_BUSY) {
		error_clear(err);
		if (tk_device_ensure(p, &names, id, size_bytes, read_only, err) == 0)
			return 0;
	}
	claim_drop(p->claims_fd, id);
	return -1;
}

/* 0, 1 = it is not there, -1. */
static int is_there(struct tk_pool *p, uint32_t id, struct error *err)
{
	struct kernel_names names;
	struct devmap_info node;

	name_of(p, id, &names);
	if (devmap_info(names.uuid, &node, err) < 0)
		return -1;
	if (!node.exists || !node.live || node.suspended)
		return 1;
	return devmap_make_node(&node, err);
}

/* 0, 1 = somebody has it alone, -1. */
static int try_to_share(struct tk_pool *p, uint32_t id, uint64_t size_bytes, struct error *err)
{
	int status = claim_try(p->claims_fd, id, true, err);

	if (status == 0 && make_alone(p, id, size_bytes, true, err) < 0)
		return -1;
	if (status >= 0)
		status = claim_try(p->claims_fd, id, false, err);
	if (status != 0)
		return status;
	/* Who shares the claim has it there, unless he was the one who has just gone. */
	status = is_there(p, id, err);
	if (status != 0)
		claim_drop(p->claims_fd, id);
	return status;
}

static int share(struct tk_pool *p, uint32_t id, uint64_t size_bytes, struct error *err)
{
	unsigned tries = 0;
	int status;

	while ((status = try_to_share(p, id, size_bytes, err)) == 1)
		if (wait_a_moment(&tries, id, err) < 0)
			return -1;
	return status;
}

/* The first time after the pool was activated it is made, by one of those who want it. */
static int have_first(struct tk_pool *p, uint64_t size_bytes, struct error *err)
{
	int status = is_there(p, 0, err);

	if (status <= 0)
		return status;
	if (claim_alone(p, 0, err) < 0 || make_alone(p, 0, size_bytes, false, err) < 0)
		return -1;
	claim_drop(p->claims_fd, 0);
	return 0;
}

static int have_device(struct tk_pool *p, uint32_t id, uint64_t size_bytes, bool writable,
		       struct error *err)
{
	const struct tk_opened *before = find_opened(p, id);

	if (id == 0)
		return p->first.path ? 0 : have_first(p, size_bytes, err);
	if (before)
		return writable || before->writable ? is_open(id, err) : 0;
	if (!writable)
		return share(p, id, size_bytes, err);
	if (claim_alone(p, id, err) < 0)
		return -1;
	return stays(p, id) ? 0 : make_alone(p, id, size_bytes, false, err);
}

/* The last one of those who share it takes it away: two may think of each other that it is he. */
static void let_go(struct tk_pool *p, uint32_t id)
{
	struct error err = {0};
	int others = 1;

	for (unsigned i = 0; i < 2 && others == 1; i++) {
		others = claim_try(p->claims_fd, id, true, &err);
		if (others == 1)
			claim_drop(p->claims_fd, id);
	}
	if (others == 0 && !stays(p, id) && remove_device(p, id, &err) < 0)
		log_debug("thin %u stays active: %s", id, err.cause);
	claim_drop(p->claims_fd, id);
}

/* --- volumes ---------------------------------------------------------------------------------- */

static struct tk_opened *begin_use(struct tk_pool *p, uint32_t id, uint64_t size_bytes,
				   bool writable)
{
	struct tk_opened *o = xcalloc(1, sizeof(*o));

	*o = (struct tk_opened){.pool = p,
				.next = p->opened,
				.id = id,
				.size_bytes = size_bytes,
				.writable = writable};
	p->opened = o;
	return o;
}

static void end_use(struct tk_opened *o)
{
	struct tk_opened **at = &o->pool->opened;

	while (*at != o)
		at = &(*at)->next;
	*at = o->next;
	if (o->id != 0 && !find_opened(o->pool, o->id))
		let_go(o->pool, o->id);
	free(o);
}

/* One session writes the record more than once: its device is kept open between. */
static int open_node(const struct tk_opened *o, struct kernel_node *ret, struct error *err)
{
	struct tk_pool *p = o->pool;
	bool first = o->id == 0 && o->writable;
	cleanup_free char *path = NULL;
	struct kernel_names names;

	if (first && p->first.path) {
		kernel_node_borrow(&p->first, ret);
		return 0;
	}
	name_of(p, o->id, &names);
	path = devmap_path(names.name);
	if (kernel_node_open(ret, path, o->writable, o->size_bytes, err) < 0)
		return -1;
	if (first) {
		p->first = *ret;
		kernel_node_borrow(&p->first, ret);
	}
	return 0;
}

static void explain(void *arg, struct error *err)
{
	tk_pool_explain(((struct tk_opened *)arg)->pool, err);
}

static int mapped(void *arg, struct kernel_range **ret, size_t *ret_n, struct error *err)
{
	const struct tk_opened *o = arg;

	return tk_held_mapped(o->pool, o->id, o->size_bytes, ret, ret_n, err);
}

static void closed(void *arg, struct thin_volume *v, const struct error *failed, bool unflushed)
{
	struct tk_opened *o = arg;
	struct tk_pool *p = o->pool;
	struct kernel_volume_counts counts;

	kernel_volume_counts(v, &counts);
	p->counts.flushes += counts.flushes;
	if (failed->kind != ERR_NONE && p->failure.kind == ERR_NONE)
		p->failure = *failed;
	p->unflushed |= unflushed;
	end_use(o);
}

int tk_opened_volume(struct thin_pool *pool, uint32_t id, uint64_t size_bytes, bool writable,
		     struct thin_volume **ret, struct error *err)
{
	struct tk_pool *p = tk_pool_of(pool);
	struct kernel_volume_pool callbacks = {.explain = explain,
					       .mapped = mapped,
					       .closed = closed,
					       .by_page = stays(p, id)};
	struct kernel_node node;
	struct tk_opened *o;

	if ((writable && tk_pool_check_writable(p, err) < 0)
	    || have_device(p, id, size_bytes, writable, err) < 0)
		return -1;
	o = begin_use(p, id, size_bytes, writable);
	callbacks.arg = o;
	if (open_node(o, &node, err) < 0) {
		end_use(o);
		return -1;
	}
	*ret = kernel_volume_new(&node, size_bytes, p->block_bytes, writable, &callbacks);
	return 0;
}

/* --- what killed processes left --------------------------------------------------------------- */

static void mend(struct tk_pool *p, uint32_t id)
{
	struct error err = {0};

	if (find_opened(p, id) || claim_try(p->claims_fd, id, true, &err) != 0)
		return;
	log_debug("mending: volume of thin %u was left", id);
	if (remove_device(p, id, &err) < 0)
		log_debug("mending: %s", err.cause);
	claim_drop(p->claims_fd, id);
}

static int compare_ids(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

int tk_opened_mend(struct thin_pool *pool, uint32_t **ret_given, size_t *ret_n, struct error *err)
{
	struct tk_pool *p = tk_pool_of(pool);
	cleanup(devmap_list_release) struct devmap_list list = {0};
	char prefix[DEVMAP_UUID_BYTES];
	uint32_t *given, id;
	size_t n = 0;

	kernel_names_prefix(p->place.uuid, prefix);
	if (devmap_list(prefix, &list, err) < 0)
		return -1;
	given = xcalloc(list.n + 1, sizeof(*given));
	for (size_t i = 0; i < list.n; i++) {
		const char *uuid = list.items[i].uuid;

		if (kernel_names_parse_volume(uuid, &id))
			mend(p, id);
		else if (kernel_names_parse_thin(uuid, &id) && id != 0)
			given[n++] = id;
	}
	qsort(given, n, sizeof(*given), compare_ids);
	*ret_given = given;
	*ret_n = n;
	return 0;
}
