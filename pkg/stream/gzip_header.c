/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gzip header by hand. ISA-L 2.30 reads one, too, but takes reserved flags for valid and a
 * correct CRC16 for wrong when the header comes in pieces.
 */
#include <string.h>

#include <isa-l/crc.h>

#include "pkg/stream/stream_internal.h"

enum { FLAG_CRC = 0x02, FLAG_EXTRA = 0x04, FLAG_NAME = 0x08, FLAG_COMMENT = 0x10 };
enum { FLAGS_RESERVED = 0xe0 };

void gzip_header_start(struct gzip_header *h)
{
	*h = (struct gzip_header){.field = GZIP_FIXED, .need = 10};
}

static int take_fixed(struct gzip_header *h, uint8_t byte, struct error *err)
{
	static const uint8_t magic[] = {0x1f, 0x8b};

	if (h->got < sizeof(magic) && byte != magic[h->got])
		return error_set(err, ERR_INVALID, "not gzip: bad magic number");
	if (h->got == 2 && byte != 8)
		return error_set(err, ERR_INVALID, "gzip compression method %u is not deflate",
				 byte);
	if (h->got == 3 && (byte & FLAGS_RESERVED))
		return error_set(err, ERR_INVALID, "gzip header has reserved flags (0x%02x)", byte);
	if (h->got == 3)
		h->flags = byte;
	return 0;
}

/* The field after this one, leaving out what the flags do not announce. */
static void next_field(struct gzip_header *h)
{
	uint32_t extra = h->field == GZIP_EXTRA_LEN ? h->value : 0;

	h->got = h->need = h->value = 0;
	switch (h->field) {
	case GZIP_FIXED:
		h->field = GZIP_EXTRA_LEN;
		h->need = 2;
		if (h->flags & FLAG_EXTRA)
			return;
		/* fallthrough */
	case GZIP_EXTRA_LEN:
		h->field = GZIP_EXTRA;
		h->need = extra;
		if (extra > 0)
			return;
		/* fallthrough */
	case GZIP_EXTRA:
		h->field = GZIP_NAME;
		h->need = 0;
		if (h->flags & FLAG_NAME)
			return;
		/* fallthrough */
	case GZIP_NAME:
		h->field = GZIP_COMMENT;
		if (h->flags & FLAG_COMMENT)
			return;
		/* fallthrough */
	case GZIP_COMMENT:
		h->field = GZIP_CRC;
		h->need = 2;
		if (h->flags & FLAG_CRC)
			return;
		/* fallthrough */
	case GZIP_CRC:
	case GZIP_COMPLETE:
		h->field = GZIP_COMPLETE;
	}
}

static size_t take_text(const uint8_t *data, size_t len, int *ret_complete)
{
	const uint8_t *nul = memchr(data, 0, len);

	*ret_complete = nul != NULL;
	return nul ? (size_t)(nul - data) + 1 : len;
}

/* Take what belongs to the present field; *ret_complete says whether that was all of it. */
static int take_run(struct gzip_header *h, const uint8_t *data, size_t len, size_t *ret_taken,
		    int *ret_complete, struct error *err)
{
	size_t n = len < h->need - h->got ? len : h->need - h->got;

	if (h->field == GZIP_NAME || h->field == GZIP_COMMENT) {
		*ret_taken = take_text(data, len, ret_complete);
		return 0;
	}
	for (size_t i = 0; i < n; i++, h->got++) {
		if (h->field == GZIP_FIXED && take_fixed(h, data[i], err) < 0)
			return -1;
		if (h->field == GZIP_EXTRA_LEN || h->field == GZIP_CRC)
			h->value |= (uint32_t)data[i] << (8 * h->got);
	}
	*ret_taken = n;
	*ret_complete = h->got == h->need;
	if (h->field == GZIP_CRC && *ret_complete && h->value != (h->crc & 0xffff))
		return error_set(err, ERR_INVALID, "gzip header has a wrong checksum");
	return 0;
}

int gzip_header_take(struct gzip_header *h, const uint8_t *data, size_t len, size_t *ret_taken,
		     struct error *err)
{
	size_t taken = 0;

	while (taken < len && h->field != GZIP_COMPLETE) {
		int complete;
		size_t n;

		if (take_run(h, data + taken, len - taken, &n, &complete, err) < 0)
			return -1;
		if (h->field != GZIP_CRC)
			h->crc = crc32_gzip_refl(h->crc, data + taken, n);
		taken += n;
		if (complete)
			next_field(h);
	}
	*ret_taken = taken;
	return h->field == GZIP_COMPLETE;
}
