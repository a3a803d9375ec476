/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names come and go in directories of all sizes, with a hash that the test makes up: names are of
 * the form "0123abcd-..." where the digits are the hash. What the kernel's hash gives is judged by
 * e2fsck and the kernel in writer_dir_put_test.
 */
#include "pkg/ext4/directory_edit.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "pkg/base/alloc.h"
#include "tests/support/cmocka.h"
#include "tests/support/dir_model.h"

enum { LONG = 250 };

/* In place of the real one, see directory_hash.c. */
uint32_t ext4_dir_hash(const struct ext4_dir_owner *owner, const char *name, size_t name_len,
		       uint32_t *ret_minor)
{
	uint32_t hash = 0, minor = owner->hash_seed[0];

	for (size_t i = 0; i < name_len && i < 8; i++) {
		char c = name[i];

		hash = hash << 4 | (uint32_t)(c >= 'a' ? c - 'a' + 10 : c - '0');
	}
	for (size_t i = 8; i < name_len; i++)
		minor = (minor ^ (uint8_t)name[i]) * 16777619;
	if (ret_minor)
		*ret_minor = minor & 0xff; /* ties are broken by the name, too */
	return hash & ~1U;
}

static uint64_t random_state;

static uint32_t random_below(uint32_t n)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)((random_state >> 33) % n);
}

/* A list of changes and the memory of its names. */
struct list {
	struct ext4_dir_entry *items;
	size_t n, room;
};

static void list_release(struct list *l)
{
	for (size_t i = 0; i < l->n; i++)
		free((char *)(uintptr_t)l->items[i].name);
	free(l->items);
}

static void add(struct list *l, uint32_t hash, uint32_t number, size_t len, uint32_t inode)
{
	char name[EXT4_NAME_MAX + 1];
	size_t used = (size_t)snprintf(name, sizeof(name), "%08x-%x", hash & ~1U, number);

	if (used < len)
		memset(name + used, 'x', len - used);
	ALLOC_GROW(l->items, l->n + 1, l->room);
	l->items[l->n++] = (struct ext4_dir_entry){.name = xmemdup(name, used < len ? len : used),
						   .name_len = (uint8_t)(used < len ? len : used),
						   .type = EXT4_DIR_REGULAR,
						   .inode = inode};
}

/* n names with hashes spread evenly over a range. */
static void add_spread(struct list *l, uint32_t first, uint32_t last, size_t n, size_t len,
		       uint32_t inode)
{
	for (size_t i = 0; i < n; i++)
		add(l, first + (uint32_t)((uint64_t)(last - first) * i / n), inode, len, inode);
}

static void start(struct dir_model *m, const struct list *l)
{
	dir_model_init(m);
	dir_model_list(m, l->items, l->n);
	dir_model_encode(m);
	dir_model_check(m);
}

static int edit(struct dir_model *m, const struct list *l)
{
	struct error err = {0};
	int rc = dir_model_edit(m, l->items, l->n, &err);

	if (rc < 0)
		fail_msg("%s", err.cause);
	return rc;
}

/* --- against a model -------------------------------------------------------------------------- */

/* How a run of random edits goes. */
struct habit {
	uint32_t hashes; /* how many different ones */
	size_t len_min, len_max;
	size_t first;		 /* names at the start */
	unsigned edits, changes; /* at most in each */
	unsigned removed;	 /* percent */
};

static uint32_t random_hash(const struct habit *h)
{
	return (uint32_t)((UINT64_C(1) << 32) / h->hashes * random_below(h->hashes));
}

static void random_changes(const struct dir_model *m, const struct habit *h, size_t n,
			   struct list *ret)
{
	cleanup_free uint8_t *taken = xcalloc(m->n + 1, 1);
	static uint32_t number;

	for (size_t i = 0; i < n; i++) {
		size_t at = m->n ? random_below((uint32_t)m->n) : 0;
		size_t len = h->len_min + random_below((uint32_t)(h->len_max - h->len_min + 1));

		number++;
		if (m->n && !taken[at] && random_below(100) < h->removed + 10) {
			const struct dir_model_name *old = &m->names[at];
			bool gone = random_below(h->removed + 10) >= 10;

			taken[at] = 1;
			ALLOC_GROW(ret->items, ret->n + 1, ret->room);
			ret->items[ret->n++] = (struct ext4_dir_entry){
				.name = xmemdup(old->name, old->len),
				.name_len = old->len,
				.type = EXT4_DIR_SYMLINK,
				.inode = gone ? 0 : 1000 + number,
			};
		} else {
			add(ret, random_hash(h), number, len, 1000 + number);
		}
	}
}

