/* SPDX-License-Identifier: Apache-2.0 */
/* Attributes in the inode, a block and inodes of their own: e2fsck, the kernel, and hostile bytes. */
#include "pkg/ext4/xattr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <cmocka.h>

#include "pkg/base/alloc.h"
#include "pkg/base/bytes.h"
#include "pkg/ext4/base.h"
#include "pkg/ext4/checksum.h"
#include "pkg/ext4/extents.h"
#include "pkg/ext4/io.h"
#include "tests/support/e2fsprogs.h"
#include "tests/support/memory_volume.h"

enum { FILE_INODE = 11, FIRST_VALUE = 12, FIRST_BLOCK = 40000 };

/* --- lists ------------------------------------------------------------------------------------ */

struct list {
	struct ext4_xattr *items;
	size_t n;
};

static void list_free(struct list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free((char *)(uintptr_t)l->items[i].name);
		free((void *)(uintptr_t)l->items[i].value);
	}
	free(l->items);
	*l = (struct list){0};
}

static void add(struct list *l, char *name, const void *value, size_t len)
{
	l->items = xrealloc(l->items, l->n + 1, sizeof(l->items[0]));
	l->items[l->n++] = (struct ext4_xattr){name, xmemdup(value, len), len};
}

static void add_random(struct list *l, char *name, size_t len)
{
	cleanup_free uint8_t *value = xmalloc(len + 1);

	for (size_t i = 0; i < len; i++)
		value[i] = (uint8_t)rand();
	add(l, name, value, len);
}

static const uint8_t ACL[] = {2,    0, 0, 0, /* version */
			      1,    0, 6, 0, 0xff, 0xff, 0xff, 0xff,
			      2,    0, 4, 0, 0xe8, 3,	 0,    0, /* user */
			      4,    0, 4, 0, 0xff, 0xff, 0xff, 0xff,
			      8,    0, 4, 0, 0xe9, 3,	 0,    0,    /* group */
			      0x10, 0, 4, 0, 0xff, 0xff, 0xff, 0xff, /* mask */
			      0x20, 0, 4, 0, 0xff, 0xff, 0xff, 0xff};

/* Several hundred bytes, thousands, or much more. */
static struct list random_list(size_t n, size_t value_max)
{
	static const char *const prefixes[] = {"user.", "trusted.", "security."};
	struct list l = {0};

	for (size_t i = 0; i < n; i++) {
		size_t pad = (size_t)rand() % 20;

		add_random(&l,
			   xasprintf("%s%.*s%zu", prefixes[rand() % 3], (int)pad,
				     "abcdefghijklmnopqrst", i),
			   (size_t)rand() % (value_max + 1));
	}
	return l;
}

/* --- a file system with one file that has them ------------------------------------------------ */

static void write_inode(ext2_filsys fs, ext2_ino_t ino, const uint8_t *raw)
{
	assert_int_equal(ext2fs_write_inode_full(fs, ino, (struct ext2_inode *)(uintptr_t)raw, 256),
			 0);
	ext2fs_inode_alloc_stats2(fs, ino, +1, 0);
}

static uint64_t take_blocks(ext2_filsys fs, uint64_t *next, size_t n)
{
	uint64_t first = *next;

	for (size_t i = 0; i < n; i++)
		ext2fs_block_alloc_stats2(fs, (*next)++, +1);
	return first;
}

static void write_value(ext2_filsys fs, ext2_ino_t ino, uint64_t *next,
			const struct ext4_xattr_item *item)
{
	size_t blocks = (item->value_len + EXT4_BLOCK_BYTES - 1) / EXT4_BLOCK_BYTES;
	uint64_t first = take_blocks(fs, next, blocks);
	struct ext4_extent e = {.physical = first, .len = (uint32_t)blocks};
	union {
		struct ext2_inode_large inode;
		uint8_t raw[256];
	} u = {0};
	cleanup_free uint8_t *data = xcalloc(blocks, EXT4_BLOCK_BYTES);
	struct error err = {0};

	memcpy(data, item->value, item->value_len);
	assert_int_equal(ext4_io_write_blocks(fs, first, blocks, data, &err), 0);
	u.inode.i_mode = LINUX_S_IFREG | 0600;
	u.inode.i_links_count = 1;
	u.inode.i_extra_isize = 32;
	u.inode.i_flags = EXT4_EA_INODE_FL | EXT4_EXTENTS_FL;
	u.inode.i_size = (uint32_t)item->value_len;
	u.inode.i_blocks = (uint32_t)blocks * 8;
	u.inode.i_atime = item->value_hash;
	u.inode.osd1.linux1.l_i_version = 1;
	ext4_extents_encode(&e, blocks ? 1 : 0, 0, NULL, (uint8_t *)u.inode.i_block, u.raw);
	write_inode(fs, ino, u.raw);
}

