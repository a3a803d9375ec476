/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mutation test of the strict check: each field of each kind of metadata block is damaged in each
 * way, and must be told. What may stay untold stands in one table, with the reason.
 */
#include "pkg/thin/file/fsck.h"

#include <stdlib.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "tests/support/cmocka.h"
#include "tests/support/thin_fields.h"
#include "tests/support/thin_sample.h"
#include "tests/support/thin_tools.h"

enum change { PLUS, MINUS, ZERO, ONES, SWAP, OTHER, CHANGES };

static const char *const change_names[CHANGES] = {
	"+ 1", "- 1", "zero", "all ones", "swapped", "another one",
};

struct damage {
	struct thin_sample *s;
	const struct sample_block *block;
	struct thin_field field;
	enum change change;
	uint64_t old, new;
	uint8_t bytes[TF_BLOCK_BYTES]; /* of the damaged block */
};

/* ---- what may stay untold ---- */

static bool always(const struct damage *d)
{
	(void)d;
	return true;
}

static bool lower(const struct damage *d)
{
	return d->new < d->old;
}

static bool swapped(const struct damage *d)
{
	return d->change == SWAP;
}

static bool until_the_pool_s(const struct damage *d)
{
	return d->new <= d->s->sb.time;
}

static bool later(const struct damage *d)
{
	return d->new > d->old && d->new <= TF_TIME_MAX;
}

static bool later_until_the_pool_s(const struct damage *d)
{
	return d->new > d->old && d->new <= d->s->sb.time;
}

static bool lower_but_some(const struct damage *d)
{
	return d->new < d->old && d->new;
}

/* The greatest number at this place of any device. */
static uint64_t greatest_detail(const struct thin_sample *s, unsigned at)
{
	uint64_t most = 0;

	for (size_t i = 0; i < s->n; i++) {
		const struct sample_block *b = &s->blocks[i];

		for (uint32_t k = 0;
		     b->kind == SAMPLE_DETAILS && !b->internal && k < tf_node_entries(b->bytes);
		     k++) {
			uint64_t v = get_le64(tf_node_value_const(b->bytes, k) + at);

			most = v > most ? v : most;
		}
	}
	return most;
}

static bool not_below_any_thin_s(const struct damage *d)
{
	return d->new >= greatest_detail(d->s, 8);
}

static bool in_the_pool_s_past(const struct damage *d)
{
	return d->new <= d->s->sb.transaction_id;
}

static struct tf_device device_of(const struct damage *d)
{
	struct tf_device device;

	tf_device_unpack(tf_node_value_const(d->bytes, d->field.index), &device);
	return device;
}

/* For a swap that of the other one as well, which the tables allow alike. */
static bool times_in_order(const struct damage *d)
{
	struct tf_device device = device_of(d);

	return device.creation_time <= device.snapshotted_time
	       && device.snapshotted_time <= d->s->sb.time;
}

static uint64_t entries_below(const struct thin_sample *s, uint64_t nr)
{
	const struct sample_block *b = thin_sample_find(s, nr);
	uint64_t n = 0;

	if (!b || !b->internal)
		return b ? tf_node_entries(b->bytes) : 0;
	for (uint32_t i = 0; i < tf_node_entries(b->bytes); i++)
		n += entries_below(s, tf_node_value64(b->bytes, i));
	return n;
}

static bool swapped_trees_of_one_size(const struct damage *d)
{
	return d->change == SWAP && entries_below(d->s, d->old) == entries_below(d->s, d->new);
}

/* A node that says where keys of the damaged one begin and end: is the key still inside? */
static bool inside(const struct sample_block *parent, uint64_t child, uint64_t key)
{
	for (uint32_t i = 0; i < tf_node_entries(parent->bytes); i++) {
		if (tf_node_value64(parent->bytes, i) != child)
			continue;
		return key >= tf_node_key(parent->bytes, i)
		       && (i + 1 == tf_node_entries(parent->bytes)
			   || key < tf_node_key(parent->bytes, i + 1));
	}
	return true;
}

