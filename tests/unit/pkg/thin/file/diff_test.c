/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two thins side by side: held against both maps compared entry by entry, over random pools with
 * trees of one to three levels and any history; against thin_delta; by how little is read; and by
 * readers while a writer commits.
 */
#include "pkg/thin/pool.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/bytes.h"
#include "pkg/base/cleanup.h"
#include "pkg/thin/file/pool_internal.h"
#include "tests/support/cmocka.h"
#include "tests/support/thin_fixture.h"
#include "tests/support/thin_run.h"
#include "tests/support/thin_tools.h"

#define BLOCK ((uint64_t)FIXTURE_BLOCK)

static struct error err;

/* ---- mappings without data ---- */

/* As a discard. */
static void unmap_block(struct thin_fixture *f, uint32_t id, uint64_t vblock)
{
	struct tf_pool *p = tf_pool_of(f->pool);
	struct tf_device device;
	uint64_t root;
	uint8_t *at;
	int rc;

	assert_ok(tf_btree_shadow_value(&p->tx, &tf_tree_devices, &p->sb.mapping_root, id, &at,
					&err),
		  &err);
	assert_ok(tf_device_find(p, id, &device, &root, &err), &err);
	rc = tf_btree_remove(&p->tx, &tf_tree_mappings, &root, vblock, &err);
	assert_true(rc >= 0);
	put_le64(at, root);
	device.mapped_blocks -= rc == 0;
	assert_ok(tf_device_store(p, id, &device, &err), &err);
}

/* Nodes from the root of a device's mappings to a leaf. */
static unsigned levels(struct thin_fixture *f, uint32_t id)
{
	struct tf_pool *p = tf_pool_of(f->pool);
	struct tf_device device;
	const uint8_t *node;
	uint64_t nr;

	assert_ok(tf_device_find(p, id, &device, &nr, &err), &err);
	for (unsigned n = 1;; n++) {
		node = tf_cache_read(&p->tx.cache, nr, TF_NODE, &err);
		assert_non_null(node);
		if (tf_node_is_leaf(node))
			return n;
		nr = tf_node_value64(node, 0);
	}
}

/* ---- the plain way ---- */

struct ranges {
	struct thin_diff_range *items;
	size_t n, room;
};

static void ranges_release(struct ranges *r)
{
	free(r->items);
}

static void ranges_add(struct ranges *r, uint64_t first, uint64_t n, enum thin_diff_kind kind)
{
	struct thin_diff_range *last = r->n ? &r->items[r->n - 1] : NULL;

	if (last && last->kind == kind && last->first_block + last->nr_blocks == first) {
		last->nr_blocks += n;
		return;
	}
	ALLOC_GROW(r->items, r->n + 1, r->room);
	r->items[r->n++] = (struct thin_diff_range){first, n, kind};
}

struct map {
	struct entry {
		uint64_t key, mapping;
	} * items;
	size_t n, room;
};

static void map_release(struct map *m)
{
	free(m->items);
}

static void read_map(struct thin_fixture *f, uint32_t id, struct map *ret)
{
	struct tf_pool *p = tf_pool_of(f->pool);
	struct tf_device device;
	struct tf_leaf leaf;
	uint64_t root, key = 0;

	assert_ok(tf_device_find(p, id, &device, &root, &err), &err);
	while (tf_btree_seek(&p->tx, &tf_tree_mappings, root, key, &leaf, &err) == 0)
		for (; leaf.i < leaf.n; leaf.i++) {
			key = tf_node_key(leaf.node, leaf.i) + 1;
			ALLOC_GROW(ret->items, ret->n + 1, ret->room);
			ret->items[ret->n++] =
				(struct entry){key - 1, tf_node_value64(leaf.node, leaf.i)};
		}
	assert_int_equal(ret->n, device.mapped_blocks);
}

static void compare_plainly(struct thin_fixture *f, uint32_t a, uint32_t b, struct ranges *ret)
{
	cleanup(map_release) struct map left = {0}, right = {0};
	size_t i = 0, k = 0;

	read_map(f, a, &left);
	read_map(f, b, &right);
	while (i < left.n || k < right.n) {
		const struct entry *l = i < left.n ? &left.items[i] : NULL;
		const struct entry *r = k < right.n ? &right.items[k] : NULL;

		if (l && r && l->key == r->key) {
			if (tf_mapping_block(l->mapping) != tf_mapping_block(r->mapping))
				ranges_add(ret, l->key, 1, THIN_DIFF_BOTH);
			i++;
			k++;
		} else if (!r || (l && l->key < r->key)) {
			ranges_add(ret, l->key, 1, THIN_DIFF_ONLY_A);
			i++;
		} else {
			ranges_add(ret, r->key, 1, THIN_DIFF_ONLY_B);
			k++;
		}
	}
}

