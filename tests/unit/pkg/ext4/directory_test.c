/* SPDX-License-Identifier: Apache-2.0 */
/* Directories of all sizes, judged by e2fsck and by the kernel; blocks made to do harm. */
#include "pkg/ext4/directory.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "pkg/base/alloc.h"
#include "pkg/base/bytes.h"
#include "pkg/ext4/base.h"
#include "pkg/ext4/checksum.h"
#include "pkg/ext4/extents.h"
#include "pkg/ext4/io.h"
#include "tests/support/e2fsprogs.h"
#include "tests/support/memory_volume.h"

enum { DIR_INODE = 11, FIRST_FILE = 12, LINKS = 60000, DIR_BLOCK = 40000 };

/* A list of names and the memory behind them. */
struct names {
	struct ext4_dir_entry *entries;
	size_t n;
};

static void names_free(struct names *l)
{
	for (size_t i = 0; i < l->n; i++)
		free((char *)(uintptr_t)l->entries[i].name);
	free(l->entries);
}

static void set_name(struct names *l, size_t i, const char *name, size_t len)
{
	l->entries[i] = (struct ext4_dir_entry){
		.name = xmemdup(name, len),
		.name_len = (uint8_t)len,
		.type = EXT4_DIR_REGULAR,
		.inode = FIRST_FILE + (uint32_t)(i / LINKS),
	};
}

/* Distinct names of any bytes; the number in front keeps them apart. */
static struct names random_names(size_t n, size_t len_min, size_t len_max)
{
	struct names l = {xcalloc(n + 1, sizeof(l.entries[0])), n};

	for (size_t i = 0; i < n; i++) {
		char name[EXT4_NAME_MAX + 1];
		size_t len = len_min + (size_t)rand() % (len_max - len_min + 1);
		size_t digits = (size_t)snprintf(name, sizeof(name), "%zx.", i);

		for (size_t k = digits; k < len; k++) {
			name[k] = (char)(rand() % 255 + 1);
			if (name[k] == '/')
				name[k] = '_';
		}
		set_name(&l, i, name, len > digits ? len : digits);
	}
	return l;
}

static struct memory_volume *base(ext2_filsys *ret)
{
	struct memory_volume *v = memory_volume_new(512ULL << 20, 0);
	struct ext4_base_params params = {.inodes = 4096};
	struct error err = {0};

	assert_int_equal(ext4_base_create(&v->volume, &params, &err), 0);
	assert_int_equal(ext4_io_open(&v->volume, EXT4_IO_WRITE, ret, &err), 0);
	assert_int_equal(ext2fs_read_bitmaps(*ret), 0);
	return v;
}

static struct ext4_dir_owner owner_of(ext2_filsys fs)
{
	struct ext4_dir_owner o = {.inode = DIR_INODE, .parent = EXT2_ROOT_INO};

	o.seed = ext4_inode_seed(fs->csum_seed, DIR_INODE, 0);
	memcpy(o.hash_seed, fs->super->s_hash_seed, sizeof(o.hash_seed));
	return o;
}

static void write_inode(ext2_filsys fs, ext2_ino_t ino, struct ext2_inode_large *inode, int is_dir)
{
	inode->i_extra_isize = 32;
	assert_int_equal(ext2fs_write_inode_full(fs, ino, (struct ext2_inode *)inode,
						 sizeof(*inode)),
			 0);
	ext2fs_inode_alloc_stats2(fs, ino, +1, is_dir);
}

