/* SPDX-License-Identifier: Apache-2.0 */
/* Walks over the undamaged sample by tables of what its structures hold. */
#include "tests/support/ext4_fields.h"

#include <ext2fs/ext2_fs.h>
#include <ext2fs/ext3_extents.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pkg/base/alloc.h"
#include "pkg/base/bytes.h"
#include "pkg/ext4/checksum.h"

enum {
	SUPER_AT = 1024,
	HEADER_BYTES = 12, /* of a node of extents, and each of its entries */
	EVERY = 4,	   /* entries of long lists: the first ones, and the last */
	DIR_HEADER_BYTES = 8,
	DIR_TAIL_BYTES = 12,
	INDEX_BYTES = 8,
	ROOT_INFO_AT = 24,
	ROOT_INDEX_AT = 32,
	XATTR_HEADER_BYTES = 32,
	XATTR_ENTRY_BYTES = 16,
	XATTR_IN_INODE_AT = 128 + EXT4_INODE_EXTRA,
};

/* A field of a structure: its name, where it starts, how long it is. */
struct layout {
	const char *name;
	size_t at;
	unsigned bytes;
};

#define FIELD(type, field)                                                \
	{                                                                 \
#field, offsetof(type, field), sizeof(((type *)0)->field) \
	}
#define SB(field) FIELD(struct ext2_super_block, field)
#define GD(field) FIELD(struct ext4_group_desc, field)
#define IN(field) FIELD(struct ext2_inode_large, field)

static const struct layout SUPER[] = {
	SB(s_inodes_count),
	SB(s_blocks_count),
	SB(s_r_blocks_count),
	SB(s_free_blocks_count),
	SB(s_free_inodes_count),
	SB(s_first_data_block),
	SB(s_log_block_size),
	SB(s_log_cluster_size),
	SB(s_blocks_per_group),
	SB(s_clusters_per_group),
	SB(s_inodes_per_group),
	SB(s_mtime),
	SB(s_wtime),
	SB(s_mnt_count),
	SB(s_max_mnt_count),
	SB(s_magic),
	SB(s_state),
	SB(s_errors),
	SB(s_minor_rev_level),
	SB(s_creator_os),
	SB(s_rev_level),
	SB(s_first_ino),
	SB(s_inode_size),
	SB(s_block_group_nr),
	SB(s_feature_compat),
	SB(s_feature_incompat),
	SB(s_feature_ro_compat),
	SB(s_reserved_gdt_blocks),
	SB(s_journal_inum),
	SB(s_journal_dev),
	SB(s_last_orphan),
	SB(s_hash_seed),
	SB(s_def_hash_version),
	SB(s_jnl_backup_type),
	SB(s_desc_size),
	SB(s_default_mount_opts),
	SB(s_first_meta_bg),
	SB(s_mkfs_time),
	SB(s_blocks_count_hi),
	SB(s_r_blocks_count_hi),
	SB(s_free_blocks_hi),
	SB(s_min_extra_isize),
	SB(s_want_extra_isize),
	SB(s_flags),
	SB(s_mmp_update_interval),
	SB(s_mmp_block),
	SB(s_log_groups_per_flex),
	SB(s_checksum_type),
	SB(s_encryption_level),
	SB(s_kbytes_written),
	SB(s_error_count),
	SB(s_usr_quota_inum),
	SB(s_grp_quota_inum),
	SB(s_overhead_clusters),
	SB(s_backup_bgs),
	SB(s_lpf_ino),
	SB(s_prj_quota_inum),
	SB(s_checksum_seed),
	SB(s_encoding),
	SB(s_encoding_flags),
	SB(s_orphan_file_inum),
};

static const struct layout GROUP[] = {
	GD(bg_block_bitmap),
	GD(bg_inode_bitmap),
	GD(bg_inode_table),
	GD(bg_free_blocks_count),
	GD(bg_free_inodes_count),
	GD(bg_used_dirs_count),
	GD(bg_flags),
	GD(bg_exclude_bitmap_lo),
	GD(bg_block_bitmap_csum_lo),
	GD(bg_itable_unused),
	GD(bg_inode_bitmap_csum_lo),
	GD(bg_block_bitmap_hi),
	GD(bg_inode_bitmap_hi),
	GD(bg_inode_table_hi),
	GD(bg_free_blocks_count_hi),
	GD(bg_itable_unused_hi),
};