static bool in_order_and_bounds(const struct damage *d)
{
	uint32_t i = d->field.index, n = tf_node_entries(d->block->bytes);

	if (d->change == SWAP || d->new >= INT64_MAX / 65536)
		return false;
	if ((i > 0 && tf_node_key(d->bytes, i - 1) >= d->new)
	    || (i + 1 < n && tf_node_key(d->bytes, i + 1) <= d->new))
		return false;
	for (size_t k = 0; k < d->s->n; k++)
		if (d->s->blocks[k].kind == d->block->kind && d->s->blocks[k].internal
		    && !inside(&d->s->blocks[k], d->block->nr, d->new))
			return false;
	return true;
}

/* The lower bound of a child sinks, but not below what is left of it. */
static bool still_a_bound(const struct damage *d)
{
	uint32_t i = d->field.index;
	const struct sample_block *left;

	if (!d->block->internal || d->change == SWAP || d->new > d->old)
		return false;
	if (i == 0)
		return true;
	left = thin_sample_find(d->s, tf_node_value64(d->block->bytes, i - 1));
	return tf_node_key(left->bytes, tf_node_entries(left->bytes) - 1) < d->new;
}

static bool key_may_be(const struct damage *d)
{
	return d->block->internal ? still_a_bound(d) : in_order_and_bounds(d);
}

#define ANY SAMPLE_KINDS

static const struct untold {
	enum sample_kind kind;
	const char *name;
	bool (*may)(const struct damage *d);
	const char *why;
} untold[] = {
	{ANY, "data root tail", always, "kernels leave rests of their memory there"},
	{ANY, "metadata root tail", always, "kernels leave rests of their memory there"},
	{ANY, "rest", always, "no fields yet; whoever commits keeps what is there"},
	{ANY, "uuid", always, "a label, for nobody but us"},
	{ANY, "unused key", always, "behind nr_entries: what was removed stays there"},
	{ANY, "unused value", always, "behind nr_entries: what was removed stays there"},
	{ANY, "tail", always, "behind the last value: never written, never read"},
	{SAMPLE_SUPERBLOCK, "time", later, "thins of later times can have been deleted"},
	{SAMPLE_SUPERBLOCK, "transaction_id", not_below_any_thin_s, "the user's own number"},
	{SAMPLE_SUPERBLOCK, "metadata_nr_blocks", lower_but_some,
	 "as on the day of formatting: growing does not change it"},
	{SAMPLE_HELD, "time", later_until_the_pool_s, "it can have been made then"},
	{SAMPLE_HELD, "transaction_id", in_the_pool_s_past, "it can have been made then"},
	{SAMPLE_HELD, "metadata_nr_blocks", always, "stale in the pool, unread in the copy"},
	{SAMPLE_INDEX, "none_free_before", lower, "a lower bound, which kernels let lag"},
	{SAMPLE_DATA_INDEX, "none_free_before", lower, "a lower bound, which kernels let lag"},
	{SAMPLE_TOP, "key", still_a_bound, "the key of a child is a lower bound"},
	{SAMPLE_DETAILS, "key", still_a_bound, "the key of a child is a lower bound"},
	{SAMPLE_DATA_OVERFLOW, "key", still_a_bound, "the key of a child is a lower bound"},
	{SAMPLE_MAPPING, "key", key_may_be, "a thin may map any block to any other"},
	{SAMPLE_TOP, "root", swapped_trees_of_one_size, "a tree does not say whose it is"},
	{SAMPLE_MAPPING, "data_block", swapped, "a thin may map any block to any other"},
	/* That what is shared must look shared is for fsck_share_test. */
	{SAMPLE_MAPPING, "time", until_the_pool_s, "any time that has been"},
	{SAMPLE_DETAILS, "creation_time", times_in_order, "any time that has been"},
	{SAMPLE_DETAILS, "snapshotted_time", times_in_order, "any time that has been"},
	{SAMPLE_DETAILS, "transaction_id", in_the_pool_s_past, "it can have been made then"},
};

static bool may_stay_untold(const struct damage *d)
{
	for (size_t i = 0; i < ARRAY_SIZE(untold); i++)
		if ((untold[i].kind == ANY || untold[i].kind == d->block->kind)
		    && strcmp(untold[i].name, d->field.name) == 0 && untold[i].may(d))
			return true;
	return false;
}

/* ---- damage ---- */

static uint64_t next_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static bool is_pointer(const struct thin_field *f)
{
	return strstr(f->name, "root") || !strcmp(f->name, "child") || !strcmp(f->name, "bitmap");
}