/* Put the blocks into the file system as the directory /d, and the files its names mean. */
static void install(ext2_filsys fs, const struct buffer *blocks, bool indexed, size_t n)
{
	uint32_t count = (uint32_t)(blocks->len / EXT4_BLOCK_BYTES), i;
	struct ext4_extent extent = {.logical = 0, .physical = DIR_BLOCK, .len = count};
	struct ext2_inode_large dir = {.i_mode = LINUX_S_IFDIR | 0755, .i_links_count = 2};
	struct error err = {0};
	ext2_ino_t ino = FIRST_FILE;

	for (i = 0; i < count; i++)
		ext2fs_block_alloc_stats2(fs, DIR_BLOCK + i, +1);
	assert_int_equal(ext4_io_write_blocks(fs, DIR_BLOCK, count, blocks->data, &err), 0);
	dir.i_flags = EXT4_EXTENTS_FL | (indexed ? EXT2_INDEX_FL : 0);
	dir.i_size = (uint32_t)blocks->len;
	dir.i_blocks = count * 8;
	ext4_extents_encode(&extent, 1, 0, NULL, (uint8_t *)dir.i_block, (uint8_t *)&i);
	write_inode(fs, DIR_INODE, &dir, 1);
	assert_int_equal(ext2fs_link(fs, EXT2_ROOT_INO, "d", DIR_INODE, EXT2_FT_DIR), 0);
	assert_int_equal(ext2fs_read_inode_full(fs, EXT2_ROOT_INO, (struct ext2_inode *)&dir,
						sizeof(dir)),
			 0);
	dir.i_links_count++;
	assert_int_equal(ext2fs_write_inode_full(fs, EXT2_ROOT_INO, (struct ext2_inode *)&dir,
						 sizeof(dir)),
			 0);
	for (; n > 0; ino++) {
		size_t links = n < LINKS ? n : LINKS;
		struct ext2_inode_large file = {.i_mode = LINUX_S_IFREG | 0644};

		file.i_links_count = (uint16_t)links;
		file.i_flags = EXT4_EXTENTS_FL;
		ext4_extents_encode(NULL, 0, 0, NULL, (uint8_t *)file.i_block, (uint8_t *)&i);
		write_inode(fs, ino, &file, 0);
		n -= links;
	}
	assert_int_equal(ext2fs_flush(fs), 0);
	ext4_io_close(fs);
}

static struct memory_volume *make(const struct names *l, bool *ret_indexed)
{
	cleanup_buffer struct buffer blocks = {0};
	struct error err = {0};
	struct ext4_dir_owner owner;
	ext2_filsys fs;
	struct memory_volume *v = base(&fs);

	owner = owner_of(fs);
	if (ext4_dir_encode(&owner, l->entries, l->n, &blocks, ret_indexed, &err) < 0)
		fail_msg("%s", err.cause);
	assert_int_equal(*ret_indexed, blocks.len > EXT4_BLOCK_BYTES);
	install(fs, &blocks, *ret_indexed, l->n);
	return v;
}

/* --- judged by others ------------------------------------------------------------------------- */

static void e2fsck_agrees_with_all_sizes(void **state)
{
	static const struct {
		size_t n, len_min, len_max;
	} cases[] = {{0, 1, 1},	       {1, 1, 1},      {2, 255, 255},	 {15, 255, 255},
		     {16, 10, 255},    {100, 1, 30},   {150, 1, 30},	 {400, 1, 20},
		     {5000, 1, 255},   {60000, 8, 40}, {6591, 255, 255}, {6592, 255, 255},
		     {20000, 255, 255}};
	size_t i;

	(void)state;
	srand(1);
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct names l = random_names(cases[i].n, cases[i].len_min, cases[i].len_max);
		bool indexed;
		struct memory_volume *v = make(&l, &indexed);

		assert_true(e2fsck_is_clean(v));
		memory_volume_free(v);
		names_free(&l);
	}
}

static void debugfs_dumps_the_index_without_complaint(void **state)
{
	struct names l;
	struct memory_volume *v;
	bool indexed;
	char *out;

	(void)state;
	srand(2);
	l = random_names(20000, 200, 255);
	v = make(&l, &indexed);
	out = debugfs_output(v, "htree_dump /d");
	assert_non_null(strstr(out, "Indirect levels: 1"));
	assert_non_null(strstr(out, "Hash Version: 1"));
	assert_null(strstr(out, "ERROR"));
	assert_null(strstr(out, "orrupt"));
	free(out);
	memory_volume_free(v);
	names_free(&l);
}

/* Mount the volume at <dir>/m, returns whether it worked. */
static bool mount_at(const struct memory_volume *v, const char *dir)
{
	cleanup_free char *image = xasprintf("%s/image", dir);

	memory_volume_dump(v, image);
	return command_run(NULL, "cd '%s' && mkdir m && mount -o loop,noatime image m", dir) == 0;
}

