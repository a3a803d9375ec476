/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hostile guest's file system: each field of each structure says something else, and all checksums
 * hold. Reading it, writing it as a tar and extracting it end: well, or with an error that says what
 * is wrong. What that costs is bounded by the volume, in reads and in memory.
 *
 * THINPULL_ROUNDS=1000000 makes a tar and a folder of all of them, too.
 */
#include "oci/tree_tar.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/ext4/extract.h"
#include "pkg/host/folder.h"
#include "pkg/tar/reader.h"
#include "tests/support/cmocka.h"
#include "tests/support/ext4_fields.h"
#include "tests/support/scratch.h"

enum {
	DEFAULT_ROUNDS = 1760, /* a sixth of all, so about two for each field */
	/* Tars and folders cost more. */
	ROUNDS_FOR_A_TAR = 8,
	ROUNDS_FOR_A_FOLDER = 32,
	ALL_ROUNDS = 100000, /* there are fewer */
};

/* One allocation that is larger than the volume is none that its size could justify. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "max_allocation_size_mb=40";
}

static struct ext4_sample whole;
static size_t rounds, tried, refused;

static void check_error(const struct error *err)
{
	if (err->kind != ERR_INCONSISTENT && err->kind != ERR_UNSUPPORTED)
		assert_error(err, ERR_INCONSISTENT, "");
	assert_true(err->cause[0] != '\0');
}

/* --- three ways to look at it ----------------------------------------------------------------- */

static int read_it(struct memory_volume *v, struct error *err)
{
	size_t names;

	return ext4_sample_read_all(&v->volume, &names, err);
}

static int append(const void *data, size_t len, void *arg, struct error *err)
{
	struct buffer *tar = arg;

	(void)err;
	buffer_add(tar, data, len);
	assert_true(tar->len <= whole.v->volume.size_bytes);
	return 0;
}

/* What we have written, we read. */
static void read_back(const struct buffer *tar)
{
	struct stream *in = stream_from_memory(tar->data, tar->len);
	cleanup(tar_reader_close_ptr) struct tar_reader *r = NULL;
	const struct tar_entry *e;
	struct error err = {0};
	int rc;

	assert_ok(tar_reader_open(&in, &r, &err), &err);
	while ((rc = tar_reader_next(r, &e, &err)) == 0)
		assert_int_equal(strncmp(e->path, "./", 2), 0);
	assert_int_equal(rc, 1);
	assert_ok(tar_reader_finish(r, &err), &err);
}

static int make_tar(struct memory_volume *v, struct error *err)
{
	cleanup(ext4_reader_close_ptr) struct ext4_reader *r = NULL;
	cleanup_buffer struct buffer tar = {0};

	if (ext4_reader_open(&v->volume, &r, err) < 0 || tree_tar_write(r, append, &tar, err) < 0)
		return -1;
	read_back(&tar);
	return 0;
}

