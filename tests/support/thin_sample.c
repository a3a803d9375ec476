/* SPDX-License-Identifier: Apache-2.0 */
/* Makes the sample with the engine, reads it back with nothing but the format. */
#include "tests/support/thin_sample.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/base/fdio.h"
#include "pkg/thin/file/repair_internal.h"
#include "tests/support/cmocka.h"
#include "tests/support/thin_fixture.h"
#include "tests/support/thin_tools.h"

#define BLOCK ((uint64_t)FIXTURE_BLOCK)

enum {
	METADATA_BLOCKS = 16400, /* two bitmaps */
	FIRST_ALIKE = 9,	 /* from here on they are one and the same empty thin */
	DIVERGED = 303, /* snapshots of device 1 that have leaves of their own, from here */
};

/* ---- making ---- */

static void write_some(struct thin_fixture *f, uint32_t id, uint64_t first, uint64_t step)
{
	for (uint64_t i = first; i < SAMPLE_MAPPED; i += step)
		thin_fixture_write(f, id, i * BLOCK, 1, 3);
}

static void fill(struct thin_fixture *f)
{
	for (uint32_t id = 1; id < FIRST_ALIKE; id++)
		thin_fixture_create(f, id);
	for (uint32_t id = FIRST_ALIKE; id <= SAMPLE_THINS; id++)
		thin_fixture_snap(f, id, FIRST_ALIKE - 1);
	write_some(f, 1, 0, 1);
	thin_fixture_snap(f, SAMPLE_HELD_THIN, 1);
	thin_fixture_snap(f, 301, 1);
	thin_fixture_snap(f, 302, 301); /* these share even the root */
	thin_fixture_commit(f);
	for (uint32_t id = DIVERGED; id < DIVERGED + 4; id++) {
		thin_fixture_snap(f, id, 1);
		write_some(f, id, id % 50, 50);
	}
	thin_fixture_commit(f);
}

static void hold(struct thin_fixture *f)
{
	struct error err = {0};

	assert_ok(thin_pool_reserve_metadata_snap(f->pool, &err), &err);
	thin_fixture_commit(f);
	thin_fixture_delete(f, SAMPLE_HELD_THIN);
	write_some(f, 2, 7, 99);
	thin_fixture_snap(f, 310, 2);
	thin_fixture_commit(f);
}

/* Something in the last bitmap of each map. */
static void use_last_bitmaps(struct thin_fixture *f)
{
	struct tf_tx *tx = &tf_pool_of(f->pool)->tx;

	tx->data.cursor = (tx->data.n_groups - 1) * TF_BITMAP_ENTRIES + 5;
	write_some(f, 3, 11, 40);
	tx->metadata.cursor = TF_BITMAP_ENTRIES + 9;
	write_some(f, 4, 0, 300);
	thin_fixture_commit(f);
}

/* ---- reading ---- */

enum tf_block_type thin_sample_type(enum sample_kind kind)
{
	switch (kind) {
	case SAMPLE_SUPERBLOCK:
	case SAMPLE_HELD:
		return TF_SUPERBLOCK;
	case SAMPLE_INDEX:
		return TF_INDEX;
	case SAMPLE_METADATA_BITMAP:
	case SAMPLE_DATA_BITMAP:
		return TF_BITMAP;
	default:
		return TF_NODE;
	}
}

const char *thin_sample_kind_name(enum sample_kind kind)
{
	static const char *const names[SAMPLE_KINDS] = {
		"superblock",  "metadata snapshot", "index block",   "metadata bitmap",
		"data bitmap", "top level node",    "mapping node",  "details node",
		"data index",  "metadata overflow", "data overflow",
	};

	return names[kind];
}

const struct sample_block *thin_sample_find(const struct thin_sample *s, uint64_t nr)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->blocks[i].nr == nr)
			return &s->blocks[i];
	return NULL;
}

static void get_block(const struct thin_sample *s, uint64_t nr, uint8_t *ret)
{
	assert_true((nr + 1) * TF_BLOCK_BYTES <= s->meta_bytes);
	memcpy(ret, s->meta + nr * TF_BLOCK_BYTES, TF_BLOCK_BYTES);
}

/* Its place in the list; false: it was there already. */
static bool add(struct thin_sample *s, enum sample_kind kind, uint64_t nr, uint8_t *ret)
{
	struct error err = {0};

	get_block(s, nr, ret);
	if (thin_sample_find(s, nr))
		return false;
	assert_ok(tf_block_verify(ret, thin_sample_type(kind), nr, &err), &err);
	ALLOC_GROW(s->blocks, s->n + 1, s->room);
	s->blocks[s->n] = (struct sample_block){.nr = nr, .kind = kind};
	s->blocks[s->n].internal =
		thin_sample_type(kind) == TF_NODE && tf_node_flags(ret) == TF_NODE_INTERNAL;
	memcpy(s->blocks[s->n++].bytes, ret, TF_BLOCK_BYTES);
	return true;
}

