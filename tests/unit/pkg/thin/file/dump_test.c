/* SPDX-License-Identifier: Apache-2.0 */
/* The XML of a pool: what thin_dump prints, byte for byte; what thin_restore makes a pool of; one
 * state only; and an end for trees that are none. */
#include "pkg/thin/file/dump.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/buffer.h"
#include "pkg/base/cleanup.h"
#include "pkg/thin/file/pool_internal.h"
#include "tests/support/cmocka.h"
#include "tests/support/thin_fixture.h"
#include "tests/support/thin_tools.h"

#define BLOCK ((uint64_t)FIXTURE_BLOCK)

struct sink {
	struct buffer text;
	unsigned begun;
	void (*once)(void); /* after the first piece */
	bool fails;
};

static struct thin_fixture f;
static struct error err;

static int begin(void *context, struct error *e)
{
	struct sink *s = context;

	(void)e;
	s->begun++;
	s->text.len = 0;
	return 0;
}

static int text(void *context, const char *bytes, size_t len, struct error *e)
{
	struct sink *s = context;
	void (*once)(void) = s->once;

	if (s->fails)
		return error_set(e, ERR_NO_SPACE, "the sink is full");
	buffer_add(&s->text, bytes, len);
	s->once = NULL;
	if (once)
		once();
	return 0;
}

/* As a reader, beside the fixture's own handle. */
static int dump(struct sink *s, bool held)
{
	const struct thin_file_open how = {.mode = THIN_FILE_READ};
	const struct thin_dump_sink sink = {begin, text, s};
	struct thin_pool *pool;
	int rc;

	error_clear(&err);
	assert_ok(thin_file_open(f.dir, &how, &pool, &err), &err);
	rc = thin_file_dump(pool, held, &sink, &err);
	thin_pool_close(pool);
	return rc;
}

static void assert_as_thin_dump(const char *dir, const struct sink *s, const char *option)
{
	cleanup_free char *command = xasprintf("thin_dump %s %s/meta", option, dir);
	FILE *pipe = popen(command, "re");
	cleanup_buffer struct buffer theirs = {0};
	size_t n;

	assert_non_null(pipe);
	while ((n = fread(buffer_reserve(&theirs, 65536), 1, 65536, pipe)) > 0)
		buffer_grew(&theirs, n);
	assert_int_equal(pclose(pipe), 0);
	assert_int_equal(theirs.len, s->text.len);
	assert_memory_equal(theirs.data, s->text.data, theirs.len);
}

/* Runs and single blocks, snapshots with times, several leaves, ids of all sizes. */
static void start(void)
{
	thin_fixture_init(&f, 4000, 0);
	thin_fixture_create(&f, 1);
	thin_fixture_map(&f, 1, 0, 1200);
	thin_fixture_create(&f, THIN_ID_MAX);
	for (uint64_t i = 0; i < 600; i++)
		thin_fixture_map(&f, THIN_ID_MAX, i * i * 3, 1);
	thin_fixture_snap(&f, 77, 1);
	for (uint64_t i = 0; i < 300; i += 7)
		thin_fixture_map(&f, 77, i, 1 + i % 3);
	thin_fixture_create(&f, 78); /* empty */
	thin_fixture_commit(&f);
}

static void it_is_what_thin_dump_prints(void **state)
{
	struct sink s = {0};

	(void)state;
	start();
	assert_ok(dump(&s, false), &err);
	assert_int_equal(s.begun, 1);
	assert_as_thin_dump(f.dir, &s, "");
	buffer_release(&s.text);
	thin_fixture_release(&f);
}

static void an_empty_pool_has_no_devices(void **state)
{
	struct sink s = {0};

	(void)state;
	thin_fixture_init(&f, 100, 0);
	assert_ok(dump(&s, false), &err);
	assert_as_thin_dump(f.dir, &s, "");
	buffer_release(&s.text);
	thin_fixture_release(&f);
}

static void the_metadata_snapshot_is_dumped_on_demand(void **state)
{
	struct sink s = {0};

	(void)state;
	start();
	assert_int_equal(dump(&s, true), -1);
	assert_error(&err, ERR_NOT_FOUND, "no metadata snapshot");
	assert_ok(thin_pool_reserve_metadata_snap(f.pool, &err), &err);
	thin_fixture_delete(&f, 77);
	thin_fixture_map(&f, 1, 50, 40);
	thin_fixture_commit(&f);
	assert_ok(dump(&s, true), &err);
	assert_as_thin_dump(f.dir, &s, "-m");
	assert_ok(dump(&s, false), &err);
	assert_as_thin_dump(f.dir, &s, "");
	buffer_release(&s.text);
	thin_fixture_release(&f);
}

static void thin_restore_makes_the_same_pool_of_it(void **state)
{
	cleanup_free char *folder = thin_tools_folder();
	cleanup_free char *xml = xasprintf("%s/xml", folder), *meta = xasprintf("%s/meta", folder);
	struct sink s = {0};
	FILE *file;

	(void)state;
	start();
	assert_ok(dump(&s, false), &err);
	file = fopen(xml, "we");
	assert_non_null(file);
	assert_int_equal(fwrite(s.text.data, 1, s.text.len, file), s.text.len);
	fclose(file);
	assert_true(thin_tools_restore(xml, meta, 4 << 20));
	assert_int_equal(thin_tools_check(meta), 0);
	assert_as_thin_dump(folder, &s, "");
	buffer_release(&s.text);
	thin_tools_remove(&folder);
	thin_fixture_release(&f);
}