static void assert_all_found(const struct names *l, const char *dir)
{
	cleanup_free char *path = xasprintf("%s/m/d", dir);
	cleanup_fd int fd = open(path, O_RDONLY | O_DIRECTORY);

	assert_true(fd >= 0);
	for (size_t i = 0; i < l->n; i++) {
		cleanup_free char *name = xstrndup(l->entries[i].name, l->entries[i].name_len);
		struct stat st;

		if (fstatat(fd, name, &st, 0) < 0)
			fail_msg("the kernel does not find name %zu", i);
		assert_int_equal(st.st_ino, l->entries[i].inode);
	}
}

static void the_kernel_finds_every_name(void **state)
{
	static const struct {
		size_t n, len_min, len_max;
	} cases[] = {{15, 1, 255}, {2000, 1, 60}, {8000, 255, 255}};
	size_t i;

	(void)state;
	if (!can_loop_mount())
		skip();
	srand(3);
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct names l = random_names(cases[i].n, cases[i].len_min, cases[i].len_max);
		bool indexed;
		struct memory_volume *v = make(&l, &indexed);
		char *dir = scratch_new();

		assert_true(mount_at(v, dir));
		assert_all_found(&l, dir);
		assert_int_equal(command_run(NULL, "umount '%s/m'", dir), 0);
		scratch_free(dir);
		memory_volume_free(v);
		names_free(&l);
	}
}

static void the_kernel_can_go_on_from_our_index(void **state)
{
	struct names l;
	struct memory_volume *v, *after;
	bool indexed;
	char *dir, *image;

	(void)state;
	if (!can_loop_mount())
		skip();
	srand(4);
	l = random_names(3000, 100, 255);
	v = make(&l, &indexed);
	dir = scratch_new();
	image = xasprintf("%s/image", dir);
	assert_true(mount_at(v, dir));
	assert_int_equal(command_run(NULL,
				     "cd '%s/m/d' && seq -f 'new%%g' 1 3000 | xargs touch && "
				     "seq -f 'new%%g' 1 2 1000 | xargs rm",
				     dir),
			 0);
	assert_all_found(&l, dir);
	assert_int_equal(command_run(NULL, "umount '%s/m'", dir), 0);
	after = memory_volume_load(image, 0);
	assert_true(e2fsck_is_clean(after));
	memory_volume_free(after);
	scratch_free(dir);
	free(image);
	memory_volume_free(v);
	names_free(&l);
}

/* --- equal hashes ----------------------------------------------------------------------------- */

static struct ext4_dir_owner sort_owner;

static int by_hash(const void *pa, const void *pb)
{
	const struct ext4_dir_entry *a = pa, *b = pb;
	uint32_t minor_a, minor_b;
	uint32_t x = ext4_dir_hash(&sort_owner, a->name, a->name_len, &minor_a);
	uint32_t y = ext4_dir_hash(&sort_owner, b->name, b->name_len, &minor_b);

	if (x != y)
		return x < y ? -1 : 1;
	return minor_a < minor_b ? -1 : minor_a > minor_b;
}

/* The first position from `from` on where two names have one hash. */
static size_t find_pair(const struct names *l, size_t from)
{
	for (size_t i = from; i + 1 < l->n; i++) {
		const struct ext4_dir_entry *a = &l->entries[i], *b = a + 1;

		if (ext4_dir_hash(&sort_owner, a->name, a->name_len, NULL)
		    == ext4_dir_hash(&sort_owner, b->name, b->name_len, NULL))
			return i;
	}
	return l->n;
}

/*
 * 150,000 names have a few pairs of equal hashes. Drop names in front of one until the pair is
 * parted by the end of a leaf (13 names of 255 bytes each), and again with the end of a node.
 */
