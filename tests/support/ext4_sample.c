/* SPDX-License-Identifier: Apache-2.0 */
/* Puts a file system together from the pure encoders, one inode at a time. */
#include "tests/support/ext4_sample.h"

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pkg/base/alloc.h"
#include "pkg/base/bytes.h"
#include "pkg/ext4/base.h"
#include "pkg/ext4/checksum.h"
#include "pkg/ext4/directory.h"
#include "pkg/ext4/extents.h"
#include "pkg/ext4/io.h"
#include "pkg/ext4/read.h"
#include "pkg/ext4/read_path.h"
#include "pkg/ext4/xattr.h"

enum {
	VOLUME_BYTES = 16 << 20,
	FIRST_INODE = 11,
	FIRST_BLOCK = 2048,
	SUPER_CHECKSUM = 1020,
	GROUP_CHECKSUM = 30,
	GROUP_BYTES = 64,
	INODE_CHECKSUM_LO = 124,
	INODE_CHECKSUM_HI = 130,
	INODE_GENERATION = 100,
	READ_MAX = 64 * 1024,
	PATHS_MAX = 20, /* that are also resolved: each costs a read of all folders on its way */
};

union inode {
	struct ext2_inode_large large;
	uint8_t raw[EXT4_INODE_BYTES];
};

struct builder {
	struct ext4_sample s;
	ext2_filsys fs;
	uint64_t next_block;
	uint32_t next_inode;
};

static void need(bool ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "ext4 sample: %s\n", what);
		abort();
	}
}

/* --- building --------------------------------------------------------------------------------- */

static uint64_t take_block(struct builder *b)
{
	ext2fs_block_alloc_stats2(b->fs, b->next_block, +1);
	return b->next_block++;
}

static void note(struct builder *b, struct ext4_sample_block block)
{
	need(b->s.n < ARRAY_SIZE(b->s.blocks), "more blocks than planned");
	b->s.blocks[b->s.n++] = block;
}

static uint64_t write_block(struct builder *b, const void *data)
{
	uint64_t block = take_block(b);
	struct error err;

	need(ext4_io_write_blocks(b->fs, block, 1, data, &err) == 0, "write a block");
	return block;
}

static union inode new_inode(uint32_t mode)
{
	union inode i = {0};

	i.large.i_mode = (uint16_t)mode;
	i.large.i_links_count = 1;
	i.large.i_extra_isize = EXT4_INODE_EXTRA;
	i.large.i_mtime = 1000000000;
	i.large.i_mtime_extra = 123456789 << 2;
	return i;
}

static uint32_t put_inode(struct builder *b, uint32_t number, const union inode *i, bool dir)
{
	need(ext2fs_write_inode_full(b->fs, number, (struct ext2_inode *)(uintptr_t)i, sizeof(*i))
		     == 0,
	     "write an inode");
	if (number >= FIRST_INODE)
		ext2fs_inode_alloc_stats2(b->fs, number, +1, dir);
	return number;
}

/* `n` blocks of data, in one run or (scattered) in every second block. */
static void map_data(struct builder *b, union inode *i, uint32_t number, const uint8_t *data,
		     size_t n, bool scattered)
{
	struct ext4_extent *e = xcalloc(n + 1, sizeof(*e));
	uint64_t *numbers;
	uint8_t *tree;
	size_t extents = scattered ? n : n > 0, tree_n;

	for (size_t k = 0; k < n; k++) {
		uint64_t block = write_block(b, data + k * EXT4_BLOCK_BYTES);

		if (scattered || k == 0)
			e[k] = (struct ext4_extent){.physical = block,
						    .logical = (uint32_t)k,
						    .len = 1};
		else
			e[0].len++;
		b->next_block += scattered;
	}
	tree_n = ext4_extents_tree_blocks(e, extents);
	numbers = xcalloc(tree_n + 1, sizeof(*numbers));
	tree = xcalloc(tree_n + 1, EXT4_BLOCK_BYTES);
	for (size_t k = 0; k < tree_n; k++)
		numbers[k] = b->next_block + k;
	ext4_extents_encode(e, extents, ext4_inode_seed(b->fs->csum_seed, number, 0), numbers,
			    (uint8_t *)i->large.i_block, tree);
	for (size_t k = 0; k < tree_n; k++) {
		uint64_t at = write_block(b, tree + k * EXT4_BLOCK_BYTES);

		note(b, (struct ext4_sample_block){.kind = SAMPLE_EXTENTS,
						   .block = at,
						   .inode = number});
	}
	i->large.i_flags |= EXT4_EXTENTS_FL;
	i->large.i_blocks += (uint32_t)((n + tree_n) * 8);
	free(e);
	free(numbers);
	free(tree);
}