/* ---- one state ---- */

static void commit_something(void)
{
	thin_fixture_delete(&f, 1);
	thin_fixture_map(&f, 77, 2000, 5);
	thin_fixture_commit(&f);
}

static void a_commit_meanwhile_begins_it_anew(void **state)
{
	struct sink s = {.once = commit_something};

	(void)state;
	start();
	assert_ok(dump(&s, false), &err);
	assert_true(s.begun >= 2);
	assert_as_thin_dump(f.dir, &s, "");
	buffer_release(&s.text);
	thin_fixture_release(&f);
}

static void an_error_of_the_sink_ends_it(void **state)
{
	struct sink s = {.fails = true};

	(void)state;
	start();
	assert_int_equal(dump(&s, false), -1);
	assert_error(&err, ERR_NO_SPACE, "sink is full");
	assert_int_equal(s.begun, 1);
	thin_fixture_release(&f);
}

/* ---- damage ---- */

static void patch(uint64_t block, size_t at, uint64_t value)
{
	cleanup_free char *name = xasprintf("%s/meta", f.dir);
	cleanup_fd int fd = open(name, O_RDWR | O_CLOEXEC);
	uint8_t bytes[TF_BLOCK_BYTES];

	assert_int_equal(pread(fd, bytes, sizeof(bytes), (off_t)(block * TF_BLOCK_BYTES)),
			 sizeof(bytes));
	put_le64(bytes + at, value);
	tf_block_seal(bytes, TF_NODE, block);
	assert_int_equal(pwrite(fd, bytes, sizeof(bytes), (off_t)(block * TF_BLOCK_BYTES)),
			 sizeof(bytes));
}

static uint64_t mapping_root(uint32_t id)
{
	struct tf_device device;
	uint64_t root;

	assert_int_equal(tf_device_find(tf_pool_of(f.pool), id, &device, &root, &err), 0);
	return root;
}

static void keys_out_of_order_are_damage(void **state)
{
	struct sink s = {0};

	(void)state;
	thin_fixture_init(&f, 1000, 0);
	thin_fixture_create(&f, 3);
	thin_fixture_map(&f, 3, 10, 20);
	thin_fixture_commit(&f);
	patch(mapping_root(3), 32 + 8 * 5, 4); /* the sixth key */
	assert_int_equal(dump(&s, false), -1);
	assert_error(&err, ERR_INCONSISTENT, "thin 3");
	/* What came before it is there. */
	assert_non_null(memmem(s.text.data, s.text.len, "<device dev_id=\"3\"", 18));
	buffer_release(&s.text);
	thin_fixture_release(&f);
}

static void the_largest_key_is_damage_and_no_circle(void **state)
{
	struct sink s = {0};

	(void)state;
	thin_fixture_init(&f, 1000, 0);
	thin_fixture_create(&f, 3);
	thin_fixture_map(&f, 3, 10, 20);
	thin_fixture_commit(&f);
	patch(mapping_root(3), 32 + 8 * 19, UINT64_MAX);
	assert_int_equal(dump(&s, false), -1);
	assert_error(&err, ERR_INCONSISTENT, "out of order");
	buffer_release(&s.text);
	thin_fixture_release(&f);
}

static void expect_half(const char *what)
{
	struct sink s = {0};

	thin_fixture_commit(&f);
	assert_int_equal(dump(&s, false), -1);
	assert_error(&err, ERR_INCONSISTENT, what);
	assert_null(memmem(s.text.data, s.text.len, "</superblock>", 13));
	buffer_release(&s.text);
}

/* thin_dump leaves it out. */
static void a_thin_with_half_of_its_entries_is_damage(void **state)
{
	struct tf_pool *p;

	(void)state;
	thin_fixture_init(&f, 1000, 0);
	for (uint32_t id = 1; id < 5; id++)
		thin_fixture_create(&f, id);
	p = tf_pool_of(f.pool);
	assert_ok(tf_btree_remove(&p->tx, &tf_tree_details, &p->sb.details_root, 4, &err), &err);
	expect_half("thin 4 has mappings and no details");
	assert_ok(tf_btree_remove(&p->tx, &tf_tree_details, &p->sb.details_root, 2, &err), &err);
	expect_half("thin 2 has mappings and no details");
	assert_ok(tf_btree_remove(&p->tx, &tf_tree_devices, &p->sb.mapping_root, 2, &err), &err);
	assert_ok(tf_btree_remove(&p->tx, &tf_tree_devices, &p->sb.mapping_root, 3, &err), &err);
	expect_half("thin 3: has no mappings");
	thin_fixture_release(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_what_thin_dump_prints),
		cmocka_unit_test(an_empty_pool_has_no_devices),
		cmocka_unit_test(the_metadata_snapshot_is_dumped_on_demand),
		cmocka_unit_test(thin_restore_makes_the_same_pool_of_it),
		cmocka_unit_test(a_commit_meanwhile_begins_it_anew),
		cmocka_unit_test(an_error_of_the_sink_ends_it),
		cmocka_unit_test(keys_out_of_order_are_damage),
		cmocka_unit_test(the_largest_key_is_damage_and_no_circle),
		cmocka_unit_test(a_thin_with_half_of_its_entries_is_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
