/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What writing and reading of attributes share.
 *
 *   entry   0 suffix_len  1 index  2 value offset  4 ea_inode  8 value size  12 hash  16 suffix
 *   block   0 magic  4 refcount 1  8 blocks 1  12 hash of all  16 checksum  20 zeros  32 entries
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pkg/base/buffer.h"
#include "pkg/base/error.h"

enum {
	XATTR_MAGIC_BYTES = 4,
	XATTR_END_BYTES = 4, /* of zeros, behind the entries */
	XATTR_ENTRY_BYTES = 16,
	XATTR_HEADER_BYTES = 32,
	XATTR_CHECKSUM_AT = 16,
};

#define XATTR_MAGIC 0xea020000U

enum xattr_index {
	XATTR_USER = 1,
	XATTR_ACL_ACCESS = 2,
	XATTR_ACL_DEFAULT = 3,
	XATTR_TRUSTED = 4,
	XATTR_SECURITY = 6,
};

/* A name space: a prefix of names, or (exact) a single name that leaves no suffix. */
struct xattr_space {
	const char *prefix;
	uint8_t index;
	bool exact;
};

/* NULL if ext4 has no place for the name. */
const struct xattr_space *xattr_space_of_name(const char *name);
const struct xattr_space *xattr_space_of_index(uint8_t index);

/* Entries and values take multiples of four bytes. */
static inline size_t xattr_padded(size_t len)
{
	return (len + 3) & ~(size_t)3;
}

/* The hash of an entry over its name and the value as little-endian words, padded with zeros. */
uint32_t xattr_entry_hash(const char *suffix, size_t suffix_len, const uint8_t *value,
			  size_t value_len);

/* Checksum of a block, which counts the place of the checksum as zeros. */
uint32_t xattr_block_checksum(uint32_t fs_seed, uint64_t number, const uint8_t *block, size_t len);

/*
 * POSIX ACLs: what a system call takes (version 2, 8 bytes for each entry) to what is on disk
 * (version 1, 4 bytes for entries without an id), appended; and back.
 *
 * xattr_acl_to_disk() refuses what the kernel would: ERR_INVALID. An ACL without entries gives 1
 * and nothing: setting it means removing the attribute. xattr_acl_from_disk(): ERR_INCONSISTENT.
 */
MUST_CHECK int xattr_acl_to_disk(const uint8_t *value, size_t len, struct buffer *ret,
				 struct error *err);
MUST_CHECK int xattr_acl_from_disk(const uint8_t *value, size_t len, struct buffer *ret,
				   struct error *err);
