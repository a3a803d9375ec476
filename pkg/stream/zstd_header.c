/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The start of a zstd frame. Read here and not only by libzstd, because that takes more than layers
 * may hold (the formats before 1.0), and checks the window only when a frame comes in pieces.
 */
#include <string.h>

#include "pkg/base/bytes.h"
#include "pkg/stream/stream_internal.h"

enum {
	SKIPPABLE_BYTES = 8, /* magic and length */
	WINDOW_MAX_BYTES = 1 << UNZSTD_WINDOW_LOG_MAX,

	SINGLE_SEGMENT = 0x20, /* no window byte: the content is the window */
	RESERVED = 0x08,
};

void zstd_header_start(struct zstd_header *h)
{
	*h = (struct zstd_header){.need = UNZSTD_MAGIC_BYTES};
}

static unsigned dictionary_bytes(uint8_t descriptor)
{
	static const uint8_t sizes[] = {0, 1, 2, 4};

	return sizes[descriptor & 3];
}

static unsigned content_bytes(uint8_t descriptor)
{
	static const uint8_t sizes[] = {0, 2, 4, 8};

	if (descriptor >> 6 == 0)
		return descriptor & SINGLE_SEGMENT ? 1 : 0;
	return sizes[descriptor >> 6];
}

static uint64_t read_le(const uint8_t *p, unsigned n)
{
	uint64_t value = 0;

	while (n-- > 0)
		value = value << 8 | p[n];
	return value;
}

/* The magic is there: what does it announce? */
static int know_kind(struct zstd_header *h, struct error *err)
{
	uint32_t magic = get_le32(h->bytes);

	h->is_skippable = (magic & 0xfffffff0) == 0x184d2a50;
	if (!h->is_skippable && magic != 0xfd2fb528)
		return error_set(err, ERR_INVALID, "bad magic");
	h->need = h->is_skippable ? SKIPPABLE_BYTES : UNZSTD_MAGIC_BYTES + 1;
	return 0;
}

static int know_length(struct zstd_header *h, struct error *err)
{
	uint8_t descriptor = h->bytes[UNZSTD_MAGIC_BYTES];

	if (descriptor & RESERVED)
		return error_set(err, ERR_INVALID, "reserved bit");
	h->need += (descriptor & SINGLE_SEGMENT ? 0 : 1) + dictionary_bytes(descriptor)
		   + content_bytes(descriptor);
	return 0;
}

/* 1024 bytes and up, in eighths of a power of two. */
static uint64_t window_bytes(uint8_t byte)
{
	uint64_t base = 1ULL << (10 + (byte >> 3));

	return base + base / 8 * (byte & 7);
}

static int check_window(uint64_t window, struct error *err)
{
	if (window <= WINDOW_MAX_BYTES)
		return 0;
	return error_set(err, ERR_INVALID, "a window of %llu MiB, at most %d MiB are allowed",
			 (unsigned long long)(window >> 20), WINDOW_MAX_BYTES >> 20);
}

static int read_fields(struct zstd_header *h, struct error *err)
{
	uint8_t descriptor = h->bytes[UNZSTD_MAGIC_BYTES];
	const uint8_t *p = h->bytes + UNZSTD_MAGIC_BYTES + 1;
	unsigned n_id = dictionary_bytes(descriptor), n = content_bytes(descriptor);
	uint64_t window, id;

	window = descriptor & SINGLE_SEGMENT ? 0 : window_bytes(*p++);
	id = read_le(p, n_id);
	if (id)
		return error_set(err, ERR_INVALID, "dictionary %llu is needed, layers have none",
				 (unsigned long long)id);
	/* What needs two bytes is 256 at least. */
	h->content_bytes = n ? read_le(p + n_id, n) + (n == 2 ? 256 : 0) : STREAM_SIZE_UNKNOWN;
	return check_window(descriptor & SINGLE_SEGMENT ? h->content_bytes : window, err);
}

/* All bytes that were needed are there: 1 = complete, 0 = now more are needed, -1. */
static int advance(struct zstd_header *h, struct error *err)
{
	if (h->got == UNZSTD_MAGIC_BYTES)
		return know_kind(h, err);
	if (h->is_skippable) {
		h->skip_bytes = get_le32(h->bytes + UNZSTD_MAGIC_BYTES);
		return 1;
	}
	if (h->got == UNZSTD_MAGIC_BYTES + 1 && know_length(h, err) < 0)
		return -1;
	if (h->got < h->need)
		return 0;
	return read_fields(h, err) < 0 ? -1 : 1;
}

int zstd_header_take(struct zstd_header *h, const uint8_t *data, size_t len, size_t *ret_taken,
		     struct error *err)
{
	size_t taken = 0;
	int rc = 0;

	while (rc == 0 && taken < len) {
		size_t n = h->need - h->got;

		if (n > len - taken)
			n = len - taken;
		memcpy(h->bytes + h->got, data + taken, n);
		h->got += (unsigned)n;
		taken += n;
		if (h->got == h->need)
			rc = advance(h, err);
	}
	*ret_taken = taken;
	return rc;
}