static const struct layout INODE[] = {
	IN(i_mode),
	IN(i_uid),
	IN(i_size),
	IN(i_atime),
	IN(i_ctime),
	IN(i_mtime),
	IN(i_dtime),
	IN(i_gid),
	IN(i_links_count),
	IN(i_blocks),
	IN(i_flags),
	IN(osd1.linux1.l_i_version),
	IN(i_generation),
	IN(i_file_acl),
	IN(i_size_high),
	IN(osd2.linux2.l_i_blocks_hi),
	IN(osd2.linux2.l_i_file_acl_high),
	IN(osd2.linux2.l_i_uid_high),
	IN(osd2.linux2.l_i_gid_high),
	IN(i_extra_isize),
	IN(i_ctime_extra),
	IN(i_mtime_extra),
	IN(i_atime_extra),
	IN(i_crtime),
	IN(i_version_hi),
	IN(i_projid),
};

static const struct layout EXTENTS[] = {
	FIELD(struct ext3_extent_header, eh_magic),
	FIELD(struct ext3_extent_header, eh_entries),
	FIELD(struct ext3_extent_header, eh_max),
	FIELD(struct ext3_extent_header, eh_depth),
	FIELD(struct ext3_extent_header, eh_generation),
};

static const struct layout EXTENT[] = {
	FIELD(struct ext3_extent, ee_block),
	FIELD(struct ext3_extent, ee_len),
	FIELD(struct ext3_extent, ee_start_hi),
	FIELD(struct ext3_extent, ee_start),
};

static const struct layout POINTER[] = {
	FIELD(struct ext3_extent_idx, ei_block),
	FIELD(struct ext3_extent_idx, ei_leaf),
	FIELD(struct ext3_extent_idx, ei_leaf_hi),
};

static const struct layout DIR_ENTRY[] = {
	{"inode", 0, 4}, {"rec_len", 4, 2}, {"name_len", 6, 1}, {"type", 7, 1}, {"name", 8, 1},
};

static const struct layout DIR_TAIL[] = {
	{"zero", 0, 4},
	{"tail_len", 4, 2},
	{"no_name", 6, 1},
	{"tail_type", 7, 1},
};

static const struct layout INDEX_ROOT[] = {
	{"reserved", 0, 4}, {"hash", 4, 1},  {"info_len", 5, 1}, {"levels", 6, 1},
	{"unused", 7, 1},   {"limit", 8, 2}, {"count", 10, 2},
};

static const struct layout INDEX_ENTRY[] = {
	{"hash", 0, 4},
	{"block", 4, 4},
};

static const struct layout INDEX_TAIL[] = {
	{"tail_reserved", 0, 4},
};

static const struct layout XATTR_HEADER[] = {
	{"magic", 0, 4},
	{"references", 4, 4},
	{"blocks", 8, 4},
	{"hash", 12, 4},
};

static const struct layout XATTR_ENTRY[] = {
	{"name_len", 0, 1},    {"name_index", 1, 1}, {"value_offset", 2, 2}, {"value_inode", 4, 4},
	{"value_bytes", 8, 4}, {"hash", 12, 4},	     {"name", 16, 1},
};

static const struct layout XATTR_MAGIC_ALONE[] = {{"magic", 0, 4}};

/* --- collecting ------------------------------------------------------------------------------- */

struct list {
	const struct ext4_sample *s;
	struct ext4_field *items;
	size_t n, room;
};

static void need(bool ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "ext4 fields: %s\n", what);
		abort();
	}
}

static void get(const struct ext4_sample *s, void *buf, size_t len, uint64_t at)
{
	struct error err;

	need(thin_volume_read(&s->v->volume, buf, len, at, &err) == 0, "read");
}

/* All fields of a structure at a place; `what` says whose they are. */
static void PRINTF_LIKE(5, 6) add(struct list *l, const struct layout *layout, size_t n,
				  uint64_t at, const char *what, ...)
{
	char prefix[40];
	va_list ap;

	va_start(ap, what);
	vsnprintf(prefix, sizeof(prefix), what, ap);
	va_end(ap);
	for (size_t i = 0; i < n; i++) {
		struct ext4_field *f;

		ALLOC_GROW(l->items, l->n + 1, l->room);
		f = &l->items[l->n++];
		*f = (struct ext4_field){.at = at + layout[i].at, .bytes = layout[i].bytes};
		/* an array: its first element */
		if (f->bytes > 4)
			f->bytes = 4;
		snprintf(f->name, sizeof(f->name), "%s %s", prefix, layout[i].name);
	}
}

