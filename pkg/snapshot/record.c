/* SPDX-License-Identifier: Apache-2.0 */
/* The record in thin device 0: two alternating copies, and finding things in it. */
#include "pkg/snapshot/record.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pkg/base/alloc.h"
#include "pkg/base/bytes.h"
#include "pkg/snapshot/record_text.h"
#include "pkg/thin/volume.h"

enum {
	HEADER_BYTES = 4096,
	HEADER_VERSION_AT = 16,
	HEADER_TRANSACTION_AT = 24,
	HEADER_LENGTH_AT = 32,
	HEADER_HASH_AT = 40,
	HEADER_HASH_BYTES = 32,
	RECORD_VERSION = 1,
	SLOTS = 2,
	SHORT_BYTES = 4096,
	LOAD_TRIES = 100,
	LOAD_PAUSE_MS = 2,
};

#define SLOT_BYTES	 (THIN_RECORD_BYTES / SLOTS)
#define RECORD_MAX_BYTES (SLOT_BYTES - HEADER_BYTES)

static const char magic[16] = "thinpull record";

/* --- one copy --------------------------------------------------------------------------------- */

static void hash_copy(const uint8_t *header, const void *text, size_t len, struct digest *ret)
{
	static const uint8_t zeros[HEADER_HASH_BYTES];
	cleanup(hash_free_ptr) struct hash *h = hash_new(DIGEST_SHA256);

	hash_update(h, header, HEADER_HASH_AT);
	hash_update(h, zeros, sizeof(zeros));
	hash_update(h, header + HEADER_HASH_AT + HEADER_HASH_BYTES,
		    HEADER_BYTES - HEADER_HASH_AT - HEADER_HASH_BYTES);
	hash_update(h, text, len);
	hash_final(h, ret);
}

static void fill_header(uint8_t *header, uint64_t transaction_id, const void *text, size_t len)
{
	struct digest hash;

	memset(header, 0, HEADER_BYTES);
	memcpy(header, magic, sizeof(magic));
	put_le32(header + HEADER_VERSION_AT, RECORD_VERSION);
	put_le64(header + HEADER_TRANSACTION_AT, transaction_id);
	put_le64(header + HEADER_LENGTH_AT, len);
	hash_copy(header, text, len, &hash);
	memcpy(header + HEADER_HASH_AT, hash.bytes, HEADER_HASH_BYTES);
}

/* What is read of a copy at once: most records are no longer. */
struct start {
	uint8_t header[HEADER_BYTES], text[SHORT_BYTES];
	uint64_t transaction, len;
	bool plausible;
};

/* Only reading itself can fail. */
static int read_start(struct thin_volume *volume, unsigned slot, struct start *ret,
		      struct error *err)
{
	if (thin_volume_read(volume, ret->header, sizeof(ret->header) + sizeof(ret->text),
			     slot * SLOT_BYTES, err)
	    < 0)
		return -1;
	ret->transaction = get_le64(ret->header + HEADER_TRANSACTION_AT);
	ret->len = get_le64(ret->header + HEADER_LENGTH_AT);
	ret->plausible = memcmp(ret->header, magic, sizeof(magic)) == 0
			 && get_le32(ret->header + HEADER_VERSION_AT) == RECORD_VERSION
			 && ret->len <= RECORD_MAX_BYTES;
	return 0;
}

/* The rest of a copy. *ret_valid says whether it is whole; only reading itself can fail. */
static int read_text(struct thin_volume *volume, unsigned slot, const struct start *start,
		     struct buffer *ret_text, bool *ret_valid, struct error *err)
{
	size_t have = start->len < SHORT_BYTES ? start->len : SHORT_BYTES;
	size_t left = start->len - have;
	struct digest hash;

	buffer_clear(ret_text);
	buffer_add(ret_text, start->text, have);
	if (left
	    && thin_volume_read(volume, buffer_reserve(ret_text, left), left,
				slot * SLOT_BYTES + HEADER_BYTES + have, err)
		       < 0)
		return -1;
	buffer_grew(ret_text, left);
	hash_copy(start->header, ret_text->data, start->len, &hash);
	*ret_valid = memcmp(start->header + HEADER_HASH_AT, hash.bytes, HEADER_HASH_BYTES) == 0;
	return 0;
}

