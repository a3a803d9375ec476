/* SPDX-License-Identifier: Apache-2.0 */
/* Extended attributes of an inode: replaced as a whole, with the block and the inodes they need. */
#include <stdlib.h>
#include <string.h>

#include "pkg/base/alloc.h"
#include "pkg/ext4/writer_internal.h"
#include "pkg/ext4/xattr.h"

/* What the xattrs of an inode use outside of it. */
struct old_xattrs {
	uint64_t block;			      /* 0: none */
	struct ext2_ext_attr_header *content; /* of the block */
	uint32_t *inodes;		      /* ea_inodes */
	size_t n_inodes, room;
	uint64_t value_blocks; /* of the ea_inodes; they count for the inode that uses them */
};

static uint64_t blocks_of(size_t len)
{
	return (len + EXT4_BLOCK_BYTES - 1) / EXT4_BLOCK_BYTES;
}

static void old_xattrs_release(struct old_xattrs *old)
{
	free(old->content);
	free(old->inodes);
}

static uint32_t block_references(const struct old_xattrs *old)
{
	return le32toh(old->content->h_refcount);
}

static int collect_inodes(struct ext4_xattr_cursor *cursor, struct old_xattrs *old,
			  struct error *err)
{
	for (;;) {
		struct ext4_xattr_found found;
		int rc = ext4_xattr_next(cursor, &found, err);

		if (rc != 0)
			return rc < 0 ? -1 : 0;
		if (found.value_inode == 0)
			continue;
		ALLOC_GROW(old->inodes, old->n_inodes + 1, old->room);
		old->inodes[old->n_inodes++] = found.value_inode;
		old->value_blocks += blocks_of(found.value_len);
	}
}

static int load_old(struct ext4_writer *w, uint32_t inode, struct old_xattrs *ret,
		    struct error *err)
{
	struct ext4_xattr_cursor cursor;
	struct ext4_raw_inode *raw;

	if (ext4_writer_inode(w, inode, &raw, err) < 0)
		return -1;
	if (le16toh(raw->i.i_extra_isize) != EXT4_INODE_EXTRA)
		return error_set(err, ERR_UNSUPPORTED, "ext4: inode %u has %u extra bytes", inode,
				 le16toh(raw->i.i_extra_isize));
	ret->block = ext4_raw_xattr_block(raw);
	ext4_xattr_start_inode(&cursor, raw->xattrs, sizeof(raw->xattrs));
	if (collect_inodes(&cursor, ret, err) < 0)
		return -1;
	if (ret->block == 0)
		return 0;
	if (ret->block >= ext2fs_blocks_count(w->fs->super))
		return error_set(err, ERR_INCONSISTENT, "ext4: xattr block %llu of inode %u",
				 (unsigned long long)ret->block, inode);
	ret->content = xmalloc(EXT4_BLOCK_BYTES);
	if (block_store_read(&w->store, ret->block, 1, ret->content, err) < 0
	    || ext4_xattr_start_block(&cursor, (uint8_t *)ret->content, EXT4_BLOCK_BYTES,
				      w->fs->csum_seed, ret->block, err)
		       < 0)
		return -1;
	return collect_inodes(&cursor, ret, err);
}

/* One reference less to an ea_inode. We never share them, a kernel does. */
static int drop_value_inode(struct ext4_writer *w, uint32_t inode, struct error *err)
{
	struct ext4_raw_inode *raw;
	uint64_t references;

	if (ext4_writer_inode(w, inode, &raw, err) < 0)
		return -1;
	if (!ext4_raw_flag(raw, EXT4_EA_INODE_FL))
		return error_set(err, ERR_INCONSISTENT, "ext4: inode %u is no ea_inode", inode);
	references =
		(uint64_t)le32toh(raw->i.i_ctime) << 32 | le32toh(raw->i.osd1.linux1.l_i_version);
	if (references <= 1)
		return ext4_writer_free_inode(w, inode, err);
	references--;
	raw->i.i_ctime = htole32((uint32_t)(references >> 32));
	raw->i.osd1.linux1.l_i_version = htole32((uint32_t)references);
	ext4_inode_table_changed(&w->table, inode);
	return 0;
}

static int drop_value_inodes(struct ext4_writer *w, uint32_t inode, const struct old_xattrs *old,
			     struct error *err)
{
	struct ext4_raw_inode *raw;

	/* The values of a block that others use too are not ours to give back. */
	if (old->block && block_references(old) > 1)
		return error_set(err, ERR_UNSUPPORTED, "ext4: xattr block %llu is shared",
				 (unsigned long long)old->block);
	if (old->n_inodes == 0)
		return 0;
	for (size_t i = 0; i < old->n_inodes; i++)
		if (drop_value_inode(w, old->inodes[i], err) < 0)
			return -1;
	if (ext4_writer_inode(w, inode, &raw, err) < 0)
		return -1;
	ext4_raw_drop_blocks(raw, old->value_blocks);
	ext4_inode_table_changed(&w->table, inode);
	return 0;
}

/* The inode does without its xattr block. */
static int drop_block(struct ext4_writer *w, uint32_t inode, const struct old_xattrs *old,
		      struct error *err)
{
	struct ext4_raw_inode *raw;