static uint32_t add_file(struct builder *b, uint32_t mode, size_t size, bool scattered)
{
	uint32_t number = b->next_inode++;
	size_t blocks = (size + EXT4_BLOCK_BYTES - 1) / EXT4_BLOCK_BYTES;
	uint8_t *data = xcalloc(blocks + 1, EXT4_BLOCK_BYTES);
	union inode i = new_inode(mode);

	for (size_t k = 0; k < size; k++)
		data[k] = (uint8_t)('a' + (k + k / EXT4_BLOCK_BYTES) % 26);
	map_data(b, &i, number, data, blocks, scattered);
	i.large.i_size = (uint32_t)size;
	free(data);
	return put_inode(b, number, &i, false);
}

static uint32_t add_special(struct builder *b, uint32_t mode, uint32_t device)
{
	union inode i = new_inode(mode);

	i.large.i_block[1] = device;
	return put_inode(b, b->next_inode++, &i, false);
}

static uint32_t add_fast_link(struct builder *b, const char *target)
{
	union inode i = new_inode(LINUX_S_IFLNK | 0777);

	memcpy(i.large.i_block, target, strlen(target));
	i.large.i_size = (uint32_t)strlen(target);
	return put_inode(b, b->next_inode++, &i, false);
}

static uint32_t add_value(struct builder *b, const struct ext4_xattr_item *item)
{
	uint32_t number = b->next_inode++;
	size_t blocks = (item->value_len + EXT4_BLOCK_BYTES - 1) / EXT4_BLOCK_BYTES;
	uint8_t *data = xcalloc(blocks, EXT4_BLOCK_BYTES);
	union inode i = new_inode(LINUX_S_IFREG | 0600);

	memcpy(data, item->value, item->value_len);
	map_data(b, &i, number, data, blocks, false);
	i.large.i_size = (uint32_t)item->value_len;
	i.large.i_flags |= EXT4_EA_INODE_FL;
	i.large.i_atime = item->value_hash;
	i.large.osd1.linux1.l_i_version = 1;
	free(data);
	return put_inode(b, number, &i, false);
}

static uint32_t add_file_with_attributes(struct builder *b)
{
	static const uint8_t large[9000] = {'l'}, middle[900] = {'m'}, small[20] = {'s'};
	const struct ext4_xattr list[] = {{"security.capability", small, sizeof(small)},
					  {"user.large", large, sizeof(large)},
					  {"user.middle", middle, sizeof(middle)},
					  {"user.none", "", 0}};
	union inode i = new_inode(LINUX_S_IFREG | 0600);
	uint8_t block[EXT4_BLOCK_BYTES];
	struct ext4_xattr_plan plan;
	uint32_t number = b->next_inode++;
	struct error err;

	need(ext4_xattr_plan(list, ARRAY_SIZE(list), b->fs->csum_seed, &plan, &err) == 0, "plan");
	for (size_t k = 0; k < plan.n; k++)
		if (plan.items[k].separate) {
			plan.items[k].value_inode = add_value(b, &plan.items[k]);
			i.large.i_blocks += 3 * 8;
		}
	need(plan.needs_block && plan.needs_inode_area, "attributes are in all places");
	ext4_xattr_encode_inode(&plan, i.raw + 160);
	ext4_xattr_encode_block(&plan, b->fs->csum_seed, b->next_block, block);
	i.large.i_file_acl = (uint32_t)write_block(b, block);
	note(b, (struct ext4_sample_block){.kind = SAMPLE_XATTRS,
					   .block = i.large.i_file_acl,
					   .inode = number});
	map_data(b, &i, number, NULL, 0, false);
	i.large.i_blocks += 8;
	ext4_xattr_plan_release(&plan);
	return put_inode(b, number, &i, false);
}

