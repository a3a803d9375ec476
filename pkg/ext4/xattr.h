/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Extended attributes as ext4 keeps them, from and to full names and values. Pure: memory in,
 * memory out.
 *
 *   in the inode   after i_extra_isize, 96 of 256 bytes:  magic, entries, 0 ... values
 *   one block      i_file_acl, 4096 bytes:                header, entries (sorted), 0 ... values
 *   ea_inode       a file of its own for a value that does not fit there, up to 65,536 bytes
 *
 * An entry names its name space by a number and holds the rest of the name; POSIX ACLs are
 * converted between the xattr form (version 2) and the shorter one on disk (version 1).
 * Spec: kernel Documentation/filesystems/ext4/attributes.rst, fs/ext4/xattr.c, fs/ext4/acl.h.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pkg/base/buffer.h"
#include "pkg/base/cleanup.h"
#include "pkg/base/error.h"
#include "pkg/ext4/inode.h"

enum {
	EXT4_XATTR_SUFFIX_MAX = 255,
	EXT4_XATTR_VALUE_MAX = 65536,
	/* what an inode of 256 bytes has after 128 + i_extra_isize 32 */
	EXT4_XATTR_INODE_AREA = 96,
};

/* --- writing ---------------------------------------------------------------------------------- */

enum ext4_xattr_place { EXT4_XATTR_IN_INODE, EXT4_XATTR_IN_BLOCK };

/* One attribute, ready for the disk. */
struct ext4_xattr_item {
	const char *name; /* full name; borrowed from the caller */
	const char *suffix;
	uint8_t suffix_len;
	uint8_t index; /* of the name space */
	enum ext4_xattr_place place;
	bool separate;	      /* the value goes to an ea_inode */
	const uint8_t *value; /* as on disk */
	size_t value_len;
	uint32_t value_hash;  /* separate: what the ea_inode's i_atime holds, see below */
	uint32_t value_inode; /* separate: filled in by the caller before encoding */
};

/* Where each attribute of one inode goes. */
struct ext4_xattr_plan {
	struct ext4_xattr_item *items; /* ascending by index, length of suffix, suffix */
	size_t n;
	bool needs_inode_area; /* something goes to the inode */
	bool needs_block;      /* something goes to the block */
	struct buffer converted;
};

/*
 * Sort, convert and place. What fits goes to the inode, in sorted order; the rest to the block;
 * while that is too full its largest value becomes separate.
 *
 * For each separate item the caller makes an inode, or reuses one with the same value if it wants
 * to count references, and stores its number in value_inode:
 *   mode 0100600, uid/gid 0, links 1, flags EXT4_EA_INODE_FL | EXT4_EXTENTS_FL, size and data the
 *   value; i_atime = value_hash, i_ctime:i_version = 64-bit count of references (0:1), no name.
 * The owner's i_blocks counts the blocks of the values too, besides the attribute block.
 *
 * @fs_seed: s_checksum_seed.   @xattrs: any order; names and values stay borrowed by the plan.
 * Errors: ERR_UNSUPPORTED (name space), ERR_INVALID (empty or over-long suffix, a name twice, a
 * damaged ACL), ERR_NO_SPACE (value too large, too many names), each naming the attribute.
 */
MUST_CHECK int ext4_xattr_plan(const struct ext4_xattr *xattrs, size_t n, uint32_t fs_seed,
			       struct ext4_xattr_plan *ret, struct error *err);
void ext4_xattr_plan_release(struct ext4_xattr_plan *plan);

/* Is the value of system.posix_acl_* an ACL, with entries, that the kernel would take? */
bool ext4_xattr_is_acl(const void *value, size_t len);

/* Fill the area behind i_extra_isize: all of it, zeros when nothing goes there. */
void ext4_xattr_encode_inode(const struct ext4_xattr_plan *plan,
			     uint8_t area[EXT4_XATTR_INODE_AREA]);

/*
 * Fill the block. @number: of the block, part of its checksum.
 * The block is always private to its inode (h_refcount 1).
 */
void ext4_xattr_encode_block(const struct ext4_xattr_plan *plan, uint32_t fs_seed, uint64_t number,
			     uint8_t *block);

/* --- reading ---------------------------------------------------------------------------------- */

/* An entry as found. Pointers go into the area. */
struct ext4_xattr_found {
	uint8_t index;
	const char *suffix; /* not terminated */
	uint8_t suffix_len;
	const uint8_t *value; /* NULL when separate */
	size_t value_len;
	uint32_t value_inode; /* 0: not separate */
	uint32_t hash;
};

/* A position in an area or a block; starts with one of the two calls below. */
struct ext4_xattr_cursor {
	const uint8_t *base; /* what value offsets count from */
	size_t bytes;	     /* of everything from base on */
	size_t offset;	     /* of the next entry */
};

/* The area behind i_extra_isize. Without the magic number it is empty, as for the kernel. */
void ext4_xattr_start_inode(struct ext4_xattr_cursor *cursor, const uint8_t *area, size_t len);

/* Errors: ERR_INCONSISTENT (magic, block count, checksum). */
MUST_CHECK int ext4_xattr_start_block(struct ext4_xattr_cursor *cursor, const uint8_t *block,
				      size_t len, uint32_t fs_seed, uint64_t number,
				      struct error *err);

/* The next entry. 0, 1 = end, -1 = ERR_INCONSISTENT. Bounded by the size of the area. */
MUST_CHECK int ext4_xattr_next(struct ext4_xattr_cursor *cursor, struct ext4_xattr_found *ret,
			       struct error *err);

/*
 * Full name and value of an entry, both appended; the name is followed by NUL in the buffer but
 * not counted.
 * @value: what the entry or its ea_inode holds.
 * Returns 0, 1 = an entry no system call would show (inline data, unknown name space), -1 with
 * ERR_INCONSISTENT (a damaged ACL).
 */
MUST_CHECK int ext4_xattr_decode(const struct ext4_xattr_found *found, const void *value,
				 size_t value_len, struct buffer *ret_name,
				 struct buffer *ret_value, struct error *err);

/* Whether the value of an ea_inode is the one its entry was made for. */
bool ext4_xattr_separate_holds(const struct ext4_xattr_found *found, const void *value,
			       size_t value_len, uint32_t fs_seed);