static void install(ext2_filsys fs, struct ext4_xattr_plan *plan, uint32_t mode)
{
	uint64_t next = FIRST_BLOCK, number = 0;
	uint8_t block[EXT4_BLOCK_BYTES];
	ext2_ino_t ino = FIRST_VALUE;
	uint32_t sectors = 0;
	struct error err = {0};
	union {
		struct ext2_inode_large inode;
		uint8_t raw[256];
	} u = {0};

	for (size_t i = 0; i < plan->n; i++) {
		struct ext4_xattr_item *item = &plan->items[i];

		if (!item->separate)
			continue;
		item->value_inode = ino;
		write_value(fs, ino++, &next, item);
		/* the owner is charged for them */
		sectors += (uint32_t)((item->value_len + 4095) / 4096 * 8);
	}
	if (plan->needs_block) {
		number = take_blocks(fs, &next, 1);
		ext4_xattr_encode_block(plan, fs->csum_seed, number, block);
		assert_int_equal(ext4_io_write_blocks(fs, number, 1, block, &err), 0);
		sectors += 8;
	}
	ext4_extents_encode(NULL, 0, 0, NULL, (uint8_t *)u.inode.i_block, block);
	u.inode.i_mode = (uint16_t)mode;
	u.inode.i_links_count = 1;
	u.inode.i_extra_isize = 32;
	u.inode.i_flags = EXT4_EXTENTS_FL;
	u.inode.i_file_acl = (uint32_t)number;
	u.inode.i_blocks = sectors;
	ext4_xattr_encode_inode(plan, u.raw + 160);
	write_inode(fs, FILE_INODE, u.raw);
	assert_int_equal(ext2fs_link(fs, EXT2_ROOT_INO, "f", FILE_INODE, EXT2_FT_REG_FILE), 0);
	assert_int_equal(ext2fs_flush(fs), 0);
	ext4_io_close(fs);
}

static struct memory_volume *make(const struct list *l, struct ext4_xattr_plan *ret)
{
	struct memory_volume *v = memory_volume_new(256ULL << 20, 0);
	struct ext4_base_params params = {0};
	struct error err = {0};
	ext2_filsys fs;

	assert_int_equal(ext4_base_create(&v->volume, &params, &err), 0);
	assert_int_equal(ext4_io_open(&v->volume, EXT4_IO_WRITE, &fs, &err), 0);
	assert_int_equal(ext2fs_read_bitmaps(fs), 0);
	if (ext4_xattr_plan(l->items, l->n, fs->csum_seed, ret, &err) < 0)
		fail_msg("%s", err.cause);
	install(fs, ret, LINUX_S_IFREG | 0640);
	return v;
}

/* --- what others say -------------------------------------------------------------------------- */

static void assert_kernel_agrees(const struct memory_volume *v, const struct list *l)
{
	char *dir, *image, *file;

	if (!can_loop_mount())
		return;
	dir = scratch_new();
	image = xasprintf("%s/image", dir);
	file = xasprintf("%s/m/f", dir);
	memory_volume_dump(v, image);
	assert_int_equal(command_run(NULL, "cd '%s' && mkdir m && mount -o loop,noatime image m",
				     dir),
			 0);
	for (size_t i = 0; i < l->n; i++) {
		cleanup_free uint8_t *got = xmalloc(EXT4_XATTR_VALUE_MAX + 1);
		ssize_t n = getxattr(file, l->items[i].name, got, EXT4_XATTR_VALUE_MAX);

		if (n < 0)
			perror(l->items[i].name);
		assert_int_equal(n, l->items[i].value_len);
		assert_memory_equal(got, l->items[i].value, l->items[i].value_len);
	}
	/* and the kernel can go on from there */
	assert_int_equal(setxattr(file, "user.later", "x", 1, 0), 0);
	assert_int_equal(removexattr(file, "user.later"), 0);
	assert_int_equal(removexattr(file, l->items[0].name), 0);
	assert_int_equal(command_run(NULL, "umount '%s/m' && e2fsck -fn '%s'", dir, image), 0);
	scratch_free(dir);
	free(image);
	free(file);
}