static uint32_t add_directory(struct builder *b, uint32_t number, uint32_t parent,
			      const struct ext4_dir_entry *entries, size_t n)
{
	struct ext4_dir_owner owner = {.inode = number, .parent = parent};
	union inode i = new_inode(LINUX_S_IFDIR | 0755);
	struct buffer blocks = {0};
	struct error err;
	uint64_t first;
	bool indexed;

	owner.seed = ext4_inode_seed(b->fs->csum_seed, number, 0);
	memcpy(owner.hash_seed, b->fs->super->s_hash_seed, sizeof(owner.hash_seed));
	need(ext4_dir_encode(&owner, entries, n, &blocks, &indexed, &err) == 0, "directory");
	first = b->next_block;
	map_data(b, &i, number, blocks.data, blocks.len / EXT4_BLOCK_BYTES, false);
	for (size_t k = 0; k < blocks.len / EXT4_BLOCK_BYTES; k++)
		note(b, (struct ext4_sample_block){.kind = SAMPLE_DIRECTORY,
						   .block = first + k,
						   .inode = number,
						   .logical = k,
						   .indexed = indexed});
	i.large.i_size = (uint32_t)blocks.len;
	i.large.i_links_count = 2;
	for (size_t k = 0; k < n; k++)
		i.large.i_links_count =
			(uint16_t)(i.large.i_links_count + (entries[k].type == EXT4_DIR_DIRECTORY));
	i.large.i_flags |= indexed ? EXT2_INDEX_FL : 0;
	buffer_release(&blocks);
	return put_inode(b, number, &i, true);
}

static struct ext4_dir_entry entry(const char *name, enum ext4_dir_type type, uint32_t inode)
{
	return (struct ext4_dir_entry){name, (uint8_t)strlen(name), (uint8_t)type, inode};
}

/* The many names are links to one file. */
static uint32_t add_many_names(struct builder *b)
{
	static char names[EXT4_SAMPLE_NAMES][32];
	struct ext4_dir_entry entries[EXT4_SAMPLE_NAMES];
	union inode i = new_inode(LINUX_S_IFREG | 0644);
	uint32_t file = b->next_inode++;

	i.large.i_links_count = EXT4_SAMPLE_NAMES;
	map_data(b, &i, file, NULL, 0, false);
	put_inode(b, file, &i, false);
	for (size_t k = 0; k < EXT4_SAMPLE_NAMES; k++) {
		snprintf(names[k], sizeof(names[k]), "a.longer.name.%zu", k * 7919 % 1000);
		entries[k] = entry(names[k], EXT4_DIR_REGULAR, file);
	}
	return add_directory(b, b->next_inode++, EXT2_ROOT_INO, entries, EXT4_SAMPLE_NAMES);
}

static uint32_t add_nested(struct builder *b)
{
	uint32_t outer = b->next_inode++, inner = b->next_inode++;
	struct ext4_dir_entry e = entry("f", EXT4_DIR_DIRECTORY, inner);

	add_directory(b, inner, outer, NULL, 0);
	return add_directory(b, outer, EXT2_ROOT_INO, &e, 1);
}

static void build_tree(struct builder *b)
{
	static char target[2001];
	struct ext4_dir_entry e[10];

	memset(target, 't', sizeof(target) - 1);
	e[0] = entry("a", EXT4_DIR_REGULAR, add_file(b, LINUX_S_IFREG | 0644, 10, false));
	e[1] = entry("big", EXT4_DIR_REGULAR,
		     add_file(b, LINUX_S_IFREG | 0600,
			      EXT4_SAMPLE_BIG_EXTENTS * EXT4_BLOCK_BYTES - 5, true));
	e[2] = entry("chr", EXT4_DIR_CHAR, add_special(b, LINUX_S_IFCHR | 0600, 5 << 8 | 1));
	e[3] = entry("d", EXT4_DIR_DIRECTORY, add_many_names(b));
	e[4] = entry("e", EXT4_DIR_DIRECTORY, add_nested(b));
	e[5] = entry("empty", EXT4_DIR_DIRECTORY,
		     add_directory(b, b->next_inode, EXT2_ROOT_INO, NULL, 0));
	b->next_inode++;
	e[6] = entry("fifo", EXT4_DIR_FIFO, add_special(b, LINUX_S_IFIFO | 0600, 0));
	e[7] = entry("link", EXT4_DIR_SYMLINK, add_fast_link(b, "../to/somewhere"));
	e[8] = entry("slow", EXT4_DIR_SYMLINK, add_file(b, LINUX_S_IFLNK | 0777, 2000, false));
	e[9] = entry("x", EXT4_DIR_REGULAR, add_file_with_attributes(b));
	/* the block the base gave to the root */
	ext2fs_block_alloc_stats2(b->fs, b->next_block, 0);
	add_directory(b, EXT2_ROOT_INO, EXT2_ROOT_INO, e, ARRAY_SIZE(e));
}