/* The element behind this one, or before the last one. */
static struct thin_field neighbour(const struct thin_field *f)
{
	struct thin_field other = *f;
	int step = f->index + 1 < f->n ? 1 : -1;

	other.index = (unsigned)((int)f->index + step);
	other.offset = (unsigned)((int)f->offset + step * (int)f->stride);
	if (!f->stride) { /* counts of two bits */
		other.offset = 16 + other.index / 4;
		other.shift = 2 * (other.index % 4);
	}
	return other;
}

/* Something that stands in such a field elsewhere. */
static uint64_t other_value(const struct damage *d, uint64_t *seed)
{
	struct thin_field f = d->field;

	if (is_pointer(&f))
		return d->s->blocks[next_random(seed) % d->s->n].nr;
	if (f.n > 1 && f.stride)
		f.offset += (unsigned)(next_random(seed) % (f.n - f.index)) * f.stride;
	for (size_t i = 0; f.n == 1 && i < d->s->n; i++) {
		const struct sample_block *b =
			&d->s->blocks[(i + next_random(seed) % d->s->n) % d->s->n];

		if (thin_sample_type(b->kind) == thin_sample_type(d->block->kind))
			return thin_field_get(&f, b->bytes);
	}
	return thin_field_get(&f, d->block->bytes);
}

/* False: nothing is different. */
static bool make_damage(struct damage *d, uint64_t *seed)
{
	struct thin_field next = neighbour(&d->field);
	uint64_t ones = thin_field_ones(&d->field);

	memcpy(d->bytes, d->block->bytes, sizeof(d->bytes));
	d->old = thin_field_get(&d->field, d->bytes);
	switch (d->change) {
	case PLUS:
		d->new = (d->old + 1) & ones;
		break;
	case MINUS:
		d->new = (d->old - 1) & ones;
		break;
	case ZERO:
		d->new = 0;
		break;
	case ONES:
		d->new = ones;
		break;
	case SWAP:
		d->new = d->field.n > 1 ? thin_field_get(&next, d->bytes) : d->old;
		if (d->field.n > 1)
			thin_field_set(&next, d->bytes, d->old);
		break;
	default:
		d->new = other_value(d, seed);
		break;
	}
	thin_field_set(&d->field, d->bytes, d->new);
	if (strcmp(d->field.name, "csum") != 0)
		put_le32(d->bytes, tf_block_checksum(d->bytes, thin_sample_type(d->block->kind)));
	return d->new != d->old;
}

static void show(const struct damage *d, const char *what)
{
	print_error("%s %llu%s: %s[%u] %s (%llu to %llu): %s\n",
		    thin_sample_kind_name(d->block->kind), (unsigned long long)d->block->nr,
		    d->block->internal ? " (internal)" : "", d->field.name, d->field.index,
		    change_names[d->change], (unsigned long long)d->old, (unsigned long long)d->new,
		    what);
}

/* ---- repair of what was found ---- */

struct counts {
	unsigned tried, untold, repaired, refused, wrong;
};

static bool is_map(enum sample_kind kind)
{
	return kind == SAMPLE_INDEX || kind == SAMPLE_METADATA_BITMAP || kind == SAMPLE_DATA_BITMAP
	       || kind == SAMPLE_DATA_INDEX || kind == SAMPLE_METADATA_OVERFLOW
	       || kind == SAMPLE_DATA_OVERFLOW;
}

/* A block of the old maps that cannot be found any more, neither by them nor by their counts. */
static bool may_be_lost(const struct thin_sample *s, enum sample_kind damaged, size_t i)
{
	return (damaged == SAMPLE_SUPERBLOCK || damaged == SAMPLE_INDEX
		|| damaged == SAMPLE_METADATA_BITMAP)
	       && is_map(s->blocks[i].kind);
}

static bool nothing_overwritten(const struct thin_sample *s, enum sample_kind damaged,
				const uint8_t *before)
{
	cleanup_free uint8_t *now = thin_sample_blocks(s);

	for (size_t i = 1; i < s->n; i++)
		if (memcmp(before + i * TF_BLOCK_BYTES, now + i * TF_BLOCK_BYTES, TF_BLOCK_BYTES)
			    != 0
		    && !may_be_lost(s, damaged, i))
			return false;
	return true;
}