static void diff(struct thin_fixture *f, uint32_t a, uint32_t b, struct ranges *ret)
{
	assert_ok(thin_pool_diff(f->pool, a, b, &ret->items, &ret->n, &err), &err);
}

static void assert_same(const struct ranges *got, const struct ranges *want, const char *what)
{
	for (size_t i = 0; i < got->n && i < want->n; i++) {
		const struct thin_diff_range *g = &got->items[i], *w = &want->items[i];

		if (g->first_block != w->first_block || g->nr_blocks != w->nr_blocks
		    || g->kind != w->kind)
			fail_msg("%s: range %zu is %llu+%llu kind %d, not %llu+%llu kind %d", what,
				 i, (unsigned long long)g->first_block,
				 (unsigned long long)g->nr_blocks, (int)g->kind,
				 (unsigned long long)w->first_block,
				 (unsigned long long)w->nr_blocks, (int)w->kind);
	}
	if (got->n != want->n)
		fail_msg("%s: %zu ranges, not %zu", what, got->n, want->n);
}

static void check_pair(struct thin_fixture *f, uint32_t a, uint32_t b, const char *what)
{
	cleanup(ranges_release) struct ranges got = {0}, want = {0};

	diff(f, a, b, &got);
	compare_plainly(f, a, b, &want);
	assert_same(&got, &want, what);
}

/* ---- a few by hand ---- */

static void each_kind_of_difference_is_told_and_merged(void **state)
{
	static const struct thin_diff_range expected[] = {
		{3, 2, THIN_DIFF_BOTH},	   {10, 4, THIN_DIFF_ONLY_B}, {20, 1, THIN_DIFF_ONLY_B},
		{30, 3, THIN_DIFF_ONLY_A}, {33, 1, THIN_DIFF_ONLY_B},
	};
	const struct ranges want = {(struct thin_diff_range *)(uintptr_t)expected, 5, 0};
	struct thin_fixture f;

	(void)state;
	thin_fixture_init(&f, 1000, 0);
	thin_fixture_create(&f, 1);
	thin_fixture_write(&f, 1, 0, 10 * BLOCK, 1);
	thin_fixture_snap(&f, 2, 1);
	thin_fixture_write(&f, 2, 3 * BLOCK, BLOCK, 2);
	thin_fixture_write(&f, 1, 4 * BLOCK + 7, 1, 2);
	thin_fixture_write(&f, 2, 10 * BLOCK, 4 * BLOCK, 2);
	thin_fixture_write(&f, 2, 20 * BLOCK, 1, 2);
	thin_fixture_write(&f, 1, 30 * BLOCK, 3 * BLOCK, 3);
	thin_fixture_write(&f, 2, 33 * BLOCK, BLOCK, 3);
	for (int again = 0; again < 2; again++) {
		cleanup(ranges_release) struct ranges got = {0};

		diff(&f, 1, 2, &got);
		assert_same(&got, &want, "by hand");
		thin_fixture_commit(&f);
	}
	thin_fixture_check(&f);
	thin_fixture_release(&f);
}

static void nothing_beside_something(void **state)
{
	struct thin_fixture f;

	(void)state;
	thin_fixture_init(&f, 1000, 0);
	thin_fixture_create(&f, 1);
	thin_fixture_create(&f, 2);
	thin_fixture_create(&f, 3);
	thin_fixture_write(&f, 3, 7 * BLOCK, 400 * BLOCK, 1);
	for (uint32_t a = 1; a <= 3; a++)
		for (uint32_t b = 1; b <= 3; b++) {
			cleanup(ranges_release) struct ranges got = {0};

			diff(&f, a, b, &got);
			if ((a == 3) == (b == 3)) {
				assert_int_equal(got.n, 0);
				assert_null(got.items);
				continue;
			}
			assert_int_equal(got.n, 1);
			assert_int_equal(got.items[0].first_block, 7);
			assert_int_equal(got.items[0].nr_blocks, 400);
			assert_int_equal(got.items[0].kind,
					 a == 3 ? THIN_DIFF_ONLY_A : THIN_DIFF_ONLY_B);
		}
	thin_fixture_release(&f);
}