static void assert_all_agree(const struct list *l, size_t want_separate)
{
	struct ext4_xattr_plan plan;
	struct memory_volume *v = make(l, &plan);
	size_t separate = 0;

	for (size_t i = 0; i < plan.n; i++)
		separate += plan.items[i].separate;
	assert_int_equal(separate, want_separate);
	assert_true(e2fsck_is_clean(v));
	assert_kernel_agrees(v, l);
	ext4_xattr_plan_release(&plan);
	memory_volume_free(v);
}

static void a_capability_stays_in_the_inode(void **state)
{
	struct list l = {0};
	struct ext4_xattr_plan plan;
	static const uint8_t cap[20] = {1, 0, 0, 2, 0, 4};
	struct memory_volume *v;

	(void)state;
	add(&l, xstrdup("security.capability"), cap, sizeof(cap));
	v = make(&l, &plan);
	assert_true(plan.needs_inode_area);
	assert_false(plan.needs_block);
	assert_true(e2fsck_is_clean(v));
	assert_kernel_agrees(v, &l);
	ext4_xattr_plan_release(&plan);
	memory_volume_free(v);
	list_free(&l);
}

static void acls_survive_both_ways(void **state)
{
	struct list l = {0};

	(void)state;
	add(&l, xstrdup("system.posix_acl_access"), ACL, sizeof(ACL));
	add(&l, xstrdup("user.empty"), "", 0);
	assert_all_agree(&l, 0);
	list_free(&l);
}

static void a_block_takes_what_the_inode_does_not(void **state)
{
	struct list l;

	(void)state;
	srand(1);
	l = random_list(30, 60);
	assert_all_agree(&l, 0);
	list_free(&l);
	l = random_list(1, 0);
	add_random(&l, xstrdup("user.big"), 3900);
	assert_all_agree(&l, 0);
	list_free(&l);
}

static void large_values_get_inodes_of_their_own(void **state)
{
	struct list l = {0};

	(void)state;
	srand(2);
	add_random(&l, xstrdup("user.a"), 65536);
	add_random(&l, xstrdup("user.bb"), 5000);
	add_random(&l, xstrdup("security.c"), 3000);
	add_random(&l, xstrdup("trusted.d"), 1);
	assert_all_agree(&l, 2);
	list_free(&l);
	/* no single one is too large, but all together are */
	for (int i = 0; i < 8; i++)
		add_random(&l, xasprintf("user.n%d", i), (size_t)(1000 + i));
	assert_all_agree(&l, 5);
	list_free(&l);
}

static void names_of_any_bytes_pass(void **state)
{
	struct list l = {0};

	(void)state;
	srand(3);
	add_random(&l, xstrdup("user.\xff\x80\x01 n\xc3\xa4me"), 200);
	add_random(&l, xstrdup("user.\xff\x80\x01 large"), 20000);
	add_random(&l, xasprintf("user.%0250d", 7), 10);
	assert_all_agree(&l, 1);
	list_free(&l);
}

/* --- refusals --------------------------------------------------------------------------------- */

static void assert_refused(const struct list *l, enum error_kind kind, const char *named)
{
	struct ext4_xattr_plan plan;
	struct error err = {0};
	char text[900];

	assert_int_equal(ext4_xattr_plan(l->items, l->n, 0, &plan, &err), -1);
	assert_int_equal(err.kind, kind);
	error_text(&err, text, sizeof(text));
	assert_non_null(strstr(text, named));
}

static void what_cannot_be_stored_is_refused_by_name(void **state)
{
	static const struct {
		const char *name;
		size_t len;
		enum error_kind kind;
	} cases[] = {
		{"user.", 1, ERR_INVALID},
		{"security.", 1, ERR_INVALID},
		{"system.data", 1, ERR_UNSUPPORTED},
		{"system.nfs4_acl", 1, ERR_UNSUPPORTED},
		{"foo.bar", 1, ERR_UNSUPPORTED},
		{"user", 1, ERR_UNSUPPORTED},
		{"", 1, ERR_UNSUPPORTED},
		{"user.large", 65537, ERR_NO_SPACE},
		{"system.posix_acl_access2", 1, ERR_UNSUPPORTED},
	};
	struct list l = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		add_random(&l, xstrdup("user.fine"), 10);
		add_random(&l, xstrdup(cases[i].name), cases[i].len);
		assert_refused(&l, cases[i].kind, cases[i].name);
		list_free(&l);
	}
	add_random(&l, xasprintf("user.%0251d", 7), 10);
	assert_refused(&l, ERR_INVALID, "user.000000");
	list_free(&l);
	add_random(&l, xstrdup("user.twice"), 10);
	add_random(&l, xstrdup("user.other"), 10);
	add_random(&l, xstrdup("user.twice"), 10);
	assert_refused(&l, ERR_INVALID, "user.twice");
	list_free(&l);
	for (int i = 0; i < 5000; i++)
		add_random(&l, xasprintf("user.%d", i), 1);
	assert_refused(&l, ERR_NO_SPACE, "user.");
	list_free(&l);
}

