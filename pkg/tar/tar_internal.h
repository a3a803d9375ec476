/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts of the reader, from the bytes up: input (blocks), number, header (one block), pax
 * (records), sparse (maps), member (one entry from all of them), reader (the order of things).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pkg/base/buffer.h"
#include "pkg/base/error.h"
#include "pkg/stream/stream.h"
#include "pkg/tar/entry.h"

enum {
	TAR_BLOCK_BYTES = 512,
	/* Bodies of x, g, L and K members; GNU tar writes them for names, Go reads 1 MiB. */
	TAR_META_BYTES_MAX = 1 << 20,
	TAR_PATH_BYTES_MAX = 64 * 1024,
	TAR_XATTRS_MAX = 1024,
	TAR_XATTR_NAME_BYTES_MAX = 255, /* XATTR_NAME_MAX of Linux */
	TAR_REGIONS_MAX = 1 << 20,
};

/* --- input: the stream in blocks -------------------------------------------------------------- */

struct tar_input {
	struct stream *stream; /* owned */
	uint64_t offset;       /* bytes taken */
	size_t lent;	       /* of the last peek, to be taken before the next */
	bool failed;	       /* the stream did, not the archive */
};

/* Lend at most max bytes: 0, 1 = end of the stream, -1. */
MUST_CHECK int tar_input_peek(struct tar_input *in, uint64_t max, const uint8_t **ret,
			      size_t *ret_len, struct error *err);
/* Take what was lent. */
void tar_input_take(struct tar_input *in);
/* Up to 512 bytes; fewer only at the end of the stream. */
MUST_CHECK int tar_input_block(struct tar_input *in, uint8_t *block, size_t *ret_len,
			       struct error *err);
/* Pass over n bytes; *ret_skipped is less only at the end of the stream. */
MUST_CHECK int tar_input_skip(struct tar_input *in, uint64_t n, uint64_t *ret_skipped,
			      struct error *err);

/* Bytes from the end of size bytes of data to the next block. */
static inline uint64_t tar_padding(uint64_t size)
{
	return -size % TAR_BLOCK_BYTES;
}

bool tar_is_zero(const uint8_t *data, size_t len);

/* --- number: what fields and records hold ----------------------------------------------------- */

/*
 * A numeric field: octal digits after spaces, ended by NUL, space or the field; or base-256 after
 * 0x80 (positive) or 0xff (negative). All blank is 0. -1: anything else, or beyond 64 bits.
 */
MUST_CHECK int tar_field_number(const uint8_t *field, size_t len, int64_t *ret);
/* One or more decimal digits, at most max. */
MUST_CHECK int tar_decimal(const char *text, size_t len, uint64_t max, uint64_t *ret);
/* [-]digits[.digits], more than nine digits of fraction are cut. */
MUST_CHECK int tar_decimal_time(const char *text, size_t len, struct tar_time *ret);

/* --- header: one block -----------------------------------------------------------------------
 *
 *      0 name[100]  100 mode[8]  108 uid[8]  116 gid[8]  124 size[12]  136 mtime[12]
 *    148 checksum[8]  156 typeflag  157 linkname[100]  257 magic[6] version[2]
 *    265 uname[32]  297 gname[32]  329 devmajor[8]  337 devminor[8]  345 prefix[155]
 *
 *    GNU:  345 atime[12]  357 ctime[12]  386 sp[4]{offset[12] numbytes[12]}  482 isextended
 *          483 realsize[12];  extension block: sp[21]  504 isextended
 *    star: 345 prefix[131]  476 atime[12]  488 ctime[12]  508 "tar\0"
 */
enum tar_format { TAR_V7, TAR_USTAR, TAR_STAR, TAR_GNU };

struct tar_header {
	enum tar_format format;
	char typeflag;
	uint64_t size;
	char name[100 + 1 + 155 + 1]; /* prefix joined */
	size_t name_len;
	char link[100 + 1];
	size_t link_len;
	uint32_t mode, uid, gid;
	int64_t mtime;
	uint32_t rdev_major, rdev_minor; /* only for typeflags 3 and 4 */
};

/* The checksum holds, as sum of unsigned or signed bytes. */
MUST_CHECK int tar_header_check(const uint8_t *block, struct error *err);
/* Typeflag, format and size: all that counts for x, g, L and K. */
MUST_CHECK int tar_header_parse_type(const uint8_t *block, struct tar_header *h, struct error *err);
/* The rest, after that. */
MUST_CHECK int tar_header_parse_rest(const uint8_t *block, struct tar_header *h, struct error *err);

/* --- sparse: where the data of a file with holes belongs -------------------------------------- */

struct tar_sparse {
	struct tar_region *regions;
	size_t n, room;
};

MUST_CHECK int tar_sparse_add(struct tar_sparse *map, uint64_t offset, uint64_t len,
			      struct error *err);
