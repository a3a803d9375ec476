/* SPDX-License-Identifier: Apache-2.0 */
/* The tables. Offsets are numbers here, as the format has them, and not those of format.h. */
#include "tests/support/thin_fields.h"

#include <string.h>

/* One line: n elements of size bytes (8 bits if 0), one each stride bytes. */
struct line {
	const char *name;
	unsigned offset, width, n, stride;
};

static const struct line superblock[] = {
	{"csum", 0, 4, 1, 0},
	{"flags", 4, 4, 1, 0},
	{"blocknr", 8, 8, 1, 0},
	{"uuid", 16, 1, 16, 1},
	{"magic", 32, 8, 1, 0},
	{"version", 40, 4, 1, 0},
	{"time", 44, 4, 1, 0},
	{"transaction_id", 48, 8, 1, 0},
	{"held_root", 56, 8, 1, 0},
	{"data nr_blocks", 64, 8, 1, 0},
	{"data nr_allocated", 72, 8, 1, 0},
	{"data bitmap_root", 80, 8, 1, 0},
	{"data overflow_root", 88, 8, 1, 0},
	{"data root tail", 96, 8, 12, 8},
	{"metadata nr_blocks", 192, 8, 1, 0},
	{"metadata nr_allocated", 200, 8, 1, 0},
	{"metadata bitmap_root", 208, 8, 1, 0},
	{"metadata overflow_root", 216, 8, 1, 0},
	{"metadata root tail", 224, 8, 12, 8},
	{"mapping_root", 320, 8, 1, 0},
	{"details_root", 328, 8, 1, 0},
	{"data_block_size", 336, 4, 1, 0},
	{"metadata_block_size", 340, 4, 1, 0},
	{"metadata_nr_blocks", 344, 8, 1, 0},
	{"compat_flags", 352, 4, 1, 0},
	{"compat_ro_flags", 356, 4, 1, 0},
	{"incompat_flags", 360, 4, 1, 0},
	{"rest", 364, 4, 933, 4},
	{0},
};

static const struct line bitmap[] = {
	{"csum", 0, 4, 1, 0},
	{"unused", 4, 4, 1, 0},
	{"blocknr", 8, 8, 1, 0},
	{0}, /* and the counts */
};

static const struct line index_block[] = {
	{"csum", 0, 4, 1, 0},
	{"padding", 4, 4, 1, 0},
	{"blocknr", 8, 8, 1, 0},
	{"bitmap", 16, 8, 255, 16},
	{"nr_free", 24, 4, 255, 16},
	{"none_free_before", 28, 4, 255, 16},
	{0},
};

static const struct line node[] = {
	{"csum", 0, 4, 1, 0},	      {"flags", 4, 4, 1, 0},
	{"blocknr", 8, 8, 1, 0},      {"nr_entries", 16, 4, 1, 0},
	{"max_entries", 20, 4, 1, 0}, {"value_size", 24, 4, 1, 0},
	{"padding", 28, 4, 1, 0},     {0}, /* and keys and values */
};

struct walk {
	void (*fn)(const struct thin_field *field, void *arg);
	void *arg;
};

static void array(const struct walk *w, const char *name, unsigned offset, unsigned width,
		  unsigned n, unsigned stride)
{
	for (unsigned i = 0; i < n; i++) {
		struct thin_field f = {.name = name,
				       .offset = offset + i * stride,
				       .width = width,
				       .bits = 8 * width,
				       .index = i,
				       .n = n,
				       .stride = stride};

		w->fn(&f, w->arg);
	}
}

static void lines(const struct walk *w, const struct line *table)
{
	for (const struct line *l = table; l->name; l++)
		array(w, l->name, l->offset, l->width, l->n, l->stride);
}

static void bits(const struct walk *w, const char *name, unsigned offset, unsigned width,
		 unsigned shift, unsigned n_bits, unsigned index, unsigned n, unsigned stride)
{
	struct thin_field f = {name, offset, width, shift, n_bits, index, n, stride};

	w->fn(&f, w->arg);
}