static void acls_the_kernel_would_refuse_are_refused(void **state)
{
	struct list l = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(ACL); i++) {
		uint8_t bad[sizeof(ACL)];
		bool id = (i >= 8 && i < 12) || (i >= 16 && i < 20) || (i >= 24 && i < 28)
			  || (i >= 32 && i < 36) || (i >= 40 && i < 44) || i >= 48;

		if (id)
			continue; /* any number will do */
		memcpy(bad, ACL, sizeof(bad));
		bad[i] = 0x77;
		add(&l, xstrdup("system.posix_acl_access"), bad, sizeof(bad));
		assert_refused(&l, ERR_INVALID, "posix_acl_access");
		list_free(&l);
	}
	for (size_t len = 0; len < sizeof(ACL); len++) {
		if (len == 4)
			continue; /* an empty one means none */
		add(&l, xstrdup("system.posix_acl_default"), ACL, len);
		assert_refused(&l, ERR_INVALID, "posix_acl_default");
		list_free(&l);
	}
}

static void an_empty_acl_is_no_attribute(void **state)
{
	struct ext4_xattr x = {"system.posix_acl_access", ACL, 4};
	struct ext4_xattr_plan plan;
	struct error err = {0};

	(void)state;
	assert_int_equal(ext4_xattr_plan(&x, 1, 0, &plan, &err), 0);
	assert_int_equal(plan.n, 0);
	assert_false(plan.needs_inode_area || plan.needs_block);
	ext4_xattr_plan_release(&plan);
}

/* --- reading back ----------------------------------------------------------------------------- */

static const struct ext4_xattr *by_name(const struct list *l, const char *name)
{
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->items[i].name, name) == 0)
			return &l->items[i];
	return NULL;
}

static const struct ext4_xattr_item *by_inode(const struct ext4_xattr_plan *plan, uint32_t ino)
{
	for (size_t i = 0; i < plan->n; i++)
		if (plan->items[i].value_inode == ino)
			return &plan->items[i];
	return NULL;
}

static size_t assert_found(struct ext4_xattr_cursor *c, const struct list *l,
			   const struct ext4_xattr_plan *plan, uint32_t seed)
{
	struct ext4_xattr_found f;
	struct error err = {0};
	size_t n = 0;
	int rc;

	while ((rc = ext4_xattr_next(c, &f, &err)) == 0) {
		cleanup_buffer struct buffer name = {0}, value = {0};
		const struct ext4_xattr *want;
		const uint8_t *raw = f.value;

		if (f.value_inode) {
			raw = by_inode(plan, f.value_inode)->value;
			assert_true(ext4_xattr_separate_holds(&f, raw, f.value_len, seed));
			assert_false(ext4_xattr_separate_holds(&f, raw, f.value_len - 1, seed));
		}
		assert_int_equal(ext4_xattr_decode(&f, raw, f.value_len, &name, &value, &err), 0);
		want = by_name(l, (const char *)name.data);
		assert_non_null(want);
		assert_int_equal(value.len, want->value_len);
		if (value.len)
			assert_memory_equal(value.data, want->value, value.len);
		n++;
	}
	assert_int_equal(rc, 1);
	return n;
}