static void walk(struct thin_sample *s, enum sample_kind kind, uint64_t nr)
{
	uint8_t b[TF_BLOCK_BYTES], bitmap[TF_BLOCK_BYTES];

	if (!add(s, kind, nr, b))
		return;
	for (uint32_t i = 0; i < tf_node_entries(b); i++) {
		uint64_t value = tf_node_value_size(b) == 4 ? 0 : tf_node_value64(b, i);

		if (tf_node_flags(b) == TF_NODE_INTERNAL)
			walk(s, kind, value);
		else if (kind == SAMPLE_TOP)
			walk(s, SAMPLE_MAPPING, value);
		else if (kind == SAMPLE_DATA_INDEX)
			add(s, SAMPLE_DATA_BITMAP, value, bitmap);
	}
}

static void walk_all(struct thin_sample *s)
{
	uint8_t b[TF_BLOCK_BYTES], bitmap[TF_BLOCK_BYTES];
	struct tf_superblock held;

	add(s, SAMPLE_SUPERBLOCK, 0, b);
	tf_superblock_unpack(b, &s->sb);
	add(s, SAMPLE_HELD, s->sb.held_root, b);
	tf_superblock_unpack(b, &held);
	add(s, SAMPLE_INDEX, s->sb.metadata_sm.bitmap_root, b);
	for (uint32_t i = 0; i < tf_bitmaps_for(s->sb.metadata_sm.nr_blocks); i++)
		add(s, SAMPLE_METADATA_BITMAP, get_le64(b + tf_index_entry_offset(i)), bitmap);
	walk(s, SAMPLE_TOP, s->sb.mapping_root);
	walk(s, SAMPLE_TOP, held.mapping_root);
	walk(s, SAMPLE_DETAILS, s->sb.details_root);
	walk(s, SAMPLE_DETAILS, held.details_root);
	walk(s, SAMPLE_DATA_INDEX, s->sb.data_sm.bitmap_root);
	walk(s, SAMPLE_METADATA_OVERFLOW, s->sb.metadata_sm.overflow_root);
	walk(s, SAMPLE_DATA_OVERFLOW, s->sb.data_sm.overflow_root);
}

static void add_mapping(const struct thin_sample *s, uint64_t thin, uint64_t key, uint64_t value,
			struct sample_content *c)
{
	uint64_t at = tf_mapping_block(value) * BLOCK;

	assert_true(at + 8 <= s->data_bytes);
	ALLOC_GROW(c->items, c->n + 1, c->room);
	c->items[c->n++] = (struct sample_mapping){thin, key, value, get_le64(s->data + at)};
}

static void collect(const struct thin_sample *s, uint64_t nr, bool top, uint64_t thin,
		    struct sample_content *c)
{
	uint8_t b[TF_BLOCK_BYTES];

	get_block(s, nr, b);
	for (uint32_t i = 0; i < tf_node_entries(b); i++) {
		uint64_t key = tf_node_key(b, i), value = tf_node_value64(b, i);

		if (tf_node_flags(b) == TF_NODE_INTERNAL)
			collect(s, value, top, thin, c);
		else if (top)
			collect(s, value, false, key, c);
		else
			add_mapping(s, thin, key, value, c);
	}
}

void thin_sample_content(const struct thin_sample *s, struct sample_content *ret)
{
	uint8_t b[TF_BLOCK_BYTES];
	struct tf_superblock sb, held;

	*ret = (struct sample_content){0};
	get_block(s, 0, b);
	tf_superblock_unpack(b, &sb);
	collect(s, sb.mapping_root, true, 0, ret);
	if (!sb.held_root)
		return;
	get_block(s, sb.held_root, b);
	tf_superblock_unpack(b, &held);
	collect(s, held.mapping_root, true, 0, ret);
}

bool thin_sample_content_equal(const struct sample_content *a, const struct sample_content *b)
{
	return a->n == b->n && !memcmp(a->items, b->items, a->n * sizeof(*a->items));
}

void thin_sample_content_release(struct sample_content *c)
{
	free(c->items);
	*c = (struct sample_content){0};
}

/* Each data block that is mapped begins with its number. */
static void mark_data(const struct thin_sample *s)
{
	cleanup(thin_sample_content_release) struct sample_content c = {0};
	struct error err = {0};

	thin_sample_content(s, &c);
	for (size_t i = 0; i < c.n; i++) {
		uint64_t block = tf_mapping_block(c.items[i].value);

		assert_ok(fdio_pwrite(s->data_fd, &block, 8, block * BLOCK, "data", &err), &err);
	}
}