static void run(const struct habit *h, size_t *edited)
{
	struct dir_model m;
	struct list l = {0};

	dir_model_init(&m);
	random_changes(&m, h, h->first, &l);
	dir_model_list(&m, l.items, l.n);
	dir_model_encode(&m);
	dir_model_check(&m);
	list_release(&l);
	for (unsigned i = 0; i < h->edits; i++) {
		int rc;

		l = (struct list){0};
		random_changes(&m, h, 1 + random_below(h->changes), &l);
		rc = edit(&m, &l);
		if (rc == 1)
			dir_model_encode(&m);
		*edited += rc == 0;
		dir_model_check(&m);
		list_release(&l);
	}
	dir_model_release(&m);
}

static void random_edits_agree_with_a_list(void **state)
{
	static const struct habit habits[] = {
		{1U << 31, 9, 20, 200, 60, 30, 20},
		{1U << 31, 9, 255, 1000, 60, 100, 30},
		{1U << 31, 200, 255, 9000, 12, 3000, 5},
		{1U << 31, 9, 255, 2000, 40, 300, 60},
		{4, 9, 255, 300, 60, 60, 40},
		{1, 9, 255, 300, 40, 60, 40},
		{20, 100, 255, 1000, 40, 100, 30},
		{300, 9, 40, 3000, 40, 200, 50},
	};
	size_t rounds =
		getenv("THINPULL_ROUNDS") ? strtoul(getenv("THINPULL_ROUNDS"), NULL, 10) : 1;
	size_t edited = 0;

	(void)state;
	random_state = getenv("THINPULL_SEED") ? strtoul(getenv("THINPULL_SEED"), NULL, 10) : 1;
	while (rounds--)
		for (size_t i = 0; i < ARRAY_SIZE(habits); i++)
			run(&habits[i], &edited);
	assert_true(edited > 150);
}

static void the_order_of_changes_does_not_matter(void **state)
{
	struct dir_model a, b;
	struct list first = {0}, second = {0};

	(void)state;
	add_spread(&first, 0, UINT32_MAX, 1000, 40, 1);
	add_spread(&second, 0, UINT32_MAX, 300, 50, 2);
	start(&a, &first);
	start(&b, &first);
	assert_int_equal(edit(&a, &second), 0);
	for (size_t i = 0; i < second.n / 2; i++) {
		struct ext4_dir_entry e = second.items[i];

		second.items[i] = second.items[second.n - 1 - i];
		second.items[second.n - 1 - i] = e;
	}
	assert_int_equal(edit(&b, &second), 0);
	assert_int_equal(a.source.blocks, b.source.blocks);
	assert_memory_equal(a.blocks, b.blocks, (size_t)a.source.blocks * EXT4_BLOCK_BYTES);
	dir_model_release(&a);
	dir_model_release(&b);
	list_release(&first);
	list_release(&second);
}

/* --- what is read and written ----------------------------------------------------------------- */

static void one_name_costs_its_leaf(void **state)
{
	struct dir_model m;
	struct list l = {0}, one = {0};

	(void)state;
	add_spread(&l, 0, UINT32_MAX, 20000, LONG, 1);
	start(&m, &l);
	assert_int_equal(dir_model_levels(&m), 1);
	add(&one, 0x12345678, 7, 20, 9);
	m.reads = 0;
	assert_int_equal(edit(&m, &one), 0);
	assert_int_equal(m.reads, 3); /* root, node, leaf */
	assert_int_equal(m.changed, 1);
	assert_int_equal(m.added, 0);

	/* and what leads to it, if it has no room: this node is full, too */
	list_release(&one);
	one = (struct list){0};
	add_spread(&one, 0x12345678, 0x12345700, 5, LONG, 10);
	m.reads = 0;
	assert_int_equal(edit(&m, &one), 0);
	assert_int_equal(m.reads, 3);
	assert_int_equal(m.changed, 3);
	assert_int_equal(m.added, 2);
	dir_model_check(&m);
	list_release(&one);
	list_release(&l);
	dir_model_release(&m);
}