static void free_old_root(ext2_filsys fs)
{
	struct ext2_inode root;
	blk64_t block = 0;

	need(ext2fs_read_inode(fs, EXT2_ROOT_INO, &root) == 0
		     && ext2fs_bmap2(fs, EXT2_ROOT_INO, &root, NULL, 0, 0, NULL, &block) == 0,
	     "find the old root");
	ext2fs_block_alloc_stats2(fs, block, -1);
}

struct ext4_sample ext4_sample_make(void)
{
	struct builder b = {.next_block = FIRST_BLOCK, .next_inode = FIRST_INODE};
	struct ext4_base_params params = {0};
	struct error err = {0};

	b.s.v = memory_volume_new(VOLUME_BYTES, 0);
	need(ext4_base_create(&b.s.v->volume, &params, &err) == 0, err.cause);
	need(ext4_io_open(&b.s.v->volume, EXT4_IO_WRITE, &b.fs, &err) == 0, err.cause);
	need(ext2fs_read_bitmaps(b.fs) == 0, "read bitmaps");
	free_old_root(b.fs);
	b.s.inode_table = ext2fs_inode_table_loc(b.fs, 0);
	note(&b, (struct ext4_sample_block){.block = 0}); /* superblock */
	note(&b, (struct ext4_sample_block){.block = 1}); /* group descriptors */
	for (uint64_t k = 0; k < 3; k++)
		note(&b, (struct ext4_sample_block){.block = b.s.inode_table + k});
	build_tree(&b);
	b.s.inodes = b.next_inode - 1;
	ext2fs_set_gdt_csum(b.fs);
	need(ext2fs_flush(b.fs) == 0, "flush");
	ext4_io_close(b.fs);
	return b.s;
}

struct ext4_sample ext4_sample_copy(const struct ext4_sample *s)
{
	struct ext4_sample copy = *s;

	copy.v = memory_volume_snapshot(s->v);
	return copy;
}

/* --- damage ----------------------------------------------------------------------------------- */

static void get(struct ext4_sample *s, void *buf, size_t len, uint64_t offset)
{
	struct error err;

	need(thin_volume_read(&s->v->volume, buf, len, offset, &err) == 0, "read");
}

static void put(struct ext4_sample *s, const void *buf, size_t len, uint64_t offset)
{
	struct error err;

	need(thin_volume_write(&s->v->volume, buf, len, offset, &err) == 0, "write");
}

void ext4_sample_poke(struct ext4_sample *s, size_t i, size_t offset, uint8_t value)
{
	put(s, &value, 1, s->blocks[i].block * EXT4_BLOCK_BYTES + offset % EXT4_BLOCK_BYTES);
}

static uint64_t inode_at(const struct ext4_sample *s, uint32_t number)
{
	return s->inode_table * EXT4_BLOCK_BYTES + (number - 1) * (uint64_t)EXT4_INODE_BYTES;
}

void ext4_sample_poke_inode(struct ext4_sample *s, uint32_t number, size_t offset,
			    const void *bytes, size_t len)
{
	need(offset + len <= EXT4_INODE_BYTES, "poke beyond an inode");
	put(s, bytes, len, inode_at(s, number) + offset);
}

void ext4_sample_poke_block(struct ext4_sample *s, enum ext4_sample_kind kind, uint32_t inode,
			    size_t n, size_t offset, const void *bytes, size_t len)
{
	size_t i = 0;

	for (; i < s->n; i++)
		if (s->blocks[i].kind == kind && s->blocks[i].inode == inode && n-- == 0)
			break;
	need(i < s->n && offset + len <= EXT4_BLOCK_BYTES, "poke a block that is not there");
	put(s, bytes, len, s->blocks[i].block * EXT4_BLOCK_BYTES + offset);
}

