/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random changes over several layers, each a snapshot of the one before: e2fsck has nothing to say,
 * the reader, and for root a kernel, find what a plain model says, and neither what is cached nor
 * the pool's block size changes a byte. THINPULL_ROUNDS=200 tries as many seeds.
 */
#include "tests/support/cmocka.h"

#include <stdlib.h>

#include "pkg/base/alloc.h"
#include "pkg/ext4/base.h"
#include "pkg/ext4/writer.h"
#include "tests/support/e2fsprogs.h"
#include "tests/support/ext4_model.h"
#include "tests/support/memory_volume.h"
#include "tests/support/own_mounts.h"

enum { LAYERS = 6 };

static struct memory_volume *new_base(uint64_t size_bytes, uint32_t block_bytes, uint64_t inodes)
{
	struct memory_volume *v = memory_volume_new(size_bytes, block_bytes);
	struct ext4_base_params params = {.inodes = inodes};
	struct error err = {0};

	assert_ok(ext4_base_create(&v->volume, &params, &err), &err);
	return v;
}

static void edit(struct memory_volume *v, struct ext4_tree *tree, struct ext4_model *m,
		 unsigned changes)
{
	static const uint8_t uuid[16] = {7};
	struct ext4_writer *w;
	struct error err = {0};

	assert_ok(ext4_writer_open(&v->volume, tree, uuid, &w, &err), &err);
	assert_ok(ext4_model_change(m, w, changes, &err), &err);
	assert_ok(ext4_writer_finish(&w, &err), &err);
	assert_null(w);
}

static void edit_with_fresh_tree(struct memory_volume *v, struct ext4_model *m, unsigned changes)
{
	struct ext4_tree *tree = ext4_tree_new();

	edit(v, tree, m, changes);
	ext4_tree_free(tree);
}

static bool kernel_agrees(const struct memory_volume *v, const struct ext4_model *m)
{
	char *dir = scratch_new();
	cleanup_free char *image = xasprintf("%s/image", dir), *at = xasprintf("%s/m", dir);
	bool same;

	memory_volume_dump(v, image);
	assert_int_equal(command_run(NULL, "mkdir '%s' && mount -o loop,ro,noatime '%s' '%s'", at,
				     image, at),
			 0);
	same = ext4_model_matches_folder(m, at);
	assert_int_equal(command_run(NULL, "umount '%s'", at), 0);
	scratch_free(dir);
	return same;
}

static void run_layers(uint64_t seed, unsigned changes, uint64_t size_bytes, uint64_t inodes)
{
	struct memory_volume *volumes[LAYERS + 1] = {new_base(size_bytes, 0, inodes)};
	struct ext4_tree *tree = ext4_tree_new();
	struct ext4_model *m = ext4_model_new(seed);

	for (unsigned i = 1; i <= LAYERS; i++) {
		volumes[i] = memory_volume_snapshot(volumes[i - 1]);
		edit(volumes[i], tree, m, changes);
		if (!e2fsck_is_clean(volumes[i]) || !ext4_model_matches(m, &volumes[i]->volume)
		    || (i % 3 == 0 && can_loop_mount() && !kernel_agrees(volumes[i], m)))
			fail_msg("seed %llu, layer %u", (unsigned long long)seed, i);
	}
	for (unsigned i = 0; i <= LAYERS; i++)
		memory_volume_free(volumes[i]);
	ext4_model_free(m);
	ext4_tree_free(tree);
}

static void random_layers_are_clean_and_read_back(void **state)
{
	const char *rounds = getenv("THINPULL_ROUNDS"), *first = getenv("THINPULL_SEED");
	uint64_t seed = first ? strtoull(first, NULL, 10) : 1;
	uint64_t end = seed + (rounds ? strtoull(rounds, NULL, 10) : 6);

	(void)state;
	for (; seed < end; seed++)
		run_layers(seed, 150, 64 << 20, 8192);
}

static void so_are_large_layers(void **state)
{
	(void)state;
	run_layers(100, 1500, 256 << 20, 0);
}

/* 64 MiB and 1,100 inodes: after a few layers no chunk is wholly free any more. */
static void so_are_layers_on_a_nearly_full_file_system(void **state)
{
	(void)state;
	for (uint64_t seed = 200; seed < 203; seed++)
		run_layers(seed, 300, 40 << 20, 1400);
}

static void what_is_cached_changes_no_byte(void **state)
{
	(void)state;
	for (uint64_t seed = 20; seed < 24; seed++) {
		struct memory_volume *a = new_base(64 << 20, 0, 0);
		struct memory_volume *b = new_base(64 << 20, 0, 0);
		struct ext4_tree *tree = ext4_tree_new();
		struct ext4_model *m = ext4_model_new(seed);
		struct ext4_model *n = ext4_model_new(seed);

		for (unsigned i = 0; i < LAYERS; i++) {
			edit(a, tree, m, 200);
			edit_with_fresh_tree(b, n, 200);
			assert_int_equal(memory_volume_differ(a, b), 0);
		}
		ext4_model_free(m);
		ext4_model_free(n);
		ext4_tree_free(tree);
		memory_volume_free(a);
		memory_volume_free(b);
	}
}