static const uint8_t *map(int fd, uint64_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0);

	assert_true(p != MAP_FAILED);
	return p;
}

static uint64_t size_of(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return (uint64_t)st.st_size;
}

static void make_pool(struct thin_fixture *f, uint64_t data_blocks)
{
	struct thin_file_params params = {.data_bytes = data_blocks * BLOCK,
					  .metadata_bytes = METADATA_BLOCKS * TF_BLOCK_BYTES,
					  .block_bytes = FIXTURE_BLOCK};
	struct error err = {0};

	*f = (struct thin_fixture){.dir = thin_tools_folder()};
	assert_ok(thin_file_create(f->dir, &params, &err), &err);
	thin_fixture_open(f, THIN_FILE_WRITE);
	fill(f);
	hold(f);
	use_last_bitmaps(f);
	thin_fixture_check(f);
	thin_fixture_close(f);
}

void thin_sample_make(struct thin_sample *s, uint64_t data_blocks)
{
	cleanup_free char *meta = NULL, *data = NULL;
	struct thin_fixture f;

	make_pool(&f, data_blocks);
	*s = (struct thin_sample){.dir = f.dir};
	meta = xasprintf("%s/meta", s->dir);
	data = xasprintf("%s/data", s->dir);
	s->meta_fd = open(meta, O_RDWR | O_CLOEXEC);
	s->data_fd = open(data, O_RDWR | O_CLOEXEC);
	assert_true(s->meta_fd >= 0 && s->data_fd >= 0);
	s->meta_bytes = size_of(s->meta_fd);
	s->data_bytes = size_of(s->data_fd);
	s->meta = map(s->meta_fd, s->meta_bytes);
	s->data = map(s->data_fd, s->data_bytes);
	walk_all(s);
	mark_data(s);
}

void thin_sample_release(struct thin_sample *s)
{
	munmap((void *)(uintptr_t)s->meta, s->meta_bytes);
	munmap((void *)(uintptr_t)s->data, s->data_bytes);
	close(s->meta_fd);
	close(s->data_fd);
	thin_tools_remove(&s->dir);
	free(s->blocks);
}

/* ---- using ---- */

void thin_sample_put(struct thin_sample *s, uint64_t nr, const uint8_t *bytes)
{
	struct error err = {0};

	assert_ok(fdio_pwrite(s->meta_fd, bytes, TF_BLOCK_BYTES, nr * TF_BLOCK_BYTES, "meta", &err),
		  &err);
}

void thin_sample_check(struct thin_sample *s, struct thin_findings *ret)
{
	cleanup_free char *meta = xasprintf("%s/meta", s->dir);
	struct error err = {0};

	assert_ok(thin_file_fsck(meta, size_of(s->data_fd), ret, &err), &err);
}

static int open_again(const struct thin_sample *s, const char *name, bool may_write)
{
	cleanup_free char *path = xasprintf("%s/%s", s->dir, name);
	int fd = open(path, (may_write ? O_RDWR : O_RDONLY) | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

enum thin_repair_outcome thin_sample_repair(struct thin_sample *s, bool may_write)
{
	cleanup(thin_findings_release) struct thin_findings found = {0};
	cleanup(tf_pool_free_ptr) struct tf_pool *p = tf_pool_new(s->dir, true);
	enum thin_repair_outcome outcome = THIN_REPAIR_CLEAN;
	struct error err = {0};

	p->meta_fd = open_again(s, "meta", may_write);
	p->data_fd = open_again(s, "data", may_write);
	assert_ok(tf_repair_files(p, &outcome, &found, &err), &err);
	return outcome;
}

uint8_t *thin_sample_blocks(const struct thin_sample *s)
{
	uint8_t *all = xcalloc(s->n, TF_BLOCK_BYTES);

	for (size_t i = 1; i < s->n; i++)
		get_block(s, s->blocks[i].nr, all + i * TF_BLOCK_BYTES);
	return all;
}

static void restore_length(int fd, uint64_t bytes)
{
	if (size_of(fd) != bytes)
		assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
}

void thin_sample_restore(struct thin_sample *s)
{
	restore_length(s->meta_fd, s->meta_bytes);
	restore_length(s->data_fd, s->data_bytes);
	for (size_t i = 0; i < s->n; i++) {
		const struct sample_block *b = &s->blocks[i];

		if (memcmp(s->meta + b->nr * TF_BLOCK_BYTES, b->bytes, TF_BLOCK_BYTES) != 0)
			thin_sample_put(s, b->nr, b->bytes);
	}
}