static uint32_t fs_seed(struct ext4_sample *s)
{
	struct ext2_super_block sb;

	get(s, &sb, sizeof(sb), 1024);
	return le32toh(sb.s_checksum_seed);
}

static uint32_t inode_seed(struct ext4_sample *s, uint32_t number)
{
	uint8_t generation[4];

	get(s, generation, 4, inode_at(s, number) + INODE_GENERATION);
	return ext4_inode_seed(fs_seed(s), number, get_le32(generation));
}

static void sign_inode(struct ext4_sample *s, uint32_t number)
{
	uint8_t raw[EXT4_INODE_BYTES];
	uint32_t crc;

	get(s, raw, sizeof(raw), inode_at(s, number));
	if (raw[0] == 0 && memcmp(raw, raw + 1, sizeof(raw) - 1) == 0)
		return; /* never used, and without a checksum */
	put_le16(raw + INODE_CHECKSUM_LO, 0);
	put_le16(raw + INODE_CHECKSUM_HI, 0);
	crc = ext4_crc32c(inode_seed(s, number), raw, sizeof(raw));
	put_le16(raw + INODE_CHECKSUM_LO, (uint16_t)crc);
	put_le16(raw + INODE_CHECKSUM_HI, (uint16_t)(crc >> 16));
	put(s, raw, sizeof(raw), inode_at(s, number));
}

static void sign_super(struct ext4_sample *s)
{
	uint8_t raw[1024], group[GROUP_BYTES];
	uint32_t zero = 0, crc;

	get(s, raw, sizeof(raw), 1024);
	put_le32(raw + SUPER_CHECKSUM, ext4_crc32c(~0U, raw, SUPER_CHECKSUM));
	put(s, raw, sizeof(raw), 1024);
	get(s, group, sizeof(group), EXT4_BLOCK_BYTES);
	put_le16(group + GROUP_CHECKSUM, 0);
	crc = ext4_crc32c(fs_seed(s), &zero, sizeof(zero));
	crc = ext4_crc32c(crc, group, sizeof(group));
	put_le16(group + GROUP_CHECKSUM, (uint16_t)crc);
	put(s, group, sizeof(group), EXT4_BLOCK_BYTES);
}

/* Only where the block still says that its index fits. */
static bool index_is_sane(const struct ext4_sample_block *b, const uint8_t *raw)
{
	size_t at = b->logical == 0 ? 32 : 8;
	size_t limit = get_le16(raw + at), count = get_le16(raw + at + 2);

	return !b->indexed || (count <= limit && at + limit * 8 + 8 <= EXT4_BLOCK_BYTES);
}

static void sign_block(struct ext4_sample *s, const struct ext4_sample_block *b)
{
	uint8_t raw[EXT4_BLOCK_BYTES];
	uint64_t at = b->block * EXT4_BLOCK_BYTES;
	uint8_t number[8], zeros[4] = {0};
	uint32_t crc;

	get(s, raw, sizeof(raw), at);
	if (b->kind == SAMPLE_DIRECTORY && index_is_sane(b, raw)) {
		ext4_dir_set_checksum(inode_seed(s, b->inode), raw, b->indexed, b->logical);
	} else if (b->kind == SAMPLE_EXTENTS) {
		size_t tail = 12 + 12 * (size_t)get_le16(raw + 4);

		if (tail + 4 > sizeof(raw))
			return;
		put_le32(raw + tail, ext4_crc32c(inode_seed(s, b->inode), raw, tail));
	} else if (b->kind == SAMPLE_XATTRS) {
		put_le64(number, b->block);
		crc = ext4_crc32c(fs_seed(s), number, sizeof(number));
		crc = ext4_crc32c(crc, raw, 16);
		crc = ext4_crc32c(crc, zeros, 4);
		put_le32(raw + 16, ext4_crc32c(crc, raw + 20, sizeof(raw) - 20));
	}
	put(s, raw, sizeof(raw), at);
}

void ext4_sample_sign(struct ext4_sample *s)
{
	sign_super(s);
	for (uint32_t number = 1; number <= s->inodes; number++)
		sign_inode(s, number);
	for (size_t i = 0; i < s->n; i++)
		sign_block(s, &s->blocks[i]);
}