static const char *try_repair(struct thin_sample *s, enum sample_kind damaged, unsigned round)
{
	cleanup(thin_sample_content_release) struct sample_content before = {0}, after = {0};
	cleanup(thin_findings_release) struct thin_findings left = {0};
	cleanup_free uint8_t *blocks = thin_sample_blocks(s);
	cleanup_free char *meta = xasprintf("%s/meta", s->dir);

	thin_sample_content(s, &before);
	if (thin_sample_repair(s, true) != THIN_REPAIR_DONE)
		return "is repairable and was not repaired";
	thin_sample_check(s, &left);
	if (left.total) {
		thin_tools_show(&left);
		return "was repaired and is not clean";
	}
	thin_sample_content(s, &after);
	if (!thin_sample_content_equal(&before, &after))
		return "was repaired and holds something else now";
	if (!nothing_overwritten(s, damaged, blocks))
		return "was repaired over blocks that were in use";
	if (round % 50 == 0 && thin_tools_check_major() >= 0 && thin_tools_check(meta) != 0)
		return "was repaired and thin_check is not content";
	return NULL;
}

/* The files hold damage: what is wrong about the answer to it, or NULL. */
static const char *judge(struct thin_sample *s, enum sample_kind damaged, bool may_be_clean,
			 struct counts *c)
{
	cleanup(thin_findings_release) struct thin_findings found = {0};

	c->tried++;
	thin_sample_check(s, &found);
	if (!found.total) {
		c->untold++;
		return may_be_clean ? NULL : "is not told";
	}
	if (found.unrepairable) {
		c->refused++;
		return thin_sample_repair(s, false) == THIN_REPAIR_REFUSED
			       ? NULL
			       : "cannot be repaired and was not refused";
	}
	return try_repair(s, damaged, c->repaired++);
}

/* ---- all of them ---- */

struct trial {
	struct thin_sample *s;
	const struct sample_block *block;
	struct counts counts;
	uint64_t seed;
	unsigned most; /* elements of an array that are tried */
};

/* Bytes that nobody reads: the ends are enough. */
static bool is_space(const struct thin_field *f)
{
	return strstr(f->name, "unused ") || strstr(f->name, "tail") || !strcmp(f->name, "rest");
}

static bool is_picked(struct trial *t, const struct thin_field *f)
{
	if (is_space(f))
		return f->index == 0 || f->index + 1 == f->n;
	return f->n <= t->most / 2 || f->index < 2 || f->index + 2 >= f->n
	       || next_random(&t->seed) % f->n < t->most / 2;
}

static void try_field(const struct thin_field *f, void *arg)
{
	struct trial *t = arg;
	struct damage d = {.s = t->s, .block = t->block, .field = *f};

	if (!is_picked(t, f))
		return;
	for (d.change = 0; d.change < CHANGES; d.change++) {
		const char *wrong;

		if (!make_damage(&d, &t->seed))
			continue;
		thin_sample_put(t->s, d.block->nr, d.bytes);
		wrong = judge(t->s, d.block->kind, may_stay_untold(&d), &t->counts);
		thin_sample_restore(t->s);
		if (!wrong)
			continue;
		t->counts.wrong++;
		show(&d, wrong);
	}
}

/* Of many alike a few are enough: the first and the last, and some between. */
static bool is_picked_block(const struct thin_sample *s, size_t i)
{
	const struct sample_block *b = &s->blocks[i];
	size_t alike = 0, before = 0;

	for (size_t k = 0; k < s->n; k++) {
		bool same = s->blocks[k].kind == b->kind && s->blocks[k].internal == b->internal
			    && tf_node_entries(s->blocks[k].bytes) / 32
				       == tf_node_entries(b->bytes) / 32;

		alike += same;
		before += same && k < i;
	}
	return thin_sample_type(b->kind) != TF_NODE || before == 0 || before + 1 == alike
	       || before % 64 == 9;
}