static int extract(struct memory_volume *v, struct error *err)
{
	cleanup(ext4_reader_close_ptr) struct ext4_reader *r = NULL;
	struct ext4_extract_lost lost;
	cleanup_fd int fd = -1;

	assert_int_equal(mkdir("around/out", 0700), 0);
	fd = open("around/out", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	if (ext4_reader_open(&v->volume, &r, err) < 0)
		return -1;
	return ext4_extract(r, fd, &lost, err);
}

/* Nothing beside the folder has changed. */
static int make_folder(struct memory_volume *v, struct error *err)
{
	static const char *const beside[] = {".", "around", "around/file", "link"};
	struct stat before[ARRAY_SIZE(beside)], after;
	struct error failure = {0};
	int rc;

	/* its own names change the folder around it */
	assert_int_equal(mkdir("around/out", 0700), 0);
	for (size_t i = 0; i < ARRAY_SIZE(beside); i++)
		assert_int_equal(lstat(beside[i], &before[i]), 0);
	assert_int_equal(rmdir("around/out"), 0);
	rc = extract(v, err);
	for (size_t i = 0; i < ARRAY_SIZE(beside); i++) {
		assert_int_equal(lstat(beside[i], &after), 0);
		assert_int_equal(before[i].st_mode, after.st_mode);
		assert_int_equal(before[i].st_nlink, after.st_nlink);
		assert_int_equal(before[i].st_size, after.st_size);
	}
	assert_ok(folder_remove("around/out", &failure), &failure);
	return rc;
}

/* --- every field ------------------------------------------------------------------------------ */

/* @look: one of the above.   @damaged: names it when the test fails. */
static void look(int (*way)(struct memory_volume *, struct error *), struct memory_volume *v,
		 const char *damaged, uint64_t value)
{
	struct error err = {0};

	memory_volume_reset_counts(v);
	if (way(v, &err) < 0) {
		check_error(&err);
		refused++;
	}
	if (v->counts.bytes_read > v->volume.size_bytes)
		fail_msg("%s = %llu: %llu bytes were read", damaged, (unsigned long long)value,
			 (unsigned long long)v->counts.bytes_read);
	tried++;
}

/* As many of all that there are as are wanted, evenly spread. */
static bool is_due(size_t i, size_t all, size_t wanted)
{
	return wanted >= all || i * wanted / all != (i + 1) * wanted / all;
}

static void look_in_all_ways(const struct ext4_field *f, uint64_t value, size_t i, size_t all)
{
	struct ext4_sample copy = ext4_sample_copy(&whole);
	bool everything = rounds >= ALL_ROUNDS;

	ext4_field_set(&copy, f, value);
	ext4_sample_sign(&copy);
	look(read_it, copy.v, f->name, value);
	if (everything || is_due(i, all, rounds / ROUNDS_FOR_A_TAR))
		look(make_tar, copy.v, f->name, value);
	if (everything || is_due(i, all, rounds / ROUNDS_FOR_A_FOLDER))
		look(make_folder, copy.v, f->name, value);
	memory_volume_free(copy.v);
}

static void damage_each(const struct ext4_field *fields, size_t n)
{
	size_t all = 0, i = 0;

	for (size_t k = 0; k < n; k++) {
		uint64_t values[EXT4_FIELD_VALUES_MAX];

		all += ext4_field_values(&whole, &fields[k], values);
	}
	for (size_t k = 0; k < n; k++) {
		uint64_t values[EXT4_FIELD_VALUES_MAX];
		size_t n_values = ext4_field_values(&whole, &fields[k], values);

		for (size_t v = 0; v < n_values; v++, i++)
			if (is_due(i, all, rounds))
				look_in_all_ways(&fields[k], values[v], i, all);
	}
}

static void each_field_may_say_anything(void **state)
{
	struct ext4_field *fields;
	size_t n;

	(void)state;
	fields = ext4_fields(&whole, &n);
	damage_each(fields, n);
	if (getenv("THINPULL_ROUNDS"))
		print_message("%zu fields, %zu looks, %zu refused\n", n, tried, refused);
	/* most numbers matter; much of what is damaged is a lawful other content */
	assert_true(n > 800 && refused > tried / 5 && refused < tried);
	free(fields);
}

static void undamaged_it_is_read(void **state)
{
	struct error err = {0};

	(void)state;
	assert_ok(read_it(whole.v, &err), &err);
	assert_ok(make_tar(whole.v, &err), &err);
	assert_ok(make_folder(whole.v, &err), &err);
}

static int set_up(void **state)
{
	const char *wanted = getenv("THINPULL_ROUNDS");
	int fd;

	if (scratch_set_up(state) < 0)
		return -1;
	rounds = wanted ? strtoul(wanted, NULL, 10) : DEFAULT_ROUNDS;
	whole = ext4_sample_make();
	fd = mkdir("around", 0755) == 0 && symlink("around/file", "link") == 0
		     ? open("around/file", O_WRONLY | O_CREAT | O_CLOEXEC, 0644)
		     : -1;
	return fd < 0 ? -1 : close(fd);
}

static int tear_down(void **state)
{
	memory_volume_free(whole.v);
	return scratch_tear_down(state);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(undamaged_it_is_read),
		cmocka_unit_test(each_field_may_say_anything),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