	if (ext4_groups_free_blocks(&w->groups, old->block, 1, err) < 0
	    || ext4_writer_inode(w, inode, &raw, err) < 0)
		return -1;
	ext4_raw_set_xattr_block(raw, 0);
	ext4_raw_drop_blocks(raw, 1);
	ext4_inode_table_changed(&w->table, inode);
	return 0;
}

int ext4_xattrs_drop(struct ext4_writer *w, uint32_t inode, struct error *err)
{
	cleanup(old_xattrs_release) struct old_xattrs old = {0};

	if (load_old(w, inode, &old, err) < 0 || drop_value_inodes(w, inode, &old, err) < 0)
		return -1;
	return old.block ? drop_block(w, inode, &old, err) : 0;
}

/* Make the inode that holds one large value. */
static int make_value_inode(struct ext4_writer *w, struct ext4_xattr_item *item, struct error *err)
{
	static const struct ext4_meta meta = {.mode = 0100600};
	struct ext4_raw_inode *raw;

	if (ext4_groups_take_inode(&w->groups, false, &item->value_inode, err) < 0
	    || ext4_inode_table_make(&w->table, item->value_inode, &raw, err) < 0)
		return -1;
	ext4_raw_make(raw, &meta);
	ext4_raw_set_flag(raw, EXT4_EA_INODE_FL, true);
	raw->i.i_atime = htole32(item->value_hash);
	raw->i.osd1.linux1.l_i_version = htole32(1);
	return ext4_content_put(w, item->value_inode, item->value, item->value_len, err);
}

static int make_value_inodes(struct ext4_writer *w, uint32_t inode, struct ext4_xattr_plan *plan,
			     struct error *err)
{
	struct ext4_raw_inode *raw;
	uint64_t blocks = 0;

	for (size_t i = 0; i < plan->n; i++) {
		struct ext4_xattr_item *item = &plan->items[i];

		if (!item->separate)
			continue;
		if (make_value_inode(w, item, err) < 0)
			return error_wrap(err, "xattr %s", item->name);
		blocks += blocks_of(item->value_len);
	}
	if (blocks == 0)
		return 0;
	if (ext4_writer_inode(w, inode, &raw, err) < 0)
		return -1;
	ext4_raw_add_blocks(raw, blocks);
	ext4_inode_table_changed(&w->table, inode);
	return 0;
}

/* Write the block of a plan: over the old one, where there is one, else to a new one. */
static int put_block(struct ext4_writer *w, uint32_t inode, const struct ext4_xattr_plan *plan,
		     const struct old_xattrs *old, struct error *err)
{
	cleanup_free uint8_t *content = xmalloc(EXT4_BLOCK_BYTES);
	struct ext4_raw_inode *raw;
	uint64_t number, n;

	if (old->block) {
		ext4_xattr_encode_block(plan, w->fs->csum_seed, old->block, content);
		if (memcmp(content, old->content, EXT4_BLOCK_BYTES) == 0)
			return 0;
		return block_store_overwrite(&w->store, old->block, 1, content, err);
	}
	if (ext4_groups_take_blocks(&w->groups, 1, &number, &n, err) < 0)
		return -1;
	ext4_xattr_encode_block(plan, w->fs->csum_seed, number, content);
	if (block_store_append(&w->store, number, 1, content, err) < 0
	    || ext4_writer_inode(w, inode, &raw, err) < 0)
		return -1;
	ext4_raw_set_xattr_block(raw, number);
	ext4_raw_add_blocks(raw, 1);
	ext4_inode_table_changed(&w->table, inode);
	return 0;
}

static int put_area(struct ext4_writer *w, uint32_t inode, const struct ext4_xattr_plan *plan,
		    struct error *err)
{
	uint8_t area[EXT4_XATTR_INODE_AREA];
	struct ext4_raw_inode *raw;

	if (ext4_writer_inode(w, inode, &raw, err) < 0)
		return -1;
	ext4_xattr_encode_inode(plan, area);
	if (memcmp(area, raw->xattrs, sizeof(area)) == 0)
		return 0;
	memcpy(raw->xattrs, area, sizeof(area));
	ext4_inode_table_changed(&w->table, inode);
	return 0;
}

int ext4_writer_set_xattrs(struct ext4_writer *w, struct ext4_node *node,
			   const struct ext4_xattr *xattrs, size_t n, struct error *err)
{
	cleanup(ext4_xattr_plan_release) struct ext4_xattr_plan plan = {0};
	cleanup(old_xattrs_release) struct old_xattrs old = {0};

	if (load_old(w, node->inode, &old, err) < 0
	    || ext4_xattr_plan(xattrs, n, w->fs->csum_seed, &plan, err) < 0
	    || make_value_inodes(w, node->inode, &plan, err) < 0
	    || drop_value_inodes(w, node->inode, &old, err) < 0
	    || put_area(w, node->inode, &plan, err) < 0)
		return -1;
	if (plan.needs_block)
		return put_block(w, node->inode, &plan, &old, err);
	return old.block ? drop_block(w, node->inode, &old, err) : 0;
}
