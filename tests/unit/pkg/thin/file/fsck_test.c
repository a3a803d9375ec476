/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The strict check against metadata made by thin_restore, which is clean but for that program's
 * known wrong hints; against garbage; its superblock; and its locks.
 */
#include "pkg/thin/file/fsck.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "tests/support/cmocka.h"

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/base/fdio.h"
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

/* ---- clean pools ---- */

static void restored_pool_is_clean_but_for_known_wrong_hints(void **state)
{
	struct thin_image *fix = *state;
	struct thin_findings findings = {0};

	thin_image_check(fix->restored, IMAGE_BYTES, &findings);
	for (size_t i = 0; i < findings.n; i++) {
		const char *kind = findings.items[i].kind;

		assert_true(findings.items[i].repairable);
		assert_true(!strcmp(kind, "nr_free") || !strcmp(kind, "none_free_before")
			    || !strcmp(kind, "nr_allocated"));
	}
	assert_true(thin_image_found(&findings, "nr_free"));
	thin_findings_release(&findings);
}

static void pool_with_hints_put_right_has_no_findings(void **state)
{
	struct thin_image *fix = *state;
	struct thin_findings findings = {0};

	thin_image_check(fix->clean, IMAGE_BYTES, &findings);
	if (findings.total)
		thin_tools_show(&findings);
	assert_int_equal(findings.total, 0);
	assert_int_equal(thin_image_thin_check(fix->folder, fix->clean), 0);
}

/* ---- whatever the bytes ---- */

static uint64_t next_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

/* The type whose checksum a block carries, or -1. */
static int type_of(const uint8_t *block)
{
	for (int type = TF_SUPERBLOCK; type <= TF_INDEX; type++)
		if (get_le32(block) == tf_block_checksum(block, (enum tf_block_type)type))
			return type;
	return -1;
}

/* Numbers that hurt: small ones, block numbers, and the ends of the integers. */
static uint64_t hurtful(uint64_t *seed)
{
	uint64_t r = next_random(seed);

	switch (r >> 8 & 3) {
	case 0:
		return r >> 16 & 7;
	case 1:
		return (r >> 16) % IMAGE_BLOCKS;
	case 2:
		return UINT64_MAX - (r >> 16 & 3);
	default:
		return r;
	}
}

static void damage(uint8_t *image, uint64_t *seed)
{
	uint64_t nr = next_random(seed) % IMAGE_BLOCKS;
	uint8_t *block = thin_image_block(image, nr);
	int type = type_of(block);
	unsigned width = next_random(seed) & 1 ? 4 : 8;
	unsigned at = 4 + 4 * (unsigned)(next_random(seed) % (next_random(seed) & 1 ? 16 : 1000));

	if (type < 0)
		return;
	if (width == 4)
		put_le32(block + at, (uint32_t)hurtful(seed));
	else
		put_le64(block + at, hurtful(seed));
	put_le32(block, tf_block_checksum(block, (enum tf_block_type)type));
}

static void no_damage_crashes_or_hangs_the_check(void **state)
{
	struct thin_image *fix = *state;
	cleanup_free uint8_t *image = xmalloc(IMAGE_BYTES);
	struct thin_findings findings = {0};
	uint64_t seed = 88172645463325252u;

	for (unsigned round = 0; round < 150; round++) {
		memcpy(image, fix->clean, IMAGE_BYTES);
		for (unsigned i = 0; i < 1 + round; i++)
			damage(image, &seed);
		thin_image_check(image, IMAGE_BYTES, &findings);
		assert_true(findings.n <= THIN_FINDINGS_MAX);
		assert_true(findings.n <= findings.total);
		thin_findings_release(&findings);
	}
}

static void a_file_cut_short_anywhere_is_told(void **state)
{
	static const size_t lengths[] = {0,    1,    363,      4095,	       4096,
					 4097, 8192, 5 * 4096, 100 * 4096 + 7, IMAGE_BYTES - 1};
	struct thin_image *fix = *state;
	struct thin_findings findings = {0};

	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		thin_image_check(fix->clean, lengths[i], &findings);
		assert_true(thin_image_found(&findings, "metadata_short"));
		thin_findings_release(&findings);
	}
}

/* A chain of single-entry nodes: each depth is cut, and the chain is not walked for ever. */
static void a_tree_without_end_is_cut(void **state)
{
	struct thin_image *fix = *state;
	cleanup_free uint8_t *image = xmemdup(fix->clean, IMAGE_BYTES);
	struct thin_findings findings = {0};
	struct tf_superblock sb = thin_image_superblock(image);

	for (uint64_t nr = 400; nr < 500; nr++) {
		uint8_t *b = thin_image_block(image, nr);

		tf_node_init(b, TF_NODE_INTERNAL, 8);
		tf_node_set_entries(b, 1);
		tf_node_set_value64(b, 0, nr + 1);
		tf_block_seal(b, TF_NODE, nr);
	}
	sb.mapping_root = 400;
	thin_image_set_superblock(image, &sb);
	thin_image_check(image, IMAGE_BYTES, &findings);
	assert_true(thin_image_found(&findings, "depth"));
	thin_findings_release(&findings);
}

/* ---- files and locks ---- */