static void nothing_to_do_writes_nothing(void **state)
{
	struct dir_model m;
	struct list l = {0}, none = {0};

	(void)state;
	add_spread(&l, 0, UINT32_MAX, 1000, 40, 1);
	start(&m, &l);
	assert_int_equal(edit(&m, &none), 0);
	assert_int_equal(m.changed + m.added, 0);
	dir_model_release(&m);
	list_release(&l);
}

static void many_names_for_one_leaf_part_it_at_once(void **state)
{
	struct dir_model m;
	struct list l = {0}, more = {0};

	(void)state;
	add_spread(&l, 0, UINT32_MAX, 20000, LONG, 1);
	start(&m, &l);
	add_spread(&more, 0x40000000, 0x40000fff, 2000, LONG, 2);
	m.reads = 0;
	assert_int_equal(edit(&m, &more), 0);
	assert_int_equal(m.reads, 3);
	assert_in_range(m.added, 2000 / 14, 2000 / 12);
	dir_model_check(&m);
	dir_model_release(&m);
	list_release(&l);
	list_release(&more);
}

/* --- names that collide ------------------------------------------------------------------------ */

static void one_hash_may_fill_many_leaves(void **state)
{
	struct dir_model m;
	struct list l = {0}, same = {0}, one = {0};
	size_t leaves, empty;

	(void)state;
	add_spread(&l, 0, UINT32_MAX, 20000, 60, 1);
	start(&m, &l);
	for (uint32_t i = 0; i < 2000; i++)
		add(&same, 0x80000000, i, LONG, 5);
	assert_int_equal(edit(&m, &same), 0);
	dir_model_check(&m);

	/* one more of them reads them all, and writes one */
	add(&one, 0x80000000, 3000, 20, 6);
	m.reads = 0;
	assert_int_equal(edit(&m, &one), 0);
	assert_in_range(m.reads, 2000 / 14, 2000 / 12);
	assert_int_equal(m.changed, 1);
	dir_model_check(&m);

	/* all of them go; the leaves stay for others */
	for (size_t i = 0; i < same.n; i++)
		same.items[i].inode = 0;
	assert_int_equal(edit(&m, &same), 0);
	dir_model_check(&m);
	leaves = dir_model_leaves(&m, &empty);
	assert_in_range(empty, 2000 / 14, 2000 / 12);
	assert_true(leaves > empty);
	dir_model_release(&m);
	list_release(&l);
	list_release(&same);
	list_release(&one);
}

static double seconds_for(uint32_t n)
{
	struct list l = {0}, same = {0};
	struct dir_model m;
	clock_t before;

	add_spread(&l, 0, UINT32_MAX, 3 * n, 20, 1);
	start(&m, &l);
	for (uint32_t i = 0; i < n; i++)
		add(&same, 0x80000000, i, 20, 5);
	before = clock();
	assert_int_equal(edit(&m, &same), 0);
	for (size_t i = 0; i < same.n; i++)
		same.items[i].inode = 0;
	assert_int_equal(edit(&m, &same), 0);
	before = clock() - before;
	dir_model_check(&m);
	dir_model_release(&m);
	list_release(&l);
	list_release(&same);
	return (double)before / CLOCKS_PER_SEC;
}

/* 16 times as many take a little more than 16 times as long; 256 times if it were quadratic. */
static void names_of_one_hash_cost_no_more_than_sorting_them(void **state)
{
	double few, many;

	(void)state;
	few = seconds_for(4000);
	many = seconds_for(64000);
	assert_true(many < 80 * few + 0.1);
}

/* --- growing and shrinking --------------------------------------------------------------------- */

/* From a few leaves to thousands in many small edits: never as a whole after the first ones. */
static void a_directory_grows_from_three_blocks_to_thousands(void **state)
{
	struct dir_model m;
	struct list l = {0};
	size_t edits = 0, anew = 0, leaves, empty;

	(void)state;
	random_state = 3;
	add_spread(&l, 0, UINT32_MAX, 20, LONG, 1);
	start(&m, &l);
	list_release(&l);
	for (; m.source.blocks < 3000; edits++) {
		size_t n = 1 + m.n / 10;

		l = (struct list){0};
		for (size_t i = 0; i < n; i++)
			add(&l, random_below(1U << 31) << 1, (uint32_t)(m.n + i), LONG, 1);
		if (edit(&m, &l) == 1) {
			anew++;
			dir_model_encode(&m);
		}
		if (edits % 16 == 0)
			dir_model_check(&m);
		list_release(&l);
	}
	dir_model_check(&m);
	assert_int_equal(dir_model_levels(&m), 1);
	leaves = dir_model_leaves(&m, &empty);
	assert_int_equal(empty, 0);
	assert_true(m.n > leaves * 9); /* of 15 that a leaf holds */
	assert_true(edits > 60 && anew < 3);
	dir_model_release(&m);
}