static void pool_block_size_changes_no_byte(void **state)
{
	struct memory_volume *a = new_base(64 << 20, 64 << 10, 0);
	struct memory_volume *b = new_base(64 << 20, 1 << 20, 0);
	struct ext4_model *m = ext4_model_new(30);
	struct ext4_model *n = ext4_model_new(30);

	(void)state;
	for (unsigned i = 0; i < LAYERS; i++) {
		edit_with_fresh_tree(a, m, 200);
		edit_with_fresh_tree(b, n, 200);
		assert_int_equal(memory_volume_differ(a, b), 0);
	}
	ext4_model_free(m);
	ext4_model_free(n);
	memory_volume_free(a);
	memory_volume_free(b);
}

/* 0, or -1 when the fault was met. */
static int try_layer(struct memory_volume *v, struct ext4_model *m, struct error *err)
{
	static const uint8_t uuid[16] = {9};
	cleanup(ext4_tree_free_ptr) struct ext4_tree *tree = ext4_tree_new();
	cleanup(ext4_writer_abort_ptr) struct ext4_writer *w = NULL;

	if (ext4_writer_open(&v->volume, tree, uuid, &w, err) < 0
	    || ext4_model_change(m, w, 60, err) < 0)
		return -1;
	return ext4_writer_finish(&w, err);
}

/* Let the n-th read or write fail, for n = 1, 2, 3, .. until the layer gets through. */
static void fail_everywhere(bool reads)
{
	struct memory_volume *base = new_base(64 << 20, 0, 0);
	struct ext4_model *m = ext4_model_new(40);
	struct error err = {0};

	edit_with_fresh_tree(base, m, 200);
	for (uint64_t n = 1;; n++) {
		struct memory_volume *v = memory_volume_snapshot(base);
		struct ext4_model *copy = ext4_model_copy(m);
		int rc;

		*(reads ? &v->fail_read : &v->fail_write) = n;
		error_clear(&err);
		rc = try_layer(v, copy, &err);
		if (rc < 0)
			assert_error(&err, ERR_SYSTEM, "injected fault");
		ext4_model_free(copy);
		memory_volume_free(v);
		if (rc == 0) {
			assert_true(n > 3);
			break;
		}
	}
	ext4_model_free(m);
	memory_volume_free(base);
}

static void every_failing_read_is_reported(void **state)
{
	(void)state;
	fail_everywhere(true);
}

static void every_failing_write_is_reported(void **state)
{
	(void)state;
	fail_everywhere(false);
}

static uint64_t scramble(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return *state >> 33;
}

/* The guest never writes to what the writer edits, but a damaged disk may. No crash, no loop. */
static void damage_is_an_error_or_does_not_matter(void **state)
{
	struct memory_volume *base = new_base(16 << 20, 0, 0);
	struct ext4_model *m = ext4_model_new(50);
	uint64_t random = 1;

	(void)state;
	edit_with_fresh_tree(base, m, 100);
	for (int i = 0; i < 300; i++) {
		struct memory_volume *v = memory_volume_snapshot(base);
		struct ext4_model *copy = ext4_model_copy(m);
		struct error err = {0};

		for (int k = 0; k < 20; k++) {
			uint8_t byte = (uint8_t)scramble(&random);
			uint64_t at = scramble(&random) % (i % 2 ? 16 << 20 : 2 << 20);

			assert_ok(thin_volume_write(&v->volume, &byte, 1, at, &err), &err);
		}
		if (try_layer(v, copy, &err) < 0)
			assert_true(err.kind == ERR_INCONSISTENT || err.kind == ERR_UNSUPPORTED
				    || err.kind == ERR_NOT_FOUND || err.kind == ERR_INVALID);
		ext4_model_free(copy);
		memory_volume_free(v);
	}
	ext4_model_free(m);
	memory_volume_free(base);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_layers_are_clean_and_read_back),
		cmocka_unit_test(so_are_large_layers),
		cmocka_unit_test(so_are_layers_on_a_nearly_full_file_system),
		cmocka_unit_test(what_is_cached_changes_no_byte),
		cmocka_unit_test(pool_block_size_changes_no_byte),
		cmocka_unit_test(every_failing_read_is_reported),
		cmocka_unit_test(every_failing_write_is_reported),
		cmocka_unit_test(damage_is_an_error_or_does_not_matter),
	};

	own_mounts();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