/* --- load and store --------------------------------------------------------------------------- */

/* The newest valid copy of a transaction that did commit. */
static int choose_copy(struct thin_volume *volume, uint64_t committed, struct record *ret,
		       struct buffer *ret_text, struct error *err)
{
	struct start starts[SLOTS];
	unsigned newest;
	bool valid = false;

	for (unsigned slot = 0; slot < SLOTS; slot++)
		if (read_start(volume, slot, &starts[slot], err) < 0)
			return -1;
	newest = starts[1].transaction > starts[0].transaction;
	for (unsigned i = 0; i < SLOTS && !valid; i++) {
		unsigned slot = newest ^ i;

		if (!starts[slot].plausible || starts[slot].transaction > committed)
			continue;
		if (read_text(volume, slot, &starts[slot], ret_text, &valid, err) < 0)
			return -1;
		ret->slot = slot;
		ret->transaction_id = starts[slot].transaction;
	}
	if (!valid)
		return error_set(err, ERR_INCONSISTENT,
				 "the pool has no valid record in thin device 0 (transaction %llu)",
				 (unsigned long long)committed);
	return 0;
}

/* The record of a pool that was at this transaction before. */
static int load_once(struct thin_pool *pool, uint64_t committed, struct record *ret,
		     struct error *err)
{
	cleanup(thin_volume_close_ptr) struct thin_volume *volume = NULL;
	cleanup_buffer struct buffer text = {0};
	struct record r = {0};

	if (thin_pool_open_volume(pool, RECORD_THIN_ID, THIN_RECORD_BYTES, false, &volume, err)
	    < 0) {
		if (err->kind == ERR_NOT_FOUND)
			error_set(err, ERR_INCONSISTENT,
				  "the pool has no record (thin device 0): not made by thinpull");
		return -1;
	}
	if (choose_copy(volume, committed, &r, &text, err) < 0)
		return -1;
	if (record_text_parse(text.data, text.len, &r, err) < 0) {
		record_release(&r);
		return -1;
	}
	*ret = r;
	return 0;
}

/*
 * A reader has no lock: writers that commit meanwhile overwrite first the one copy, then the other,
 * and what it found is nothing, or too old.
 */
int record_load(struct thin_pool *pool, struct record *ret, struct error *err)
{
	struct timespec pause = {.tv_nsec = LOAD_PAUSE_MS * 1000000};
	uint64_t before, after;

	if (thin_pool_transaction_id(pool, &before, err) < 0)
		return -1;
	for (unsigned tries = 1;; tries++) {
		int status = load_once(pool, before, ret, err);
		struct error ignored = {0};

		if (status == 0)
			ret->pool_transaction_id = before;
		if (status == 0 && ret->transaction_id == before)
			return 0;
		if (tries == LOAD_TRIES || thin_pool_transaction_id(pool, &after, &ignored) < 0
		    || after == before)
			return status;
		if (status == 0)
			record_release(ret);
		before = after;
		nanosleep(&pause, NULL);
	}
}

int record_store(struct record *r, struct thin_pool *pool, uint64_t transaction_id,
		 struct error *err)
{
	cleanup(thin_volume_close_ptr) struct thin_volume *volume = NULL;
	cleanup_buffer struct buffer text = {0};
	uint8_t header[HEADER_BYTES];
	unsigned slot = (r->slot + 1) % SLOTS;

	record_text_write(r, &text);
	if (text.len > RECORD_MAX_BYTES)
		return error_set(err, ERR_NO_SPACE, "the record needs %zu bytes, it may have %llu",
				 text.len, (unsigned long long)RECORD_MAX_BYTES);
	fill_header(header, transaction_id, text.data, text.len);
	if (thin_pool_open_volume(pool, RECORD_THIN_ID, THIN_RECORD_BYTES, true, &volume, err) < 0
	    || thin_volume_write(volume, text.data, text.len, slot * SLOT_BYTES + HEADER_BYTES, err)
		       < 0
	    || thin_volume_write(volume, header, sizeof(header), slot * SLOT_BYTES, err) < 0)
		return error_wrap(err, "record");
	r->slot = slot;
	r->transaction_id = transaction_id;
	return 0;
}