/* --- reading ---------------------------------------------------------------------------------- */

struct reading {
	struct ext4_reader *r;
	size_t names, paths;
	uint64_t sum; /* of all bytes seen, so that they are looked at */
};

static void look_at(struct reading *s, const void *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		s->sum = s->sum * 31 + ((const uint8_t *)data)[i];
}

static int read_xattr(const struct ext4_xattr *x, void *arg, struct error *err)
{
	(void)err;
	look_at(arg, x->name, strlen(x->name));
	look_at(arg, x->value, x->value_len);
	return 0;
}

static int read_content(struct reading *s, const struct ext4_stat *st, struct error *err)
{
	static uint8_t buf[READ_MAX];
	uint64_t offset = 0, len;
	size_t n;
	int rc;

	while ((rc = ext4_reader_next_data(s->r, st->inode, offset, &offset, &len, err)) == 0) {
		size_t want = len < sizeof(buf) ? (size_t)len : sizeof(buf);

		if (ext4_reader_read(s->r, st->inode, buf, want, offset, &n, err) < 0)
			return -1;
		look_at(s, buf, n);
		offset += len;
	}
	return rc < 0 ? -1 : ext4_reader_read(s->r, st->inode, buf, sizeof(buf), 1, &n, err);
}

/* What is not found or damaged does not matter to us here, but that a read failed does. */
static int pass_on_failure(const struct error *other, struct error *err)
{
	if (other->kind != ERR_SYSTEM)
		return 0;
	*err = *other;
	return -1;
}

/* A name the walk has found is found by its path, too. What a link leads to may be anything. */
static int read_path(struct reading *s, const char *path, struct error *err)
{
	struct buffer content = {0};
	struct error other = {0};
	struct ext4_stat st;
	uint32_t inode;
	int rc;

	rc = ext4_reader_resolve(s->r, path, &inode, err);
	if (rc == 0)
		rc = ext4_reader_stat(s->r, inode, &st, err);
	if (rc < 0 && (err->kind == ERR_NOT_FOUND || err->kind == ERR_INVALID))
		rc = 0;
	if (ext4_reader_read_file(s->r, path, READ_MAX, &content, &other) == 0)
		look_at(s, content.data, content.len);
	else if (rc == 0)
		rc = pass_on_failure(&other, err);
	buffer_release(&content);
	return rc;
}

/* What callers make paths of the host from. */
static void need_names(const char *path)
{
	const char *at = path;

	while (*at) {
		size_t n = strcspn(at, "/");

		need(n > 0 && n <= EXT4_NAME_MAX, "an empty or endless name came through");
		need(strncmp(at, ".", n) != 0 && strncmp(at, "..", n) != 0, "a dot came through");
		at += n;
		if (*at == '/')
			need(*++at != '\0', "an empty name came through");
	}
}

static int read_node(const char *path, const struct ext4_stat *st, void *arg, struct error *err)
{
	struct reading *s = arg;
	struct buffer target = {0};
	struct error other = {0};
	uint32_t found;
	int rc = 0;

	s->names++;
	need_names(path);
	look_at(s, path, strlen(path));
	if (LINUX_S_ISREG(st->meta.mode))
		rc = read_content(s, st, err);
	else if (LINUX_S_ISLNK(st->meta.mode))
		rc = ext4_reader_readlink(s->r, st->inode, &target, err);
	else if (LINUX_S_ISDIR(st->meta.mode)
		 && ext4_reader_lookup(s->r, st->inode, "x", 1, &found, &other) < 0)
		rc = pass_on_failure(&other, err);
	look_at(s, target.data, target.len);
	buffer_release(&target);
	if (rc >= 0 && strncmp(path, "d/", 2) != 0 && s->paths++ < PATHS_MAX)
		rc = read_path(s, path, err);
	return rc < 0 ? rc : ext4_reader_xattrs(s->r, st->inode, read_xattr, s, err);
}

int ext4_sample_read_all(struct thin_volume *volume, size_t *ret_names, struct error *err)
{
	struct reading s = {0};
	int rc;

	if (ext4_reader_open(volume, &s.r, err) < 0)
		return -1;
	rc = ext4_reader_walk(s.r, read_node, &s, err);
	ext4_reader_close(s.r);
	*ret_names = s.names;
	return rc;
}
