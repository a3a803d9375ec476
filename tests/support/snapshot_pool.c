/* SPDX-License-Identifier: Apache-2.0 */
/* One pool at a time; every step that must work is asserted here, once. */
#include "tests/support/snapshot_pool.h"

#include <stdio.h>
#include <stdlib.h>

#include "pkg/thin/file/fsck.h"
#include "tests/support/cmocka.h"
#include "tests/support/scratch.h"

static char *dir;
static struct error error; /* of a step that must work */

struct digest snapshot_pool_digest(unsigned n)
{
	struct digest d;

	digest_of(DIGEST_SHA256, &n, sizeof(n), &d);
	return d;
}

const char *snapshot_pool_dir(void)
{
	return dir;
}

struct thin_pool *snapshot_pool_open(enum thin_file_mode mode)
{
	struct thin_file_open how = {.mode = mode, .verb = "test", .lock_timeout_ms = 100};
	struct thin_pool *pool;

	assert_ok(thin_file_open(dir, &how, &pool, &error), &error);
	return pool;
}

/* Is a layer still wanted? Those whose number is in the text are. */
static int wanted(const struct digest *chain_id, void *arg, struct error *e)
{
	(void)e;
	for (const char *n = arg; *n; n++) {
		struct digest d = snapshot_pool_digest((unsigned)(*n - '0'));

		if (digest_equal(&d, chain_id))
			return 1;
	}
	return 0;
}

int snapshot_pool_begin(struct thin_pool **pool, const char *wanted_layers, struct snapshots **ret,
			struct error *err)
{
	static char arg[16];

	snprintf(arg, sizeof(arg), "%s", wanted_layers);
	return snapshots_open_writable(pool, wanted, arg, ret, err);
}

struct snapshots *snapshot_pool_write(const char *wanted_layers)
{
	struct thin_pool *pool = snapshot_pool_open(THIN_FILE_WRITE);
	struct snapshots *s;

	assert_ok(snapshot_pool_begin(&pool, wanted_layers, &s, &error), &error);
	assert_null(pool);
	return s;
}

int snapshot_pool_make(void **state)
{
	struct thin_file_params params = {.data_bytes = 256 << 20, .block_bytes = 64 << 10};
	struct thin_pool *pool;
	struct snapshots *s;

	(void)state;
	dir = scratch_new();
	assert_ok(thin_file_create(dir, &params, &error), &error);
	pool = snapshot_pool_open(THIN_FILE_WRITE);
	assert_ok(snapshots_create(&pool, SNAPSHOT_POOL_BASE_BYTES, 0, &s, &error), &error);
	snapshots_close(s);
	return 0;
}

int snapshot_pool_remove(void **state)
{
	(void)state;
	scratch_free(dir);
	return 0;
}

void snapshot_pool_check(void)
{
	struct thin_findings findings = {0};

	assert_ok(thin_file_check(dir, 100, &findings, &error), &error);
	if (findings.total)
		fail_msg("%s: %s", findings.items[0].where, findings.items[0].text);
	thin_findings_release(&findings);
}

static uint64_t place_of(unsigned n)
{
	return n * 65536 + SNAPSHOT_POOL_BASE_BYTES / 2;
}

int snapshot_pool_try_layer(struct snapshots *s, unsigned n, unsigned parent, unsigned next,
			    struct error *err)
{
	struct digest parent_id = snapshot_pool_digest(parent),
		      next_id = snapshot_pool_digest(next);
	struct layer_identity identity = {.chain_id = snapshot_pool_digest(n),
					  .diff_id = snapshot_pool_digest(100 + n),
					  .content_bytes = n};
	struct snapshot *snap;
	int status =
		snapshot_prepare(s, parent ? &parent_id : NULL, &identity.chain_id, &snap, err);

	if (status)
		return status;
	if (thin_volume_write(snapshot_volume(snap), &n, sizeof(n), place_of(n), err) < 0) {
		snapshot_abort(snap);
		return -1;
	}
	status = snapshot_commit(&snap, &identity, next ? &next_id : NULL, err);
	assert_null(snap);
	return status;
}

void snapshot_pool_add_layer(struct snapshots *s, unsigned n, unsigned parent)
{
	assert_ok(snapshot_pool_try_layer(s, n, parent, 0, &error), &error);
}

void snapshot_pool_check_layer(struct snapshots *s, unsigned n)
{
	struct digest chain_id = snapshot_pool_digest(n);
	const struct record_entry *e = snapshots_find_layer(s, &chain_id);
	struct thin_volume *volume;
	unsigned found = 0;

	assert_non_null(e);
	assert_ok(thin_pool_open_volume(snapshots_pool(s), e->thin_id, e->size_bytes, false,
					&volume, &error),
		  &error);
	assert_ok(thin_volume_read(volume, &found, sizeof(found), place_of(n), &error), &error);
	thin_volume_close(volume);
	assert_int_equal(found, n);
}

bool snapshot_pool_has_layer(const struct snapshots *s, unsigned n)
{
	struct digest d = snapshot_pool_digest(n);

	return snapshots_find_layer(s, &d) != NULL;
}

size_t snapshot_pool_count(struct snapshots *s)
{
	struct thin_device *devices;
	size_t n;

	assert_ok(thin_pool_devices(snapshots_pool(s), &devices, &n, &error), &error);
	free(devices);
	return n;
}

int snapshot_pool_add_container(struct snapshots *s, const char *name, unsigned layer,
				struct error *err)
{
	struct record_label label = {.key = (char[]){"k"}, .value = (char[]){"v \"1\""}};
	struct container_spec spec = {
		.name = name,
		.chain_id = snapshot_pool_digest(layer),
		.image = "docker.io/library/x:1",
		.manifest = snapshot_pool_digest(50),
		.created = "2026-01-01T00:00:00Z",
		.labels = &label,
		.n_labels = 1,
	};

	return snapshots_create_container(s, &spec, err);
}
