/* SPDX-License-Identifier: Apache-2.0 */
/* Pools for tests; every step that must work is asserted here, once. */
#include "tests/support/thin_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/thin/file/fsck.h"
#include "pkg/thin/file/pool_internal.h"
#include "tests/support/scratch.h"

#define VOLUME_BYTES (UINT64_C(1) << 40)

static void must(int rc, const struct error *err)
{
	char text[1024];

	if (rc >= 0)
		return;
	error_text(err, text, sizeof(text));
	fail_msg("%s", text);
}

void thin_fixture_init(struct thin_fixture *f, uint64_t data_blocks, uint64_t metadata_bytes)
{
	struct thin_file_params params = {
		.data_bytes = data_blocks * FIXTURE_BLOCK,
		.metadata_bytes = metadata_bytes,
		.block_bytes = FIXTURE_BLOCK,
		.uuid = "0123456789abcde",
	};
	struct error err = {0};

	*f = (struct thin_fixture){0};
	f->dir = scratch_new();
	must(thin_file_create(f->dir, &params, &err), &err);
	thin_fixture_open(f, THIN_FILE_WRITE);
}

void thin_fixture_open(struct thin_fixture *f, enum thin_file_mode mode)
{
	struct thin_file_open how = {.mode = mode, .verb = "test"};
	struct error err = {0};

	must(thin_file_open(f->dir, &how, &f->pool, &err), &err);
}

void thin_fixture_close(struct thin_fixture *f)
{
	thin_pool_close(f->pool);
	f->pool = NULL;
}

void thin_fixture_reopen(struct thin_fixture *f)
{
	thin_fixture_close(f);
	thin_fixture_open(f, THIN_FILE_WRITE);
}

void thin_fixture_release(struct thin_fixture *f)
{
	static const char *const names[] = {"meta", "data", "owner"};

	thin_fixture_close(f);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		cleanup_free char *path = xasprintf("%s/%s", f->dir, names[i]);

		unlink(path);
	}
	if (rmdir(f->dir) < 0) /* something was left behind */
		fail_msg("%s is not empty", f->dir);
	free(f->dir);
}

void thin_fixture_commit(struct thin_fixture *f)
{
	struct thin_pool_status status;
	struct error err = {0};

	must(thin_pool_status(f->pool, &status, &err), &err);
	must(thin_pool_commit(f->pool, status.transaction_id + 1, &err), &err);
}

struct thin_pool_status thin_fixture_status(const struct thin_fixture *f)
{
	struct thin_pool_status status;
	struct error err = {0};

	must(thin_pool_status(f->pool, &status, &err), &err);
	return status;
}

void thin_fixture_create(struct thin_fixture *f, uint32_t id)
{
	struct error err = {0};

	must(thin_pool_create_thin(f->pool, id, &err), &err);
}

void thin_fixture_snap(struct thin_fixture *f, uint32_t id, uint32_t origin)
{
	struct error err = {0};

	must(thin_pool_create_snap(f->pool, id, origin, &err), &err);
}

void thin_fixture_delete(struct thin_fixture *f, uint32_t id)
{
	struct error err = {0};

	must(thin_pool_delete(f->pool, id, &err), &err);
}

struct thin_device thin_fixture_device(struct thin_fixture *f, uint32_t id)
{
	struct thin_device device;
	struct error err = {0};

	must(thin_pool_device(f->pool, id, &device, &err), &err);
	return device;
}

/* The strict check of our own, which finds what thin_check 0.9 does not. */
static void check_strictly(const struct thin_fixture *f)
{
	cleanup_free char *meta = xasprintf("%s/meta", f->dir);
	cleanup_free char *data = xasprintf("%s/data", f->dir);
	cleanup(thin_findings_release) struct thin_findings findings = {0};
	struct error err = {0};
	struct stat st;

	assert_int_equal(stat(data, &st), 0);
	must(thin_file_fsck(meta, (uint64_t)st.st_size, &findings, &err), &err);
	if (findings.total)
		fail_msg("%s: %s: %s", findings.items[0].kind, findings.items[0].where,
			 findings.items[0].text);
}