static void equal_hashes_may_be_parted_by_a_leaf_or_a_node(void **state)
{
	static const size_t borders[] = {13, 13 * 510};
	struct names all;
	ext2_filsys fs;
	size_t i, pair;

	(void)state;
	srand(5);
	memory_volume_free(base(&fs));
	sort_owner = owner_of(fs);
	ext4_io_close(fs);
	all = random_names(150000, 255, 255);
	qsort(all.entries, all.n, sizeof(all.entries[0]), by_hash);
	pair = find_pair(&all, borders[1]);
	assert_true(pair < all.n - 1000);
	for (i = 0; i < ARRAY_SIZE(borders); i++) {
		size_t first = pair + 1 - borders[i];
		struct names part = {all.entries + first, borders[i] + 200};
		struct names copy = {xcalloc(20000, sizeof(copy.entries[0])), 0};
		bool indexed;
		struct memory_volume *v;
		char *out, *dir;

		for (; copy.n < part.n; copy.n++)
			set_name(&copy, copy.n, part.entries[copy.n].name, 255);
		/* more of them, so that there is a level of nodes */
		for (size_t k = pair + 300; copy.n < 13 * 520 && k < all.n; k++, copy.n++)
			set_name(&copy, copy.n, all.entries[k].name, 255);
		v = make(&copy, &indexed);
		assert_true(e2fsck_is_clean(v));
		out = debugfs_output(v, "htree_dump /d");
		assert_null(strstr(out, "ERROR"));
		free(out);
		if (can_loop_mount()) {
			dir = scratch_new();
			assert_true(mount_at(v, dir));
			assert_all_found(&copy, dir);
			assert_int_equal(command_run(NULL, "umount '%s/m'", dir), 0);
			scratch_free(dir);
		}
		memory_volume_free(v);
		names_free(&copy);
	}
	names_free(&all);
}

/* --- our own reading -------------------------------------------------------------------------- */

static size_t count_names(const struct buffer *blocks, const struct ext4_dir_owner *o, bool indexed)
{
	size_t n = 0;

	for (size_t b = 0; b < blocks->len / EXT4_BLOCK_BYTES; b++) {
		const uint8_t *block = blocks->data + b * EXT4_BLOCK_BYTES;
		struct ext4_dir_cursor c = {.block = block, .block_bytes = EXT4_BLOCK_BYTES};
		struct ext4_dir_entry e;
		struct error err = {0};
		int rc;

		assert_true(ext4_dir_checksum_holds(o->seed, block, EXT4_BLOCK_BYTES, indexed, b));
		while ((rc = ext4_dir_next(&c, &e, &err)) == 0)
			n += !ext4_dir_is_dot(&e);
		assert_int_equal(rc, 1);
	}
	return n;
}

static void the_cursor_reads_what_was_encoded(void **state)
{
	static const size_t sizes[] = {0, 1, 50, 500, 7000};
	struct ext4_dir_owner owner = {.inode = 5, .parent = 6, .seed = 7, .hash_seed = {1, 2, 3}};
	size_t i;

	(void)state;
	srand(6);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		cleanup_buffer struct buffer blocks = {0};
		struct names l = random_names(sizes[i], 1, 255);
		struct error err = {0};
		bool indexed;

		assert_int_equal(ext4_dir_encode(&owner, l.entries, l.n, &blocks, &indexed, &err),
				 0);
		assert_int_equal(count_names(&blocks, &owner, indexed), l.n);
		names_free(&l);
	}
}

static void the_order_given_does_not_matter(void **state)
{
	static const size_t sizes[] = {10, 3000};
	struct ext4_dir_owner owner = {.inode = 5, .parent = 6, .seed = 7};
	size_t i;

	(void)state;
	srand(7);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		cleanup_buffer struct buffer a = {0}, b = {0};
		struct names l = random_names(sizes[i], 5, 50);
		struct error err = {0};
		bool indexed;

		assert_int_equal(ext4_dir_encode(&owner, l.entries, l.n, &a, &indexed, &err), 0);
		for (size_t k = 0; k < l.n; k++) {
			size_t other = (size_t)rand() % l.n;
			struct ext4_dir_entry e = l.entries[k];

			l.entries[k] = l.entries[other];
			l.entries[other] = e;
		}
		assert_int_equal(ext4_dir_encode(&owner, l.entries, l.n, &b, &indexed, &err), 0);
		assert_int_equal(a.len, b.len);
		assert_memory_equal(a.data, b.data, a.len);
		names_free(&l);
	}
}

