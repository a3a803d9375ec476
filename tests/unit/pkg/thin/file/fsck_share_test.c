/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks that two devices map, against the times that say so. */
#include "pkg/thin/file/fsck.h"

#include <fcntl.h>
#include <stdlib.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/base/fdio.h"
#include "pkg/thin/file/engine.h"
#include "pkg/thin/volume.h"
#include "tests/support/cmocka.h"
#include "tests/support/fsck_damage.h"
#include "tests/support/thin_image.h"
#include "tests/support/thin_tools.h"

static int setup(void **state)
{
	static struct thin_image image;

	*state = &image;
	return thin_image_make(&image);
}

static int teardown(void **state)
{
	thin_image_release(*state);
	return 0;
}

static void times_that_hide_sharing_are_told(void **state)
{
	static const struct fsck_damage table[] = {
		{BIG_LEAF, VALUE8(5), 8, MAP, 1000, "shared_time", BLIND},
		{BIG_LEAF, VALUE8(5), 8, TIME, IMAGE_TIME, "shared_time", BLIND},
		{SMALL_ROOT, VALUE8(0), 8, TIME, IMAGE_TIME, "shared_time", BLIND},
		{DETAILS_LEAF, VALUE24(0) + 20, 4, SET, 0, "shared_time", BLIND},
	};
	struct thin_image *fix = *state;

	fsck_damage_check(fix, fix->clean, table, ARRAY_SIZE(table));
}

/* Metadata of a pool whose devices 1 to 5 are one tree of two levels, by the engine. */
static void shared_tree_image(const char *folder, uint8_t *image)
{
	const struct thin_file_params params = {.data_bytes = 1000 * 65536,
						.metadata_bytes = IMAGE_BYTES,
						.block_bytes = 65536};
	const struct thin_file_open how = {.mode = THIN_FILE_WRITE, .verb = "test"};
	cleanup_free char *meta = xasprintf("%s/meta", folder);
	struct thin_pool *pool = NULL;
	struct thin_volume *v = NULL;
	cleanup_fd int fd = -1;
	struct error err = {0};

	assert_ok(thin_file_create(folder, &params, &err), &err);
	assert_ok(thin_file_open(folder, &how, &pool, &err), &err);
	assert_ok(thin_pool_create_thin(pool, 1, &err), &err);
	assert_ok(thin_pool_open_volume(pool, 1, 1000 * 65536, true, &v, &err), &err);
	for (uint64_t i = 0; i < 300; i++)
		assert_ok(thin_volume_write(v, "x", 1, i * 65536, &err), &err);
	thin_volume_close(v);
	for (uint32_t id = 2; id <= 5; id++)
		assert_ok(thin_pool_create_snap(pool, id, 1, &err), &err);
	assert_ok(thin_pool_commit(pool, 0, &err), &err);
	thin_pool_close(pool);
	fd = open(meta, O_RDONLY | O_CLOEXEC);
	assert_ok(fdio_pread(fd, image, IMAGE_BYTES, 0, meta, &err), &err);
}

static void damage_of_shared_trees_is_told(void **state)
{
	static const struct fsck_damage shared[] = {
		/* device 3 is told apart from those it shares all blocks with */
		{DETAILS_ROOT, VALUE24(2) + 20, 4, SET, 0, "shared_time", 0},
		{DETAILS_ROOT, VALUE24(2), 8, SET, 299, "mapped_blocks", 0},
		/* the root of all five */
		{META_OVERFLOW, VALUE4(0), 4, SET, 4, "metadata_refcount", 0},
		{META_OVERFLOW, VALUE4(0), 4, SET, 6, "metadata_refcount", 0},
		{META_OVERFLOW, 16, 4, SET, 0, "overflow", 0},
		{TOP_ROOT, VALUE8(4), 8, POINT, META_BITMAP, "used_twice", 0},
		{TOP_ROOT, 16, 4, SET, 4, "mapping_missing", 0},
	};
	struct thin_image *fix = *state;
	cleanup_free uint8_t *clean = xmalloc(IMAGE_BYTES), *image = xmalloc(IMAGE_BYTES);
	struct thin_findings findings = {0};

	thin_tools_remove(&fix->folder);
	fix->folder = thin_tools_folder();
	shared_tree_image(fix->folder, clean);
	thin_image_check(clean, IMAGE_BYTES, &findings);
	assert_int_equal(findings.total, 0);
	for (size_t i = 0; i < ARRAY_SIZE(shared); i++) {
		memcpy(image, clean, IMAGE_BYTES);
		fsck_damage_apply_at(image, fsck_damage_block(image, shared[i].place), &shared[i]);
		thin_image_check(image, IMAGE_BYTES, &findings);
		if (!thin_image_found(&findings, shared[i].kind))
			fail_msg("shared tree, mutation %zu: no %s", i, shared[i].kind);
		thin_findings_release(&findings);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_that_hide_sharing_are_told),
		cmocka_unit_test(damage_of_shared_trees_is_told),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