static void what_was_encoded_is_read_back(void **state)
{
	enum { SEED = 77, NUMBER = 1234 };
	int round;

	(void)state;
	srand(4);
	for (round = 0; round < 200; round++) {
		struct list l = random_list((size_t)(rand() % 60), (size_t)(rand() % 3000));
		uint8_t area[EXT4_XATTR_INODE_AREA], block[EXT4_BLOCK_BYTES];
		struct ext4_xattr_cursor c;
		struct ext4_xattr_plan plan;
		struct error err = {0};
		size_t n;

		if (rand() % 2)
			add(&l, xstrdup("system.posix_acl_default"), ACL, sizeof(ACL));
		assert_int_equal(ext4_xattr_plan(l.items, l.n, SEED, &plan, &err), 0);
		for (size_t i = 0; i < plan.n; i++)
			plan.items[i].value_inode = plan.items[i].separate ? 100 + (uint32_t)i : 0;
		ext4_xattr_encode_inode(&plan, area);
		ext4_xattr_start_inode(&c, area, sizeof(area));
		n = assert_found(&c, &l, &plan, SEED);
		if (plan.needs_block) {
			ext4_xattr_encode_block(&plan, SEED, NUMBER, block);
			assert_int_equal(ext4_xattr_start_block(&c, block, sizeof(block), SEED,
								NUMBER, &err),
					 0);
			n += assert_found(&c, &l, &plan, SEED);
			assert_int_equal(ext4_xattr_start_block(&c, block, sizeof(block), SEED,
								NUMBER + 1, &err),
					 -1);
		}
		assert_int_equal(n, l.n);
		ext4_xattr_plan_release(&plan);
		list_free(&l);
	}
}

static void the_order_given_does_not_matter(void **state)
{
	struct list l;
	struct ext4_xattr_plan a, b;
	uint8_t x[EXT4_BLOCK_BYTES], y[EXT4_BLOCK_BYTES];
	struct error err = {0};

	(void)state;
	srand(5);
	l = random_list(40, 40);
	assert_int_equal(ext4_xattr_plan(l.items, l.n, 1, &a, &err), 0);
	for (size_t i = 0; i < l.n / 2; i++) {
		struct ext4_xattr t = l.items[i];

		l.items[i] = l.items[l.n - 1 - i];
		l.items[l.n - 1 - i] = t;
	}
	assert_int_equal(ext4_xattr_plan(l.items, l.n, 1, &b, &err), 0);
	ext4_xattr_encode_block(&a, 1, 2, x);
	ext4_xattr_encode_block(&b, 1, 2, y);
	assert_memory_equal(x, y, sizeof(x));
	ext4_xattr_plan_release(&a);
	ext4_xattr_plan_release(&b);
	list_free(&l);
}

/* Under the address sanitizer. */
static void areas_of_any_bytes_are_read_to_an_end(void **state)
{
	struct list l;
	struct ext4_xattr_plan plan;
	uint8_t good[EXT4_BLOCK_BYTES];
	struct error err = {0};
	size_t round, ends = 0;

	(void)state;
	srand(6);
	l = random_list(40, 40);
	assert_int_equal(ext4_xattr_plan(l.items, l.n, 1, &plan, &err), 0);
	ext4_xattr_encode_block(&plan, 1, 2, good);
	for (round = 0; round < 20000; round++) {
		size_t len = 8 + (size_t)rand() % 1500, steps = 0;
		cleanup_free uint8_t *area = xmemdup(good + 28, len);
		struct ext4_xattr_cursor c;
		struct ext4_xattr_found f;
		int rc, flips = rand() % 4;

		put_le32(area, 0xea020000);
		while (flips-- > 0)
			area[4 + (size_t)rand() % (len - 4)] = (uint8_t)rand();
		ext4_xattr_start_inode(&c, area, len);
		while ((rc = ext4_xattr_next(&c, &f, &err)) == 0) {
			cleanup_buffer struct buffer name = {0}, value = {0};

			if (f.value && f.value_len)
				assert_true(f.value >= area && f.value + f.value_len <= area + len);
			assert_true(++steps < len);
			if (f.value)
				(void)!ext4_xattr_decode(&f, f.value, f.value_len, &name, &value,
							 &err);
		}
		ends += rc == 1;
	}
	assert_true(ends < round);
	ext4_xattr_plan_release(&plan);
	list_free(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_capability_stays_in_the_inode),
		cmocka_unit_test(acls_survive_both_ways),
		cmocka_unit_test(a_block_takes_what_the_inode_does_not),
		cmocka_unit_test(large_values_get_inodes_of_their_own),
		cmocka_unit_test(names_of_any_bytes_pass),
		cmocka_unit_test(what_cannot_be_stored_is_refused_by_name),
		cmocka_unit_test(acls_the_kernel_would_refuse_are_refused),
		cmocka_unit_test(an_empty_acl_is_no_attribute),
		cmocka_unit_test(what_was_encoded_is_read_back),
		cmocka_unit_test(the_order_given_does_not_matter),
		cmocka_unit_test(areas_of_any_bytes_are_read_to_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