static void write_pool(struct thin_image *fix, uint64_t data_bytes)
{
	cleanup_free char *meta = xasprintf("%s/meta", fix->folder);
	cleanup_free char *data = xasprintf("%s/data", fix->folder);
	cleanup_fd int fd = open(data, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	struct error err = {0};

	assert_int_equal(fdio_replace_file(meta, fix->clean, IMAGE_BYTES, &err), 0);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)data_bytes), 0);
}

static void size_of_the_data_file_is_compared(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *kind;
	} cases[] = {
		{IMAGE_DATA_BLOCKS * 65536ull, NULL},
		{0, "data_short"},
		{IMAGE_DATA_BLOCKS * 65536ull - 1, "data_short"},
		{IMAGE_DATA_BLOCKS * 65536ull + 65536, "data_long"},
	};
	struct thin_image *fix = *state;
	struct thin_findings findings = {0};
	struct error err = {0};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		write_pool(fix, cases[i].bytes);
		assert_int_equal(thin_file_check(fix->folder, 0, &findings, &err), 0);
		assert_int_equal(findings.total, cases[i].kind ? 1 : 0);
		assert_true(!cases[i].kind || thin_image_found(&findings, cases[i].kind));
		thin_findings_release(&findings);
	}
}

static void a_writer_keeps_the_check_out_and_is_named(void **state)
{
	struct thin_image *fix = *state;
	cleanup_free char *meta = xasprintf("%s/meta", fix->folder);
	cleanup_free char *owner = xasprintf("%s/owner", fix->folder);
	cleanup_fd int writer = -1;
	struct thin_findings findings = {0};
	struct error err = {0};
	char text[800];

	write_pool(fix, IMAGE_DATA_BLOCKS * 65536ull);
	writer = open(meta, O_RDWR | O_CLOEXEC);
	assert_int_equal(flock(writer, LOCK_EX | LOCK_NB), 0);
	assert_int_equal(thin_file_check(fix->folder, 30, &findings, &err), -1);
	assert_int_equal(err.kind, ERR_BUSY);
	assert_int_equal(fdio_replace_file(owner, "4711 pull 2026-01-01T00:00:00Z", 30, &err), 0);
	assert_int_equal(thin_file_check(fix->folder, 0, &findings, &err), -1);
	assert_int_equal(err.kind, ERR_BUSY);
	error_text(&err, text, sizeof(text));
	assert_non_null(strstr(text, "4711 (pull)"));
	assert_int_equal(flock(writer, LOCK_UN), 0);
	assert_int_equal(thin_file_check(fix->folder, 0, &findings, &err), 0);
	assert_int_equal(findings.total, 0);
	unlink(owner);
}

static void no_pool_is_an_error_and_no_finding(void **state)
{
	struct thin_image *fix = *state;
	cleanup_free char *none = xasprintf("%s/none", fix->folder);
	struct thin_findings findings = {0};
	struct error err = {0};

	assert_int_equal(thin_file_fsck(none, 0, &findings, &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_int_equal(thin_file_check(none, 0, &findings, &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_int_equal(thin_file_fsck(fix->folder, 0, &findings, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
}

static void a_damaged_superblock_is_told(void **state)
{
	static const struct fsck_damage table[] = {
		{SUPER, 4, 4, SET, 1, "needs_check", BLIND},
		{SUPER, 4, 4, SET, 2, "features", BLIND},
		{SUPER, 32, 8, ADD, 1, "superblock", BLIND},
		{SUPER, 40, 4, SET, 1, "superblock", BLIND},
		{SUPER, 40, 4, SET, 3, "superblock", BLIND},
		{SUPER, METADATA_SM, 8, ADD, 1, "metadata_short", BLIND},
		{SUPER, METADATA_SM, 8, SET, IMAGE_BLOCKS - 1, "metadata_long", BLIND},
		{SUPER, 336, 4, SET, 129, "superblock", BLIND},
		{SUPER, 336, 4, SET, 0, "superblock", BLIND},
		{SUPER, 336, 4, SET, 2097152 + 128, "superblock", BLIND},
		{SUPER, 340, 4, SET, 16, "superblock", BLIND},
		{SUPER, 344, 8, ADD, 1, "metadata_nr_blocks", BLIND},
		{SUPER, 344, 8, SET, 0, "metadata_nr_blocks", BLIND},
		{SUPER, 352, 4, SET, 1, "features", BLIND},
		{SUPER, 356, 4, SET, 1, "features", BLIND},
		{SUPER, 360, 4, SET, 1, "features", BLIND},
	};
	struct thin_image *fix = *state;

	fsck_damage_check(fix, fix->clean, table, ARRAY_SIZE(table));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(restored_pool_is_clean_but_for_known_wrong_hints),
		cmocka_unit_test(pool_with_hints_put_right_has_no_findings),
		cmocka_unit_test(no_damage_crashes_or_hangs_the_check),
		cmocka_unit_test(a_file_cut_short_anywhere_is_told),
		cmocka_unit_test(a_tree_without_end_is_cut),
		cmocka_unit_test(a_damaged_superblock_is_told),
		cmocka_unit_test(size_of_the_data_file_is_compared),
		cmocka_unit_test(a_writer_keeps_the_check_out_and_is_named),
		cmocka_unit_test(no_pool_is_an_error_and_no_finding),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
