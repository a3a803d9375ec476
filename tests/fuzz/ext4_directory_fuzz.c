/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A directory with a damaged index: looking names up and editing end with a result or an error, and
 * so does the same again on what the edit has made of it.
 *
 *   byte 0          bit 0: make all checksums hold again; bit 1: the large directory
 *   then 4 bytes    block, offset in it (16 bits), new value; repeated
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pkg/base/alloc.h"
#include "tests/support/dir_model.h"

enum { RECORD_BYTES = 4, RECORDS_MAX = 256, CHANGES = 24 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* n names of `len` bytes. */
static struct dir_model make(size_t n, size_t len)
{
	struct ext4_dir_entry *entries = xcalloc(n, sizeof(*entries));
	char *names = xcalloc(n, len);
	struct dir_model m;

	memset(names, 'n', n * len);
	for (size_t i = 0; i < n; i++) {
		for (size_t digit = 0, rest = i; digit < 5; digit++, rest /= 10)
			names[i * len + digit] = (char)('0' + rest % 10);
		entries[i] = (struct ext4_dir_entry){names + i * len, (uint8_t)len,
						     EXT4_DIR_REGULAR, (uint32_t)(12 + i)};
	}
	dir_model_init(&m);
	dir_model_list(&m, entries, n);
	dir_model_encode(&m);
	free(entries);
	free(names);
	return m;
}

static int look_up(const struct dir_model *m, struct error *err)
{
	cleanup(dir_index_release) struct dir_index index = {0};
	int rc = dir_index_open(&m->source, &index, err);

	for (size_t i = 0; rc == 0 && i < CHANGES; i++) {
		const struct dir_model_name *name = &m->names[i * (m->n / CHANGES)];
		cleanup(dir_leaf_release) struct dir_leaf leaf = {.n = 0};
		struct dir_path path;

		rc = dir_index_find(&index,
				    ext4_dir_hash(&m->source.owner, name->name, name->len, NULL),
				    &path, err);
		if (rc == 0)
			rc = dir_leaf_read(&index, &path, &leaf, err);
	}
	return rc;
}

static int edit(struct dir_model *m, struct error *err)
{
	struct ext4_dir_entry changes[2 * CHANGES];
	char names[CHANGES][200], old_names[CHANGES][EXT4_NAME_MAX];

	memset(names, 'x', sizeof(names));
	for (size_t i = 0; i < CHANGES; i++) {
		const struct dir_model_name *old = &m->names[i * (m->n / CHANGES)];

		names[i][0] = (char)('A' + i);
		memcpy(old_names[i], old->name, old->len);
		changes[i] =
			(struct ext4_dir_entry){names[i], sizeof(names[i]), EXT4_DIR_REGULAR, 99};
		changes[CHANGES + i] =
			(struct ext4_dir_entry){old_names[i], old->len, old->type, i % 2 ? 98 : 0};
	}
	return dir_model_edit(m, changes, ARRAY_SIZE(changes), err);
}

static void try_all(struct dir_model *m)
{
	struct error err = {0};

	for (int i = 0; i < 2; i++) {
		if ((look_up(m, &err) < 0 || edit(m, &err) < 0) && err.kind == ERR_NONE)
			abort(); /* an error without a kind */
		error_clear(&err);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct dir_model whole[2];
	struct dir_model m;

	if (size < 1)
		return 0;
	if (!whole[0].n) {
		whole[0] = make(1000, 60);
		whole[1] = make(7000, 255);
	}
	m = whole[data[0] >> 1 & 1];
	m.source.arg = &m;
	m.room = m.n;
	m.blocks = xmemdup(m.blocks, (size_t)m.source.blocks * EXT4_BLOCK_BYTES);
	m.names = xmemdup(m.names, m.n * sizeof(m.names[0]));
	for (size_t at = 1; at + RECORD_BYTES <= size && at < RECORDS_MAX * RECORD_BYTES;
	     at += RECORD_BYTES)
		m.blocks[data[at] % m.source.blocks * (size_t)EXT4_BLOCK_BYTES
			 + (size_t)(data[at + 1] | data[at + 2] << 8) % EXT4_BLOCK_BYTES] =
			data[at + 3];
	if (data[0] & 1)
		dir_model_sign(&m);
	try_all(&m);
	dir_model_release(&m);
	return 0;
}