#define ADD(l, layout, at, ...) add(l, layout, ARRAY_SIZE(layout), at, __VA_ARGS__)

/* The first entries of a list and the last one. */
static bool is_tried(size_t i, size_t n)
{
	return i < EVERY || i + 1 == n;
}

static void add_node(struct list *l, uint64_t at, uint32_t inode, const char *where)
{
	uint8_t header[HEADER_BYTES];
	size_t n;

	get(l->s, header, sizeof(header), at);
	n = get_le16(header + 2);
	ADD(l, EXTENTS, at, "inode %u %s", inode, where);
	for (size_t i = 0; i < n; i++) {
		uint64_t entry = at + HEADER_BYTES * (i + 1);

		if (!is_tried(i, n))
			continue;
		if (get_le16(header + 6) == 0)
			ADD(l, EXTENT, entry, "inode %u %s extent %zu", inode, where, i);
		else
			ADD(l, POINTER, entry, "inode %u %s pointer %zu", inode, where, i);
	}
}

/* Entries from an offset of an area until the four zeros behind them. */
static void add_attributes(struct list *l, uint64_t at, size_t offset, size_t bytes, uint32_t inode)
{
	uint8_t area[EXT4_BLOCK_BYTES];

	get(l->s, area, bytes, at);
	for (size_t i = 0; offset + XATTR_ENTRY_BYTES <= bytes && get_le32(area + offset); i++) {
		ADD(l, XATTR_ENTRY, at + offset, "inode %u attribute %zu", inode, i);
		offset += (XATTR_ENTRY_BYTES + area[offset] + 3U) / 4 * 4;
	}
}

static uint64_t inode_at(const struct ext4_sample *s, uint32_t number)
{
	return s->inode_table * EXT4_BLOCK_BYTES + (number - 1) * (uint64_t)EXT4_INODE_BYTES;
}

static void add_inode(struct list *l, uint32_t number)
{
	uint64_t at = inode_at(l->s, number);
	static const struct layout words[] = {{"word 0", 0, 4}, {"word 1", 4, 4}};
	struct ext2_inode_large inode;

	get(l->s, &inode, sizeof(inode), at);
	if (inode.i_mode == 0)
		return;
	ADD(l, INODE, at, "inode %u", number);
	if (inode.i_flags & EXT4_EXTENTS_FL)
		add_node(l, at + offsetof(struct ext2_inode_large, i_block), number, "root");
	else
		ADD(l, words, at + offsetof(struct ext2_inode_large, i_block), "inode %u", number);
	ADD(l, XATTR_MAGIC_ALONE, at + XATTR_IN_INODE_AT, "inode %u attributes", number);
	add_attributes(l, at + XATTR_IN_INODE_AT + 4, 0, EXT4_INODE_BYTES - XATTR_IN_INODE_AT - 4,
		       number);
}

static void add_index(struct list *l, uint64_t at, uint32_t inode)
{
	uint8_t raw[EXT4_BLOCK_BYTES];
	size_t limit, count;

	get(l->s, raw, sizeof(raw), at);
	limit = get_le16(raw + ROOT_INDEX_AT);
	count = get_le16(raw + ROOT_INDEX_AT + 2);
	ADD(l, INDEX_ROOT, at + ROOT_INFO_AT, "inode %u index", inode);
	for (size_t i = 0; i < count; i++)
		ADD(l, INDEX_ENTRY, at + ROOT_INDEX_AT + i * INDEX_BYTES, "inode %u index %zu",
		    inode, i);
	ADD(l, INDEX_TAIL, at + ROOT_INDEX_AT + limit * INDEX_BYTES, "inode %u index", inode);
}