void tar_sparse_release(struct tar_sparse *map);
/* Ascending, inside the file, and as much data as is stored. */
MUST_CHECK int tar_sparse_check(const struct tar_sparse *map, uint64_t file_bytes,
				uint64_t stored_bytes, struct error *err);

/* Entries of an old GNU header or extension block; *ret_more: an extension block follows. */
MUST_CHECK int tar_sparse_take_old(struct tar_sparse *map, const uint8_t *entries, size_t count,
				   bool extended, bool *ret_more, struct error *err);
/* GNU.sparse.map of format 0.1: "offset,bytes,offset,bytes". */
MUST_CHECK int tar_sparse_take_list(struct tar_sparse *map, const char *text, size_t len,
				    struct error *err);

/* The map of format 1.0, in front of the data: "count\n" and then "offset\nbytes\n" each. */
struct tar_sparse_text {
	char digits[20];
	size_t n_digits;
	bool have_count, have_offset;
	uint64_t left; /* regions still to come */
	uint64_t offset;
};

/* Feed one block: 0 = more is needed, 1 = the map is complete, -1. */
MUST_CHECK int tar_sparse_feed(struct tar_sparse *map, struct tar_sparse_text *text,
			       const uint8_t *block, struct error *err);

/* --- pax: what records override --------------------------------------------------------------- */

enum tar_pax_have {
	TAR_PAX_PATH = 1 << 0,
	TAR_PAX_LINK = 1 << 1,
	TAR_PAX_SIZE = 1 << 2,
	TAR_PAX_UID = 1 << 3,
	TAR_PAX_GID = 1 << 4,
	TAR_PAX_MTIME = 1 << 5,
	TAR_PAX_ATIME = 1 << 6,
	TAR_PAX_SPARSE = 1 << 7, /* any GNU.sparse record */
	TAR_PAX_SPARSE_MAJOR = 1 << 8,
	TAR_PAX_SPARSE_MINOR = 1 << 9,
	TAR_PAX_SPARSE_NAME = 1 << 10,
	TAR_PAX_SPARSE_SIZE = 1 << 11,
	TAR_PAX_SPARSE_REALSIZE = 1 << 12,
	TAR_PAX_SPARSE_BLOCKS = 1 << 13,
	TAR_PAX_SPARSE_LIST = 1 << 14,
	TAR_PAX_DEVMAJOR = 1 << 15,
	TAR_PAX_DEVMINOR = 1 << 16,
};

struct tar_text {
	const char *data; /* terminated */
	size_t len;
};

struct tar_pax {
	unsigned int have; /* enum tar_pax_have */
	struct tar_text path, link, sparse_name, sparse_list;
	uint64_t size, uid, gid, devmajor, devminor;
	struct tar_time mtime, atime;
	uint64_t sparse_major, sparse_minor, sparse_size, sparse_realsize, sparse_blocks;
	struct tar_sparse sparse_pairs; /* of GNU.sparse.offset and .numbytes, format 0.0 */
	bool sparse_half_pair;
	uint64_t sparse_offset;
	struct tar_xattr *xattrs;
	bool *xattr_from_libarchive; /* beside each: what SCHILY says wins */
	size_t n_xattrs, xattrs_room, origins_room;
};

/* Forget all records, keep the memory. */
void tar_pax_clear(struct tar_pax *p);
void tar_pax_release(struct tar_pax *p);
/* Parse the body of an x member in place; values point into it. */
MUST_CHECK int tar_pax_parse(struct tar_pax *p, char *body, size_t len, struct error *err);
/* One extended attribute; both texts are changed in place and borrowed. */
MUST_CHECK int tar_pax_add_xattr(struct tar_pax *p, const char *name, const char *value, size_t len,
				 bool from_libarchive, struct error *err);
/* A LIBARCHIVE.xattr record: URL-escaped name, base64 value. */
MUST_CHECK int tar_pax_add_encoded_xattr(struct tar_pax *p, char *name, char *value, size_t len,
					 struct error *err);

/* --- member: an entry from a header and what came before it ----------------------------------- */

struct tar_pending {
	bool have_pax, have_name, have_link;
	struct buffer pax_body, name, link; /* of the last x, L and K */
	struct tar_pax pax;
};

struct tar_member {
	struct tar_header header;
	struct tar_entry entry;
	uint64_t stored_bytes;	/* of data in the archive, without a map of format 1.0 */
	struct tar_sparse data; /* where they belong; one region if there are no holes */
	bool size_ignored;	/* a type without data claims to have some */
};

/*
 * Make the entry of the header in block; reads the sparse maps that follow it.
 * Strings of the entry point into the member and into pending.
 */
MUST_CHECK int tar_member_make(struct tar_member *m, const uint8_t *block,
			       const struct tar_pending *pending, struct tar_input *in,
			       struct error *err);