static void each_field_damaged_in_each_way_is_told_and_repaired_or_refused(void **state)
{
	struct thin_sample *s = *state;
	struct trial t = {.s = s, .seed = 88172645463325252u, .most = 6};
	const char *rounds = getenv("THINPULL_ROUNDS");
	unsigned kinds = 0;

	if (rounds)
		t.most = (unsigned)strtoul(rounds, NULL, 10);
	for (size_t i = 0; i < s->n; i++) {
		if (!is_picked_block(s, i))
			continue;
		kinds |= 1u << s->blocks[i].kind << (s->blocks[i].internal ? 16 : 0);
		t.block = &s->blocks[i];
		thin_fields_each(t.block, try_field, &t);
	}
	print_message("%u damages: %u may stay untold, %u repaired, %u refused\n", t.counts.tried,
		      t.counts.untold, t.counts.repaired, t.counts.refused);
	assert_int_equal(t.counts.wrong, 0);
	assert_int_equal(kinds & 0xffff, (1u << SAMPLE_KINDS) - 1);
	assert_int_equal(kinds >> 16, 1u << SAMPLE_TOP | 1u << SAMPLE_MAPPING | 1u << SAMPLE_DETAILS
					      | 1u << SAMPLE_DATA_OVERFLOW);
}

/* ---- several at once ---- */

struct pick {
	struct thin_field *fields;
	size_t n, room;
};

static void add_field(const struct thin_field *f, void *arg)
{
	struct pick *pick = arg;

	if (is_space(f))
		return;
	ALLOC_GROW(pick->fields, pick->n + 1, pick->room);
	pick->fields[pick->n++] = *f;
}

/* One that must be told. */
static void damage_at_random(struct trial *t, bool maps_only)
{
	struct damage d = {.s = t->s};
	struct pick pick = {0};

	do
		d.block = &t->s->blocks[next_random(&t->seed) % t->s->n];
	while (maps_only && !is_map(d.block->kind));
	thin_fields_each(d.block, add_field, &pick);
	do {
		d.field = pick.fields[next_random(&t->seed) % pick.n];
		d.change = (enum change)(next_random(&t->seed) % CHANGES);
	} while (!make_damage(&d, &t->seed) || may_stay_untold(&d));
	free(pick.fields);
	thin_sample_put(t->s, d.block->nr, d.bytes);
}

static void much_damage_at_once_is_told_and_repaired_or_refused(void **state)
{
	struct trial t = {.s = *state, .seed = 4711};
	const char *rounds = getenv("THINPULL_ROUNDS"), *seed = getenv("THINPULL_SEED");
	unsigned long n = rounds ? strtoul(rounds, NULL, 10) : 150;

	if (seed)
		t.seed += strtoul(seed, NULL, 10);
	for (unsigned long i = 0; i < n; i++) {
		uint64_t before = t.seed;
		const char *wrong;

		for (uint64_t k = next_random(&t.seed) % 5; k < 6; k++)
			damage_at_random(&t, i % 2);
		wrong = judge(t.s, SAMPLE_SUPERBLOCK, false, &t.counts);
		thin_sample_restore(t.s);
		if (!wrong)
			continue;
		t.counts.wrong++;
		print_error("round %lu, seed %llu: %s\n", i, (unsigned long long)before, wrong);
	}
	print_message("%u repaired, %u refused\n", t.counts.repaired, t.counts.refused);
	assert_int_equal(t.counts.wrong, 0);
	assert_true(t.counts.repaired && t.counts.refused);
}

/* ---- the table of fields is whole ---- */

static void mark_bits(const struct thin_field *f, void *arg)
{
	uint8_t *seen = arg;

	for (unsigned i = 0; i < f->bits; i++) {
		unsigned bit = f->offset * 8 + f->shift + i;

		assert_true(bit < TF_BLOCK_BYTES * 8);
		assert_int_equal(seen[bit], 0);
		seen[bit] = 1;
	}
}

static void every_bit_of_every_block_belongs_to_one_field(void **state)
{
	struct thin_sample *s = *state;
	cleanup_free uint8_t *seen = xmalloc(TF_BLOCK_BYTES * 8);

	for (size_t i = 0; i < s->n; i++) {
		memset(seen, 0, TF_BLOCK_BYTES * 8);
		thin_fields_each(&s->blocks[i], mark_bits, seen);
		assert_null(memchr(seen, 0, TF_BLOCK_BYTES * 8));
	}
}

static int setup(void **state)
{
	static struct thin_sample sample;

	*state = &sample;
	thin_sample_make(&sample, 16900);
	return 0;
}

static int teardown(void **state)
{
	thin_sample_release(*state);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_bit_of_every_block_belongs_to_one_field),
		cmocka_unit_test(each_field_damaged_in_each_way_is_told_and_repaired_or_refused),
		cmocka_unit_test(much_damage_at_once_is_told_and_repaired_or_refused),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