/* --- entries ---------------------------------------------------------------------------------- */

void record_entry_release(struct record_entry *e)
{
	for (size_t i = 0; i < e->n_labels; i++) {
		free(e->labels[i].key);
		free(e->labels[i].value);
	}
	free(e->labels);
	free(e->name);
	free(e->image);
	free(e->created);
	free(e->folder);
	*e = (struct record_entry){0};
}

static char *copy_text(const char *text)
{
	return text ? xstrdup(text) : NULL;
}

void record_entry_copy(const struct record_entry *from, struct record_entry *ret)
{
	struct record_entry e = *from;

	e.name = copy_text(from->name);
	e.image = copy_text(from->image);
	e.created = copy_text(from->created);
	e.folder = copy_text(from->folder);
	e.labels = xcalloc(from->n_labels + 1, sizeof(*e.labels));
	for (size_t i = 0; i < from->n_labels; i++)
		e.labels[i] = (struct record_label){.key = xstrdup(from->labels[i].key),
						    .value = xstrdup(from->labels[i].value)};
	*ret = e;
}

void record_release(struct record *r)
{
	for (size_t i = 0; i < r->n; i++)
		record_entry_release(&r->entries[i]);
	free(r->entries);
	*r = (struct record){0};
}

/* Index of the first entry with an id of at least thin_id. */
static size_t position_of(const struct record *r, uint32_t thin_id)
{
	size_t low = 0, high = r->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (r->entries[mid].thin_id < thin_id)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

struct record_entry *record_find_id(const struct record *r, uint32_t thin_id)
{
	size_t i = position_of(r, thin_id);

	return i < r->n && r->entries[i].thin_id == thin_id ? &r->entries[i] : NULL;
}

struct record_entry *record_find_layer(const struct record *r, const struct digest *chain_id,
				       uint32_t layout_version)
{
	for (size_t i = 0; i < r->n; i++) {
		struct record_entry *e = &r->entries[i];

		if (e->kind == RECORD_LAYER && e->state == RECORD_READY
		    && e->layout_version == layout_version && digest_equal(&e->chain_id, chain_id))
			return e;
	}
	return NULL;
}

struct record_entry *record_find_container(const struct record *r, const char *name)
{
	for (size_t i = 0; i < r->n; i++) {
		struct record_entry *e = &r->entries[i];

		if (e->kind == RECORD_CONTAINER && e->state == RECORD_READY
		    && strcmp(e->name, name) == 0)
			return e;
	}
	return NULL;
}

struct record_entry *record_entry_on(const struct record *r, const struct digest *chain_id,
				     const struct digest *except)
{
	for (size_t i = 0; i < r->n; i++) {
		struct record_entry *e = &r->entries[i];
		bool layer = e->kind == RECORD_LAYER;

		if (layer && except && digest_equal(&e->chain_id, except))
			continue;
		if (digest_equal(layer ? &e->parent : &e->chain_id, chain_id))
			return e;
	}
	return NULL;
}

struct record_entry *record_add(struct record *r, uint32_t thin_id)
{
	size_t i = position_of(r, thin_id);

	ALLOC_GROW(r->entries, r->n + 1, r->room);
	memmove(&r->entries[i + 1], &r->entries[i], (r->n - i) * sizeof(*r->entries));
	r->entries[i] = (struct record_entry){.thin_id = thin_id};
	r->n++;
	return &r->entries[i];
}

void record_remove(struct record *r, uint32_t thin_id)
{
	size_t i = position_of(r, thin_id);

	if (i >= r->n || r->entries[i].thin_id != thin_id)
		return;
	record_entry_release(&r->entries[i]);
	r->n--;
	memmove(&r->entries[i], &r->entries[i + 1], (r->n - i) * sizeof(*r->entries));
}

uint32_t record_free_id(const struct record *r)
{
	uint32_t id = RECORD_THIN_ID + 1;

	for (size_t i = 0; i < r->n && r->entries[i].thin_id == id; i++)
		id++;
	return id <= THIN_ID_MAX ? id : 0;
}