void thin_fixture_check(const struct thin_fixture *f)
{
	cleanup_free char *command = xasprintf("thin_check %s/meta 2>&1", f->dir);
	FILE *pipe = popen(command, "r");
	char line[256], said[4096] = "";
	int status;

	assert_non_null(pipe);
	while (fgets(line, sizeof(line), pipe))
		if (strlen(said) + strlen(line) < sizeof(said))
			strcat(said, line);
	status = pclose(pipe);
	if (status != 0 && WEXITSTATUS(status) != 127) /* 127: not installed */
		fail_msg("%s", said);
	check_strictly(f);
}

static uint8_t *make_bytes(size_t len, uint64_t offset, uint32_t seed)
{
	uint8_t *bytes = xcalloc(len ? len : 1, 1);

	for (size_t i = 0; seed && i < len; i++) {
		uint64_t at = offset + i;

		/* Different in each block, each byte and each seed. */
		bytes[i] = (uint8_t)((at * 31 + at / FIXTURE_BLOCK * 7 + at / 4096) ^ seed * 73);
	}
	return bytes;
}

void thin_fixture_write(struct thin_fixture *f, uint32_t id, uint64_t offset, size_t len,
			uint32_t seed)
{
	cleanup_free uint8_t *bytes = make_bytes(len, offset, seed);
	struct thin_volume *v;
	struct error err = {0};

	must(thin_pool_open_volume(f->pool, id, VOLUME_BYTES, true, &v, &err), &err);
	must(thin_volume_write(v, bytes, len, offset, &err), &err);
	thin_volume_close(v);
}

void thin_fixture_expect(struct thin_fixture *f, uint32_t id, uint64_t offset, size_t len,
			 uint32_t seed)
{
	cleanup_free uint8_t *want = make_bytes(len, offset, seed);
	cleanup_free uint8_t *got = xmalloc(len ? len : 1);
	struct thin_volume *v;
	struct error err = {0};

	memset(got, 0xaa, len);
	must(thin_pool_open_volume(f->pool, id, VOLUME_BYTES, false, &v, &err), &err);
	must(thin_volume_read(v, got, len, offset, &err), &err);
	thin_volume_close(v);
	for (size_t i = 0; i < len; i++)
		if (got[i] != want[i])
			fail_msg("thin %u differs at byte %llu: %02x instead of %02x", id,
				 (unsigned long long)(offset + i), got[i], want[i]);
}

void thin_fixture_map(struct thin_fixture *f, uint32_t id, uint64_t vblock, uint64_t count)
{
	struct tf_pool *p = tf_pool_of(f->pool);
	uint8_t *at, value[TF_MAPPING_BYTES];
	uint64_t root, block, n;
	struct tf_device device;
	struct error err = {0};
	bool is_new;

	must(tf_btree_shadow_value(&p->tx, &tf_tree_devices, &p->sb.mapping_root, id, &at, &err),
	     &err);
	must(tf_device_find(p, id, &device, &root, &err), &err);
	for (uint64_t i = 0; i < count; i++) {
		must(tf_spacemap_alloc(&p->tx.data, 1, &block, &n, &err), &err);
		put_le64(value, tf_mapping(block, p->sb.time));
		must(tf_btree_insert(&p->tx, &tf_tree_mappings, &root, vblock + i, value, &is_new,
				     &err),
		     &err);
		device.mapped_blocks += is_new;
	}
	put_le64(at, root);
	must(tf_device_store(p, id, &device, &err), &err);
}

uint64_t thin_fixture_sectors(const struct thin_fixture *f, const char *name)
{
	cleanup_free char *path = xasprintf("%s/%s", f->dir, name);
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return (uint64_t)st.st_blocks;
}