static void bad_names_are_refused(void **state)
{
	static const struct ext4_dir_entry cases[][2] = {
		{{"a", 1, EXT4_DIR_REGULAR, 12}, {"a", 1, EXT4_DIR_REGULAR, 13}},
		{{".", 1, EXT4_DIR_DIRECTORY, 12}, {"a", 1, EXT4_DIR_REGULAR, 13}},
		{{"..", 2, EXT4_DIR_DIRECTORY, 12}, {"a", 1, EXT4_DIR_REGULAR, 13}},
		{{"", 0, EXT4_DIR_REGULAR, 12}, {"a", 1, EXT4_DIR_REGULAR, 13}},
	};
	struct ext4_dir_owner owner = {.inode = 5, .parent = 6};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup_buffer struct buffer blocks = {0};
		struct error err = {0};
		bool indexed;

		assert_int_equal(ext4_dir_encode(&owner, cases[i], 2, &blocks, &indexed, &err), -1);
		assert_int_equal(err.kind, ERR_INVALID);
	}
}

static void every_flipped_byte_breaks_the_checksum(void **state)
{
	struct ext4_dir_owner owner = {.inode = 5, .parent = 6, .seed = 99};
	cleanup_buffer struct buffer blocks = {0};
	struct names l;
	struct error err = {0};
	bool indexed;
	size_t i, unused = 0;

	(void)state;
	srand(8);
	l = random_names(200, 1, 100);
	assert_int_equal(ext4_dir_encode(&owner, l.entries, l.n, &blocks, &indexed, &err), 0);
	assert_true(indexed);
	for (i = 0; i < blocks.len; i++) {
		size_t b = i / EXT4_BLOCK_BYTES;

		blocks.data[i] ^= 0x10;
		unused += ext4_dir_checksum_holds(owner.seed, blocks.data + b * EXT4_BLOCK_BYTES,
						  EXT4_BLOCK_BYTES, indexed, b);
		blocks.data[i] ^= 0x10;
	}
	/* an index covers only the entries in use: the rest of block 0 is free to change */
	assert_true(unused < EXT4_BLOCK_BYTES);
	names_free(&l);
}

/* Under the address sanitizer: no byte outside the block is looked at, and each cursor ends. */
static void blocks_of_any_bytes_are_read_to_an_end(void **state)
{
	static const size_t sizes[] = {1024, 4096, 65536};
	size_t round, good = 0;

	(void)state;
	srand(9);
	for (round = 0; round < 3000; round++) {
		size_t size = sizes[round % 3], steps = 0, i;
		cleanup_free uint8_t *block = xmalloc(size);
		struct ext4_dir_cursor c = {.block = block, .block_bytes = size};
		struct ext4_dir_entry e;
		struct error err = {0};
		int rc;

		memset(block, 0, size);
		for (i = 0; i + 12 <= size; i += 12) { /* nearly right */
			put_le32(block + i, (uint32_t)rand() % 3);
			block[i + 4] = (uint8_t)(rand() % 50 ? 12 : rand());
			block[i + 6] = (uint8_t)(rand() % 50 ? 2 : rand());
			block[i + 7] = (uint8_t)rand();
			block[i + 8] = (uint8_t)(rand() % 50 ? 'a' : rand());
			block[i + 9] = 'b';
		}
		if (rand() % 2)
			block[i - 12 + 4] = (uint8_t)(12 + size - i);
		while ((rc = ext4_dir_next(&c, &e, &err)) == 0) {
			assert_true((const uint8_t *)e.name >= block);
			assert_true((const uint8_t *)e.name + e.name_len <= block + size);
			assert_true(e.type < EXT4_DIR_TYPES);
			assert_true(++steps <= size / 12);
		}
		good += rc == 1;
		(void)!ext4_dir_checksum_holds(1, block, size, rand() % 2, (uint64_t)(rand() % 2));
	}
	assert_true(good > 0 && good < 3000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(e2fsck_agrees_with_all_sizes),
		cmocka_unit_test(debugfs_dumps_the_index_without_complaint),
		cmocka_unit_test(the_kernel_finds_every_name),
		cmocka_unit_test(the_kernel_can_go_on_from_our_index),
		cmocka_unit_test(equal_hashes_may_be_parted_by_a_leaf_or_a_node),
		cmocka_unit_test(the_cursor_reads_what_was_encoded),
		cmocka_unit_test(the_order_given_does_not_matter),
		cmocka_unit_test(bad_names_are_refused),
		cmocka_unit_test(every_flipped_byte_breaks_the_checksum),
		cmocka_unit_test(blocks_of_any_bytes_are_read_to_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