static void devices_that_are_not_there_are_an_error(void **state)
{
	struct thin_diff_range *items;
	struct thin_fixture f;
	size_t n;

	(void)state;
	thin_fixture_init(&f, 1000, 0);
	thin_fixture_create(&f, 1);
	assert_int_equal(thin_pool_diff(f.pool, 1, 9, &items, &n, &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "thin 9");
	assert_int_equal(thin_pool_diff(f.pool, 8, 1, &items, &n, &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "thin 8");
	assert_int_equal(thin_pool_diff(f.pool, 9, 9, &items, &n, &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "thin 9");
	thin_fixture_release(&f);
}

/* ---- any pool ---- */

enum { DEVICES = 6, POOL_BLOCKS = 2000000, METADATA_BYTES = 256 << 20 };

struct random_pool {
	struct thin_fixture f;
	struct thin_run random; /* only its numbers */
	uint64_t blocks;	/* of each device */
	bool there[DEVICES];
};

static uint64_t below(struct random_pool *r, uint64_t n)
{
	return thin_run_random(&r->random, n);
}

static void change_device(struct random_pool *r, uint32_t id)
{
	uint64_t first = below(r, r->blocks), n = 1 + below(r, 1 + r->blocks / 8);
	uint64_t step = below(r, 3) ? 1 : 1 + below(r, 9), what = below(r, 3);

	for (uint64_t i = 0; i < n; i++) {
		uint64_t vblock = step > 6 ? below(r, r->blocks) : first + i * step;

		if (what)
			thin_fixture_map(&r->f, id, vblock, 1);
		else
			unmap_block(&r->f, id, vblock);
	}
}

static void change_something(struct random_pool *r)
{
	uint32_t id = (uint32_t)below(r, DEVICES), origin = (uint32_t)below(r, DEVICES);

	if (r->there[id] && below(r, 6) == 0) {
		thin_fixture_delete(&r->f, id);
		r->there[id] = false;
	} else if (!r->there[id]) {
		if (r->there[origin])
			thin_fixture_snap(&r->f, id, origin);
		else
			thin_fixture_create(&r->f, id);
		r->there[id] = true;
	} else {
		change_device(r, id);
	}
}

static void check_all_pairs(struct random_pool *r, const char *what, unsigned *uneven,
			    unsigned *deepest)
{
	for (uint32_t a = 0; a < DEVICES; a++)
		for (uint32_t b = 0; b < DEVICES; b++) {
			if (!r->there[a] || !r->there[b])
				continue;
			check_pair(&r->f, a, b, what);
			*uneven += levels(&r->f, a) != levels(&r->f, b);
		}
	for (uint32_t i = 0; i < DEVICES; i++)
		if (r->there[i] && levels(&r->f, i) > *deepest)
			*deepest = levels(&r->f, i);
}

static void forget_all(struct random_pool *r)
{
	for (uint32_t i = 0; i < DEVICES; i++)
		if (r->there[i])
			thin_fixture_delete(&r->f, i);
	memset(r->there, 0, sizeof(r->there));
}

/* One history: trees of one level for most seeds, two and three for some. */
static void one_seed(struct random_pool *r, uint64_t seed, unsigned *uneven, unsigned *deepest)
{
	char what[32];

	snprintf(what, sizeof(what), "seed %llu", (unsigned long long)seed);
	r->random.seed = seed * 0x9e3779b97f4a7c15u + 1;
	r->blocks = seed % 50 == 0 ? 70000 : seed % 5 == 0 ? 3000 : 300;
	if (seed % 50 == 0) {
		thin_fixture_create(&r->f, 0);
		thin_fixture_map(&r->f, 0, below(r, r->blocks), r->blocks);
		r->there[0] = true;
	}
	for (int i = 0; i < 25; i++) {
		change_something(r);
		if (i % 8 == 0)
			check_all_pairs(r, what, uneven, deepest);
	}
	check_all_pairs(r, what, uneven, deepest);
	if (seed % 60 == 0) {
		thin_fixture_commit(&r->f);
		thin_fixture_check(&r->f);
	}
	forget_all(r);
}

static void any_two_devices_compare_like_their_whole_maps(void **state)
{
	uint64_t first = thin_run_environment("THINPULL_SEED", 1);
	uint64_t seeds = thin_run_environment("THINPULL_ROUNDS", 300);
	unsigned uneven = 0, deepest = 0;
	struct random_pool r = {0};

	(void)state;
	thin_fixture_init(&r.f, POOL_BLOCKS, METADATA_BYTES);
	for (uint64_t i = 0; i < seeds; i++)
		one_seed(&r, first + i, &uneven, &deepest);
	/* Else this looked at less than it says. */
	if (seeds >= 300) {
		assert_true(uneven > 1000);
		assert_int_equal(deepest, 3);
	}
	thin_fixture_release(&r.f);
}

/* ---- against thin_delta ---- */

/* One line of its XML; true = a range of a kind that we list, too. */
static bool parse_line(const char *line, struct thin_diff_range *ret)
{
	static const char *const names[] = {
		[THIN_DIFF_ONLY_A] = "left_only",
		[THIN_DIFF_ONLY_B] = "right_only",
		[THIN_DIFF_BOTH] = "different",
	};
	unsigned long long first, n;
	char name[16];

	if (sscanf(line, " <%15s begin=\"%llu\" length=\"%llu\"", name, &first, &n) != 3)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(name, names[i]) == 0) {
			*ret = (struct thin_diff_range){first, n, (enum thin_diff_kind)i};
			return true;
		}
	assert_string_equal(name, "same");
	return false;
}

static void ask_thin_delta(const struct thin_fixture *f, uint32_t a, uint32_t b, struct ranges *ret)
{
	cleanup_free char *command =
		xasprintf("thin_delta --snap1 %u --snap2 %u %s/meta", a, b, f->dir);
	FILE *out = popen(command, "re");
	struct thin_diff_range range;
	char line[256];

	assert_non_null(out);
	while (fgets(line, sizeof(line), out))
		if (parse_line(line, &range))
			ranges_add(ret, range.first_block, range.nr_blocks, range.kind);
	assert_int_equal(pclose(out), 0);
}

static void check_against_thin_delta(struct random_pool *r)
{
	for (uint32_t a = 0; a < DEVICES; a++)
		for (uint32_t b = 0; b < a; b++) {
			cleanup(ranges_release) struct ranges got = {0}, want = {0};

			if (!r->there[a] || !r->there[b])
				continue;
			diff(&r->f, a, b, &got);
			ask_thin_delta(&r->f, a, b, &want);
			assert_same(&got, &want, "thin_delta");
		}
}

/* Written through volumes, as everybody does. */
static void write_something(struct random_pool *r)
{
	uint32_t id = (uint32_t)below(r, DEVICES);

	if (r->there[id] && below(r, 4))
		thin_fixture_write(&r->f, id, below(r, r->blocks) * BLOCK,
				   (1 + below(r, 20)) * BLOCK, 1);
	else
		change_something(r);
}

static void thin_delta_agrees(void **state)
{
	struct random_pool r = {.blocks = 1500, .random.seed = 0x9e3779b97f4a7c15u};

	(void)state;
	if (thin_tools_check_major() < 0)
		skip();
	thin_fixture_init(&r.f, 100000, 0);
	for (int round = 0; round < 4; round++) {
		for (int i = 0; i < 25; i++)
			write_something(&r);
		thin_fixture_commit(&r.f);
		check_against_thin_delta(&r);
	}
	thin_fixture_check(&r.f);
	thin_fixture_release(&r.f);
}

/* ---- how much is read ---- */

enum { MANY_BLOCKS = 1000000 };

/* Metadata blocks that a diff reads when nothing is in memory. */
static uint64_t reads_of_diff(struct thin_fixture *f, uint32_t a, uint32_t b, struct ranges *ret)
{
	struct thin_pool *writer = f->pool;
	uint64_t reads;

	thin_fixture_open(f, THIN_FILE_READ);
	diff(f, a, b, ret);
	reads = tf_pool_metadata_reads(f->pool);
	thin_fixture_close(f);
	f->pool = writer;
	return reads;
}

static void what_is_shared_is_not_read(void **state)
{
	static const uint64_t places[] = {5, MANY_BLOCKS / 2, MANY_BLOCKS - 1};
	cleanup(ranges_release) struct ranges same = {0}, few = {0}, grown = {0};
	struct thin_fixture f;

	(void)state;
	thin_fixture_init(&f, POOL_BLOCKS, METADATA_BYTES);
	thin_fixture_create(&f, 1);
	thin_fixture_map(&f, 1, 0, MANY_BLOCKS);
	thin_fixture_snap(&f, 2, 1);
	thin_fixture_snap(&f, 3, 1);
	assert_int_equal(levels(&f, 1), 3);
	thin_fixture_commit(&f);
	/* The roots of both trees of devices tell that there is nothing to look for. */
	assert_int_equal(reads_of_diff(&f, 1, 3, &same), 2);
	assert_int_equal(same.n, 0);
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		thin_fixture_map(&f, 2, places[i], 1);
	thin_fixture_commit(&f);
	/* Two nodes of the trees of devices, and from each side a root, and for each of the three
	 * blocks an internal node and a leaf; full internal nodes were split on the way. */
	assert_in_range(reads_of_diff(&f, 1, 2, &few), 16, 19);
	assert_int_equal(few.n, ARRAY_SIZE(places));
	for (size_t i = 0; i < few.n; i++) {
		assert_int_equal(few.items[i].first_block, places[i]);
		assert_int_equal(few.items[i].nr_blocks, 1);
		assert_int_equal(few.items[i].kind, THIN_DIFF_BOTH);
	}
	/* 10,000 new blocks in a row: their leaves and no others. */
	thin_fixture_map(&f, 3, MANY_BLOCKS, 10000);
	thin_fixture_commit(&f);
	assert_in_range(reads_of_diff(&f, 1, 3, &grown), 10000 / 252, 10000 / 160 + 20);
	assert_int_equal(grown.n, 1);
	assert_int_equal(grown.items[0].nr_blocks, 10000);
	thin_fixture_release(&f);
}

/* The same blocks in trees of two and of three levels, that still share most of their leaves. */
static void trees_of_different_height_share(void **state)
{
	cleanup(ranges_release) struct ranges got = {0};
	struct thin_fixture f;

	(void)state;
	thin_fixture_init(&f, POOL_BLOCKS, METADATA_BYTES);
	thin_fixture_create(&f, 1);
	thin_fixture_map(&f, 1, 0, 60000);
	thin_fixture_snap(&f, 2, 1);
	thin_fixture_map(&f, 2, 60000, 10000);
	thin_fixture_commit(&f);
	assert_int_equal(levels(&f, 1), 2);
	assert_int_equal(levels(&f, 2), 3);
	assert_in_range(reads_of_diff(&f, 1, 2, &got), 40, 10000 / 160 + 20);
	assert_int_equal(got.n, 1);
	assert_int_equal(got.items[0].first_block, 60000);
	assert_int_equal(got.items[0].nr_blocks, 10000);
	check_pair(&f, 1, 2, "heights");
	check_pair(&f, 2, 1, "heights");
	thin_fixture_release(&f);
}

/* ---- while a writer commits ---- */

enum { RUN = 300, STEPS = 6, MOVES_SEEN = 40, TIME_LIMIT_S = 60 };

/* After each commit device 2 differs from device 1 by one run of blocks in a new place. */
static void commit_for_ever(const char *dir, int ready)
{
	struct thin_fixture f = {.dir = xstrdup(dir)};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	thin_fixture_open(&f, THIN_FILE_WRITE);
	for (unsigned i = 0;; i++) {
		if (i)
			thin_fixture_delete(&f, 2);
		thin_fixture_snap(&f, 2, 1);
		thin_fixture_map(&f, 2, i % STEPS * RUN, RUN);
		thin_fixture_commit(&f);
		if (i == 0 && write(ready, "", 1) != 1)
			_exit(1);
	}
}

static void a_reader_sees_one_state_while_a_writer_commits(void **state)
{
	time_t started = time(NULL);
	uint64_t last = UINT64_MAX;
	unsigned moves = 0;
	struct thin_fixture f;
	int ready[2];
	char byte;
	pid_t pid;

	(void)state;
	thin_fixture_init(&f, 20000, 0);
	thin_fixture_create(&f, 1);
	thin_fixture_map(&f, 1, 0, STEPS * RUN);
	thin_fixture_commit(&f);
	thin_fixture_close(&f);
	assert_int_equal(pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		commit_for_ever(f.dir, ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	thin_fixture_open(&f, THIN_FILE_READ);
	while (moves < MOVES_SEEN) {
		cleanup(ranges_release) struct ranges got = {0};

		assert_true(time(NULL) - started < TIME_LIMIT_S);
		if (thin_pool_diff(f.pool, 1, 2, &got.items, &got.n, &err) < 0) {
			assert_error(&err, ERR_BUSY, "all the time");
			err = (struct error){0};
			continue;
		}
		assert_int_equal(got.n, 1);
		assert_int_equal(got.items[0].nr_blocks, RUN);
		assert_int_equal(got.items[0].first_block % RUN, 0);
		assert_int_equal(got.items[0].kind, THIN_DIFF_BOTH);
		moves += got.items[0].first_block != last;
		last = got.items[0].first_block;
	}
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	thin_fixture_close(&f);
	close(ready[0]);
	close(ready[1]);
	thin_fixture_release(&f);
}

/* ---- damage ---- */

/* Change the first node of a level of device 1's tree that has so many entries, on disk. */
static void spoil(struct thin_fixture *f, bool leaf, void (*change)(uint8_t *node))
{
	cleanup_free char *path = xasprintf("%s/meta", f->dir);
	cleanup_fd int fd = open(path, O_RDWR | O_CLOEXEC);
	uint8_t node[TF_BLOCK_BYTES];
	uint64_t nr;

	for (nr = 1; nr < 512; nr++) {
		assert_int_equal(pread(fd, node, sizeof(node), (off_t)(nr * sizeof(node))),
				 sizeof(node));
		if (tf_block_verify(node, TF_NODE, nr, &err) == 0 && tf_node_is_leaf(node) == leaf
		    && tf_node_value_size(node) == TF_MAPPING_BYTES && tf_node_entries(node) > 3)
			break;
	}
	assert_true(nr < 512);
	change(node);
	tf_block_seal(node, TF_NODE, nr);
	assert_int_equal(pwrite(fd, node, sizeof(node), (off_t)(nr * sizeof(node))), sizeof(node));
	err = (struct error){0};
}

static void swap_keys(uint8_t *node)
{
	uint64_t key = tf_node_key(node, 1);

	tf_node_set_key(node, 1, tf_node_key(node, 2));
	tf_node_set_key(node, 2, key);
}

static void point_twice(uint8_t *node)
{
	tf_node_set_value64(node, 2, tf_node_value64(node, 1));
}

static void point_at_itself(uint8_t *node)
{
	tf_node_set_value64(node, 1, tf_block_number(node));
}

static void point_nowhere(uint8_t *node)
{
	tf_node_set_value64(node, 1, UINT64_C(1) << 50);
}

static void damaged_trees_are_an_error(void **state)
{
	static const struct {
		bool leaf;
		void (*change)(uint8_t *node);
	} cases[] = {{true, swap_keys},
		     {false, swap_keys},
		     {false, point_twice},
		     {false, point_at_itself},
		     {false, point_nowhere}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct thin_diff_range *items;
		struct thin_fixture f;
		size_t n;

		thin_fixture_init(&f, 5000, 2 << 20);
		thin_fixture_create(&f, 1);
		thin_fixture_create(&f, 2);
		thin_fixture_map(&f, 1, 0, 2000);
		thin_fixture_commit(&f);
		thin_fixture_close(&f);
		spoil(&f, cases[i].leaf, cases[i].change);
		thin_fixture_open(&f, THIN_FILE_READ);
		assert_int_equal(thin_pool_diff(f.pool, 1, 2, &items, &n, &err), -1);
		assert_error(&err, ERR_INCONSISTENT, "thin 1 beside thin 2: ");
		assert_int_equal(thin_pool_diff(f.pool, 2, 1, &items, &n, &err), -1);
		thin_fixture_release(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_kind_of_difference_is_told_and_merged),
		cmocka_unit_test(nothing_beside_something),
		cmocka_unit_test(devices_that_are_not_there_are_an_error),
		cmocka_unit_test(any_two_devices_compare_like_their_whole_maps),
		cmocka_unit_test(thin_delta_agrees),
		cmocka_unit_test(what_is_shared_is_not_read),
		cmocka_unit_test(trees_of_different_height_share),
		cmocka_unit_test(a_reader_sees_one_state_while_a_writer_commits),
		cmocka_unit_test(damaged_trees_are_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
