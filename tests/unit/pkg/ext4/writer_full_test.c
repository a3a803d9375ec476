/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The same random tree on file systems with ever more blocks, or inodes, left: each time an error
 * that says what is used up, never anything else, until there is enough and all of it is there.
 * THINPULL_ROUNDS=100 tries as many trees.
 */
#include "tests/support/cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "pkg/base/alloc.h"
#include "tests/support/e2fsprogs.h"
#include "tests/support/ext4_edit.h"
#include "tests/support/ext4_model.h"

enum { BASE_BYTES = 8 << 20, MANY_INODES = 2048, FEW_INODES = 192, ENOUGH = 3 };

/* A full file system, and how to make room in it. */
struct full {
	struct memory_volume *v;
	int files;    /* of one block, or empty ones: each has a name of its own */
	size_t bytes; /* of each */
	int step; /* remove every one, or every second: what is free then does not hang together */
	enum error_detail detail;
	uint64_t seed;
	unsigned changes;
};

static const char *ballast(int i)
{
	static char name[32];

	snprintf(name, sizeof(name), EXT4_MODEL_IGNORED "%04d", i);
	return name;
}

static void add_files(struct full *full, int n)
{
	cleanup(ext4_tree_free_ptr) struct ext4_tree *tree = ext4_tree_new();
	struct ext4_writer *w = edit_open(full->v, tree);

	for (int i = 0; i < n; i++)
		edit_bytes(w, ballast(full->files++), full->bytes, 1);
	edit_finish(w);
}

static uint64_t left(const struct full *full)
{
	uint32_t inodes;
	uint64_t blocks = edit_free_blocks(full->v, &inodes);

	/* inode 11 is never given out */
	return full->detail == ERR_DETAIL_FS_BLOCKS ? blocks : inodes - 1;
}

/* Names take blocks, too, so it takes a few steps. */
static void fill(struct full *full)
{
	full->v = edit_base(BASE_BYTES,
			    full->detail == ERR_DETAIL_FS_BLOCKS ? MANY_INODES : FEW_INODES);
	while (left(full) > 40)
		add_files(full, (int)left(full) - 20);
	while (left(full) > 2)
		add_files(full, 1);
}

static void make_room(struct memory_volume *v, const struct full *full, int k)
{
	cleanup(ext4_tree_free_ptr) struct ext4_tree *tree = ext4_tree_new();
	struct ext4_writer *w = edit_open(v, tree);

	for (int i = 0; i < k; i++)
		edit_remove(w, ballast(i * full->step));
	edit_finish(w);
}

static int try(struct memory_volume *v, const struct full *full, struct ext4_model *m,
	       struct error *err)
{
	static const uint8_t uuid[16] = {9};
	cleanup(ext4_tree_free_ptr) struct ext4_tree *tree = ext4_tree_new();
	cleanup(ext4_writer_abort_ptr) struct ext4_writer *w = NULL;

	if (ext4_writer_open(&v->volume, tree, uuid, &w, err) < 0
	    || ext4_model_change(m, w, full->changes, err) < 0)
		return -1;
	return ext4_writer_finish(&w, err);
}

/* 0, or -1 when there was too little. */
static int with_room(const struct full *full, int k)
{
	struct memory_volume *v = memory_volume_snapshot(full->v);
	struct ext4_model *m = ext4_model_new(full->seed);
	struct error err = {0};
	int rc;

	make_room(v, full, k);
	rc = try(v, full, m, &err);
	if (rc < 0) {
		assert_error(&err, ERR_NO_SPACE, "in use");
		assert_int_equal(err.detail, full->detail);
	} else if (!e2fsck_is_clean(v) || !ext4_model_matches(m, &v->volume)) {
		fail_msg("seed %llu with %d free", (unsigned long long)full->seed, k);
	}
	ext4_model_free(m);
	memory_volume_free(v);
	return rc;
}

static void fill_for_every_number(struct full full)
{
	int refused = 0, done = 0;

	fill(&full);
	for (int k = 0; done < ENOUGH; k++) {
		assert_true(k * full.step < full.files);
		if (with_room(&full, k) == 0)
			done++;
		else
			refused++;
	}
	assert_true(refused > 10);
	memory_volume_free(full.v);
}

static uint64_t rounds(void)
{
	const char *text = getenv("THINPULL_ROUNDS");

	return text ? strtoull(text, NULL, 10) : 4;
}

static void blocks_that_hang_together_run_out(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= rounds(); seed++)
		fill_for_every_number((struct full){.bytes = 4096,
						    .step = 1,
						    .detail = ERR_DETAIL_FS_BLOCKS,
						    .seed = seed,
						    .changes = 70});
}

/* Each piece of a file is an extent: trees of them run out, too. */
static void scattered_blocks_run_out(void **state)
{
	(void)state;
	for (uint64_t seed = 1001; seed <= 1000 + rounds(); seed++)
		fill_for_every_number((struct full){.bytes = 4096,
						    .step = 2,
						    .detail = ERR_DETAIL_FS_BLOCKS,
						    .seed = seed,
						    .changes = 70});
}

static void inodes_run_out(void **state)
{
	(void)state;
	for (uint64_t seed = 2001; seed <= 2000 + rounds(); seed++)
		fill_for_every_number((struct full){
			.step = 1, .detail = ERR_DETAIL_FS_INODES, .seed = seed, .changes = 60});
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks_that_hang_together_run_out),
		cmocka_unit_test(scattered_blocks_run_out),
		cmocka_unit_test(inodes_run_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