/* Every n-th name goes. */
static int remove_each(struct dir_model *m, const struct list *l, size_t n)
{
	struct list gone = {xcalloc(l->n, sizeof(l->items[0])), 0, l->n};
	int rc;

	for (size_t i = 0; i < l->n; i += n) {
		gone.items[gone.n] = l->items[i];
		gone.items[gone.n++].inode = 0;
	}
	rc = edit(m, &gone);
	free(gone.items);
	return rc;
}

static void a_directory_that_loses_most_names_is_made_anew(void **state)
{
	struct dir_model m;
	struct list l = {0}, part = {0};
	size_t leaves, empty;

	(void)state;
	add_spread(&l, 0, UINT32_MAX, 3000, 60, 1);
	start(&m, &l);
	/* a third of the leaves, all empty: they stay */
	part = (struct list){l.items, 1000, 0};
	assert_int_equal(remove_each(&m, &part, 1), 0);
	dir_model_check(&m);
	leaves = dir_model_leaves(&m, &empty);
	assert_in_range(empty, leaves / 4, leaves / 3);
	/* and get names again */
	assert_int_equal(edit(&m, &part), 0);
	dir_model_check(&m);
	(void)dir_model_leaves(&m, &empty);
	assert_int_equal(empty, 0);
	/* each third name: leaves are more than half full; then all others */
	assert_int_equal(remove_each(&m, &l, 3), 0);
	dir_model_check(&m);
	part = (struct list){l.items + 1, l.n - 1, 0};
	dir_model_list(&m, l.items, l.n);
	dir_model_encode(&m);
	assert_int_equal(remove_each(&m, &l, 1), 1);
	dir_model_release(&m);
	list_release(&l);
}

/* Some names in each session: the leaves get empty together, and so the directory small. */
static void so_is_one_that_loses_them_one_by_one(void **state)
{
	struct dir_model m;
	struct list l = {0};
	uint32_t before;
	unsigned edits = 0;

	(void)state;
	random_state = 4;
	add_spread(&l, 0, UINT32_MAX, 3000, 60, 1);
	start(&m, &l);
	before = m.source.blocks;
	list_release(&l);
	for (int rc = 0; rc == 0; edits++) {
		const struct habit h = {1, 9, 9, 0, 0, 0, 90};

		l = (struct list){0};
		random_changes(&m, &h, m.n / 8, &l);
		rc = edit(&m, &l);
		list_release(&l);
	}
	assert_in_range(edits, 3, 12);
	dir_model_encode(&m);
	dir_model_check(&m);
	assert_true(m.source.blocks < before / 2);
	dir_model_release(&m);
}

static void names_worth_half_the_directory_make_it_anew(void **state)
{
	struct dir_model m;
	struct list l = {0}, more = {0};

	(void)state;
	add_spread(&l, 0, UINT32_MAX, 1000, 60, 1);
	start(&m, &l);
	add_spread(&more, 0, UINT32_MAX, 700, 60, 2);
	assert_int_equal(edit(&m, &more), 1);
	more.n = 300;
	dir_model_release(&m);
	start(&m, &l);
	assert_int_equal(edit(&m, &more), 0);
	dir_model_check(&m);
	more.n = 700; /* all have memory */
	dir_model_release(&m);
	list_release(&l);
	list_release(&more);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_edits_agree_with_a_list),
		cmocka_unit_test(the_order_of_changes_does_not_matter),
		cmocka_unit_test(one_name_costs_its_leaf),
		cmocka_unit_test(nothing_to_do_writes_nothing),
		cmocka_unit_test(many_names_for_one_leaf_part_it_at_once),
		cmocka_unit_test(one_hash_may_fill_many_leaves),
		cmocka_unit_test(names_of_one_hash_cost_no_more_than_sorting_them),
		cmocka_unit_test(a_directory_grows_from_three_blocks_to_thousands),
		cmocka_unit_test(a_directory_that_loses_most_names_is_made_anew),
		cmocka_unit_test(so_is_one_that_loses_them_one_by_one),
		cmocka_unit_test(names_worth_half_the_directory_make_it_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
