/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where something goes depends on nothing but the disk and the calls since the last commit: each
 * kind of change gives the same bytes, whatever was read, refused and aborted before.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/cmocka.h"

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "tests/support/thin_scenes.h"
#include "tests/support/thin_tools.h"

/* ---- what a handle may have behind it ---- */

static void nothing(struct thin_run *r)
{
	(void)r;
}

static void read_everything(struct thin_run *r)
{
	assert_true(thin_model_equals(&r->model, r->pool, 0, 1));
}

static void abort_a_lot(struct thin_run *r)
{
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(thin_run_create(r, 6), 0);
		assert_int_equal(thin_run_write(r, 6, 0, 1000), 0);
		assert_int_equal(thin_run_snap(r, 7, 1), 0);
		assert_int_equal(thin_run_delete(r, 3), 0);
		assert_int_equal(thin_run_grow(r, 70, 30), 0);
		thin_run_abort(r);
	}
}

static void fail_and_abort(struct thin_run *r)
{
	struct thin_volume *v = NULL;
	struct error err = {0};

	assert_int_equal(thin_pool_create_thin(r->pool, 1, &err), -1);
	assert_int_equal(thin_pool_delete(r->pool, 9, &err), -1);
	assert_int_equal(thin_pool_open_volume(r->pool, 9, 512, true, &v, &err), -1);
	thin_run_abort(r);
}

static void close_and_open(struct thin_run *r)
{
	assert_int_equal(thin_run_write(r, 1, 0, 1000), 0);
	thin_run_reopen(r);
}

static void (*const pasts[])(struct thin_run *r) = {nothing, read_everything, abort_a_lot,
						    fail_and_abort, close_and_open};

/* ---- bytes ---- */

static uint64_t sum_file(const char *path)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint64_t sum = 0xcbf29ce484222325u;
	struct stat st;
	uint64_t *words;

	assert_int_equal(fstat(fd, &st), 0);
	words = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	assert_true(words != MAP_FAILED);
	for (size_t i = 0; i < (size_t)st.st_size / 8; i++)
		sum = (sum ^ words[i]) * 0x100000001b3u;
	munmap(words, (size_t)st.st_size);
	return sum ^ (uint64_t)st.st_size;
}

/* Freed metadata blocks keep what was in them, so the start is the same file each time. */
static void play(struct thin_stage *s, const struct thin_scene *scene,
		 void (*past)(struct thin_run *r), uint64_t ret[2])
{
	struct thin_run *r = &s->run;

	thin_stage_set(s);
	past(r);
	r->seed = 12345;
	assert_int_equal(scene->run(r), 0);
	thin_run_close(r);
	ret[0] = sum_file(r->meta);
	ret[1] = sum_file(r->data);
}

static void what_was_before_the_commit_changes_no_byte(void **state)
{
	static struct thin_stage s;

	(void)state;
	thin_stage_init(&s, thin_scenes_small);
	for (size_t i = 0; i < thin_scenes_n; i++) {
		uint64_t first[2], sums[2];

		if (!strcmp(thin_scenes[i].name, "grow both past a bitmap"))
			continue; /* a file of gigabytes to add up */
		play(&s, &thin_scenes[i], nothing, first);
		for (size_t k = 0; k < ARRAY_SIZE(pasts); k++) {
			play(&s, &thin_scenes[i], pasts[k], sums);
			if (sums[0] != first[0] || sums[1] != first[1])
				fail_msg("%s, past %zu: %s", thin_scenes[i].name, k,
					 sums[0] != first[0] ? "meta" : "data");
		}
	}
	thin_stage_release(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_before_the_commit_changes_no_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