static void mappings(const struct walk *w, unsigned at, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		bits(w, "time", at + 8 * i, 8, 0, 24, i, n, 8);
		bits(w, "data_block", at + 8 * i, 8, 24, 40, i, n, 8);
	}
}

/* Values of a leaf; returns their size. */
static unsigned values(const struct walk *w, enum sample_kind kind, unsigned at, unsigned n)
{
	switch (kind) {
	case SAMPLE_TOP:
		array(w, "root", at, 8, n, 8);
		return 8;
	case SAMPLE_MAPPING:
		mappings(w, at, n);
		return 8;
	case SAMPLE_DETAILS:
		array(w, "mapped_blocks", at, 8, n, 24);
		array(w, "transaction_id", at + 8, 8, n, 24);
		array(w, "creation_time", at + 16, 4, n, 24);
		array(w, "snapshotted_time", at + 20, 4, n, 24);
		return 24;
	case SAMPLE_DATA_INDEX:
		array(w, "bitmap", at, 8, n, 16);
		array(w, "nr_free", at + 8, 4, n, 16);
		array(w, "none_free_before", at + 12, 4, n, 16);
		return 16;
	default:
		array(w, "count", at, 4, n, 4);
		return 4;
	}
}

static void node_entries(const struct walk *w, const struct sample_block *b)
{
	unsigned n = get_le32(b->bytes + 16), max = get_le32(b->bytes + 20);
	unsigned size = get_le32(b->bytes + 24), keys = 32, vals = 32 + 8 * max, end;

	array(w, "key", keys, 8, n, 8);
	array(w, "unused key", keys + 8 * n, 8, max - n, 8);
	if (b->internal)
		array(w, "child", vals, 8, n, 8);
	else
		values(w, b->kind, vals, n);
	array(w, "unused value", vals + size * n, 4, (max - n) * size / 4, 4);
	end = vals + size * max;
	array(w, "tail", end, 4, (TF_BLOCK_BYTES - end) / 4, 4);
}

static void bitmap_counts(const struct walk *w)
{
	for (unsigned i = 0; i < TF_BITMAP_ENTRIES; i++)
		bits(w, "two bits", 16 + i / 4, 1, 2 * (i % 4), 2, i, TF_BITMAP_ENTRIES, 0);
}

void thin_fields_each(const struct sample_block *block,
		      void (*fn)(const struct thin_field *field, void *arg), void *arg)
{
	struct walk w = {fn, arg};

	switch (thin_sample_type(block->kind)) {
	case TF_SUPERBLOCK:
		lines(&w, superblock);
		break;
	case TF_INDEX:
		lines(&w, index_block);
		break;
	case TF_BITMAP:
		lines(&w, bitmap);
		bitmap_counts(&w);
		break;
	default:
		lines(&w, node);
		node_entries(&w, block);
		break;
	}
}

static uint64_t number(const struct thin_field *f, const uint8_t *block)
{
	uint64_t v = 0;

	for (unsigned i = f->width; i-- > 0;)
		v = v << 8 | block[f->offset + i];
	return v;
}

uint64_t thin_field_ones(const struct thin_field *f)
{
	return f->bits == 64 ? UINT64_MAX : (UINT64_C(1) << f->bits) - 1;
}

uint64_t thin_field_get(const struct thin_field *f, const uint8_t *block)
{
	return number(f, block) >> f->shift & thin_field_ones(f);
}

void thin_field_set(const struct thin_field *f, uint8_t *block, uint64_t value)
{
	uint64_t mask = thin_field_ones(f) << f->shift;
	uint64_t v = (number(f, block) & ~mask) | (value << f->shift & mask);

	for (unsigned i = 0; i < f->width; i++)
		block[f->offset + i] = (uint8_t)(v >> 8 * i);
}