static void add_names(struct list *l, const struct ext4_sample_block *b)
{
	uint64_t at = b->block * EXT4_BLOCK_BYTES;
	uint8_t raw[EXT4_BLOCK_BYTES];
	size_t end = EXT4_BLOCK_BYTES - DIR_TAIL_BYTES, i = 0;

	if (b->indexed && b->logical == 0) {
		ADD(l, DIR_ENTRY, at, "inode %u dot", b->inode);
		ADD(l, DIR_ENTRY, at + 12, "inode %u dot dot", b->inode);
		add_index(l, at, b->inode);
		return;
	}
	get(l->s, raw, sizeof(raw), at);
	for (size_t offset = 0; offset < end; i++) {
		size_t len = get_le16(raw + offset + 4);

		if (!b->indexed || is_tried(i, offset + len == end ? i + 1 : SIZE_MAX))
			ADD(l, DIR_ENTRY, at + offset, "inode %u block %u name %zu", b->inode,
			    (unsigned)b->logical, i);
		offset += len;
	}
	ADD(l, DIR_TAIL, at + end, "inode %u block %u", b->inode, (unsigned)b->logical);
}

static void add_block(struct list *l, const struct ext4_sample_block *b)
{
	uint64_t at = b->block * EXT4_BLOCK_BYTES;

	switch (b->kind) {
	case SAMPLE_DIRECTORY:
		add_names(l, b);
		break;
	case SAMPLE_EXTENTS:
		add_node(l, at, b->inode, "node");
		break;
	case SAMPLE_XATTRS:
		ADD(l, XATTR_HEADER, at, "inode %u attributes", b->inode);
		add_attributes(l, at, XATTR_HEADER_BYTES, EXT4_BLOCK_BYTES, b->inode);
		break;
	case SAMPLE_OTHER:
		break;
	}
}

struct ext4_field *ext4_fields(const struct ext4_sample *s, size_t *ret_n)
{
	struct list l = {.s = s};

	ADD(&l, SUPER, SUPER_AT, "superblock");
	ADD(&l, GROUP, EXT4_BLOCK_BYTES, "group 0");
	for (uint32_t number = 1; number <= s->inodes; number++)
		add_inode(&l, number);
	for (size_t i = 0; i < s->n; i++)
		add_block(&l, &s->blocks[i]);
	*ret_n = l.n;
	return l.items;
}

/* --- values ----------------------------------------------------------------------------------- */

static uint64_t get_number(const struct ext4_sample *s, uint64_t at, unsigned bytes)
{
	uint8_t raw[8] = {0};

	get(s, raw, bytes, at);
	return get_le64(raw);
}

size_t ext4_field_values(const struct ext4_sample *s, const struct ext4_field *f,
			 uint64_t ret[EXT4_FIELD_VALUES_MAX])
{
	uint64_t most = f->bytes == 4 ? UINT32_MAX : (1ULL << 8 * f->bytes) - 1, kept = 0;
	uint64_t is = get_number(s, f->at, f->bytes);
	uint64_t own = f->at / EXT4_BLOCK_BYTES, other = s->blocks[s->n - 1].block;
	const uint64_t tried[] = {
		0,
		1,
		2, /* the root */
		is - 1,
		is + 1,
		is * 2,
		is ^ (most / 2 + 1),
		most,
		most / 2,
		most / 2 + 1,
		get_number(s, f->at - f->bytes, f->bytes),
		get_number(s, f->at + f->bytes, f->bytes),
		s->inodes, /* an inode that is in use, one that is not */
		s->inodes + 1,
		own, /* a block that points to itself, to a neighbour, to one of another kind */
		own + 1,
		other,
		s->inode_table,
	};
	size_t n = f->bytes == 1 ? 12 : ARRAY_SIZE(tried), i, k;

	_Static_assert(ARRAY_SIZE(tried) <= EXT4_FIELD_VALUES_MAX, "room for all values");
	for (i = 0; i < n; i++) {
		uint64_t value = tried[i] & most;

		for (k = 0; k < kept && ret[k] != value;)
			k++;
		if (k == kept && value != is)
			ret[kept++] = value;
	}
	return kept;
}

void ext4_field_set(struct ext4_sample *s, const struct ext4_field *f, uint64_t value)
{
	uint8_t raw[8];
	struct error err;

	put_le64(raw, value);
	need(thin_volume_write(&s->v->volume, raw, f->bytes, f->at, &err) == 0, "write");
}
