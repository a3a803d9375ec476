/* SPDX-License-Identifier: Apache-2.0 */
/* The reader against trees made by mke2fs and by the kernel, and against damage. */
#include "pkg/ext4/read.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <cmocka.h>

#include "pkg/base/alloc.h"
#include "pkg/base/bytes.h"
#include "pkg/ext4/base.h"
#include "tests/support/e2fsprogs.h"
#include "tests/support/ext4_sample.h"
#include "tests/support/memory_volume.h"

#define MIB (1ULL << 20)

static struct ext4_reader *open_reader(struct memory_volume *v)
{
	struct ext4_reader *r = NULL;
	struct error err = {0};

	if (ext4_reader_open(&v->volume, &r, &err) < 0)
		fail_msg("%s", err.cause);
	return r;
}

static void fail_with(const char *path, const struct error *err)
{
	char text[900];

	error_text(err, text, sizeof(text));
	fail_msg("%s: %s", path, text);
}

/* --- the sample ------------------------------------------------------------------------------- */

static uint32_t find(struct ext4_reader *r, uint32_t dir, const char *name)
{
	struct error err = {0};
	uint32_t found = 0;

	if (ext4_reader_lookup(r, dir, name, strlen(name), &found, &err) < 0)
		fail_with(name, &err);
	return found;
}

static int append_path(const char *path, const struct ext4_stat *st, void *arg, struct error *err)
{
	(void)st;
	(void)err;
	if (strncmp(path, "d/", 2) != 0)
		buffer_printf(arg, "%s:", path);
	return 0;
}

static void the_walk_is_in_byte_order_with_parents_first(void **state)
{
	struct ext4_sample s = ext4_sample_make();
	struct ext4_reader *r = open_reader(s.v);
	cleanup_buffer struct buffer paths = {0};
	struct error err = {0};

	(void)state;
	assert_int_equal(ext4_reader_walk(r, append_path, &paths, &err), 0);
	assert_string_equal(paths.data, ":a:big:chr:d:e:e/f:empty:fifo:link:slow:x:");
	ext4_reader_close(r);
	memory_volume_free(s.v);
}

static void the_sample_is_a_valid_file_system(void **state)
{
	struct ext4_sample s = ext4_sample_make(), copy = ext4_sample_copy(&s);

	(void)state;
	assert_true(e2fsck_is_clean(s.v));
	ext4_sample_sign(&copy);
	assert_int_equal(memory_volume_differ(s.v, copy.v), 0);
	memory_volume_free(copy.v);
	memory_volume_free(s.v);
}

static void stat_tells_what_the_inode_says(void **state)
{
	struct ext4_sample s = ext4_sample_make();
	struct ext4_reader *r = open_reader(s.v);
	struct ext4_stat st;
	struct error err = {0};

	(void)state;
	assert_int_equal(ext4_reader_stat(r, find(r, EXT4_ROOT_INODE, "chr"), &st, &err), 0);
	assert_int_equal(st.meta.mode, S_IFCHR | 0600);
	assert_int_equal(st.meta.rdev_major, 5);
	assert_int_equal(st.meta.rdev_minor, 1);
	assert_int_equal(st.meta.mtime.sec, 1000000000);
	assert_int_equal(st.meta.mtime.nsec, 123456789);
	assert_int_equal(ext4_reader_stat(r, find(r, EXT4_ROOT_INODE, "big"), &st, &err), 0);
	assert_int_equal(st.size_bytes, EXT4_SAMPLE_BIG_EXTENTS * 4096 - 5);
	assert_int_equal(st.used_bytes, (EXT4_SAMPLE_BIG_EXTENTS + 2) * 4096);
	assert_int_equal(ext4_reader_stat(r, find(r, EXT4_ROOT_INODE, "e"), &st, &err), 0);
	assert_int_equal(st.links, 3);
	ext4_reader_close(r);
	memory_volume_free(s.v);
}

static void calls_for_another_type_are_invalid(void **state)
{
	struct ext4_sample s = ext4_sample_make();
	struct ext4_reader *r = open_reader(s.v);
	cleanup_buffer struct buffer target = {0};
	uint32_t file = find(r, EXT4_ROOT_INODE, "a"), found;
	struct error err = {0};
	char buf[10];
	size_t n;

	(void)state;
	assert_int_equal(ext4_reader_lookup(r, file, "x", 1, &found, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_int_equal(ext4_reader_readlink(r, file, &target, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_int_equal(ext4_reader_read(r, EXT4_ROOT_INODE, buf, 10, 0, &n, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_int_equal(ext4_reader_lookup(r, EXT4_ROOT_INODE, "ab", 2, &found, &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_int_equal(ext4_reader_stat(r, 0, &(struct ext4_stat){0}, &err), -1);
	assert_int_equal(err.kind, ERR_INCONSISTENT);
	assert_int_equal(ext4_reader_stat(r, 1000, &(struct ext4_stat){0}, &err), -1);
	assert_int_equal(err.kind, ERR_INCONSISTENT);
	ext4_reader_close(r);
	memory_volume_free(s.v);
}

static uint8_t big_byte(size_t k)
{
	return (uint8_t)('a' + (k + k / 4096) % 26);
}

static void reads_may_start_and_end_anywhere(void **state)
{
	struct ext4_sample s = ext4_sample_make();
	struct ext4_reader *r = open_reader(s.v);
	uint32_t big = find(r, EXT4_ROOT_INODE, "big");
	size_t size = EXT4_SAMPLE_BIG_EXTENTS * 4096 - 5, round;
	static uint8_t buf[20000];
	struct error err = {0};

	(void)state;
	srand(1);
	for (round = 0; round < 1000; round++) {
		size_t at = (size_t)rand() % (size + 100), len = (size_t)rand() % sizeof(buf), n, k;
		size_t want = at >= size ? 0 : len < size - at ? len : size - at;

		assert_int_equal(ext4_reader_read(r, big, buf, len, at, &n, &err), 0);
		assert_int_equal(n, want);
		for (k = 0; k < n; k++)
			assert_int_equal(buf[k], big_byte(at + k));
	}
	ext4_reader_close(r);
	memory_volume_free(s.v);
}

static int count_one(const struct ext4_dirent *e, void *arg, struct error *err)
{
	(void)e;
	if (++*(int *)arg == 5)
		return error_set(err, ERR_BUSY, "enough"), -7;
	return 0;
}

static void what_a_callback_returns_is_passed_on(void **state)
{
	struct ext4_sample s = ext4_sample_make();
	struct ext4_reader *r = open_reader(s.v);
	struct error err = {0};
	int n = 0;

	(void)state;
	assert_int_equal(ext4_reader_dir(r, EXT4_ROOT_INODE, count_one, &n, &err), -7);
	assert_int_equal(err.kind, ERR_BUSY);
	assert_int_equal(n, 5);
	ext4_reader_close(r);
	memory_volume_free(s.v);
}

/* --- against a real tree ---------------------------------------------------------------------- */

struct comparison {
	struct ext4_reader *r;
	const char *root;
	size_t n;
	bool times; /* mke2fs keeps no fractions, and none of directories */
};

static void compare_content(struct comparison *c, const char *path, const struct ext4_stat *st)
{
	static uint8_t a[MIB], b[MIB];
	cleanup_fd int fd = open(path, O_RDONLY);
	uint64_t offset = 0, data, len, end = 0;
	struct error err = {0};
	size_t n;
	int rc;

	assert_true(fd >= 0);
	for (; offset < st->size_bytes; offset += n) {
		if (ext4_reader_read(c->r, st->inode, a, sizeof(a), offset, &n, &err) < 0)
			fail_with(path, &err);
		assert_true(n > 0);
		assert_int_equal(pread(fd, b, sizeof(b), (off_t)offset), n);
		assert_memory_equal(a, b, n);
	}
	/* all between the ranges reads as zeros */
	for (offset = 0;; offset = data + len) {
		rc = ext4_reader_next_data(c->r, st->inode, offset, &data, &len, &err);
		if (rc < 0)
			fail_with(path, &err);
		if (rc == 1)
			break;
		assert_true(data >= end && len > 0 && data + len <= st->size_bytes);
		end = data + len;
	}
}

struct seen_xattrs {
	const char *path;
	size_t names_len;
};

static int compare_xattr(const struct ext4_xattr *x, void *arg, struct error *err)
{
	struct seen_xattrs *s = arg;
	cleanup_free char *value = xmalloc(x->value_len + 1);

	(void)err;
	s->names_len += strlen(x->name) + 1;
	assert_int_equal(lgetxattr(s->path, x->name, value, x->value_len + 1), x->value_len);
	assert_memory_equal(value, x->value, x->value_len);
	return 0;
}

static int compare_node(const char *path, const struct ext4_stat *st, void *arg, struct error *err)
{
	struct comparison *c = arg;
	cleanup_free char *real = xasprintf("%s/%s", c->root, path);
	cleanup_buffer struct buffer target = {0};
	struct seen_xattrs seen = {.path = real};
	char link[4200];
	struct stat want;

	if (strcmp(path, "lost+found") == 0)
		return 0;
	c->n++;
	assert_int_equal(lstat(real, &want), 0);
	assert_int_equal(st->meta.mode, want.st_mode);
	assert_int_equal(st->meta.uid, want.st_uid);
	assert_int_equal(st->meta.gid, want.st_gid);
	if (c->times) {
		assert_int_equal(st->meta.mtime.sec, want.st_mtim.tv_sec);
		assert_int_equal(st->meta.mtime.nsec, want.st_mtim.tv_nsec);
	}
	if (!S_ISDIR(want.st_mode)) {
		assert_int_equal(st->links, want.st_nlink);
		assert_int_equal(st->size_bytes, want.st_size);
	}
	if (S_ISREG(want.st_mode))
		compare_content(c, real, st);
	if (S_ISLNK(want.st_mode)) {
		if (ext4_reader_readlink(c->r, st->inode, &target, err) < 0)
			fail_with(path, err);
		assert_int_equal(readlink(real, link, sizeof(link)), target.len);
		assert_memory_equal(link, target.data, target.len);
	}
	if (S_ISCHR(want.st_mode) || S_ISBLK(want.st_mode)) {
		assert_int_equal(st->meta.rdev_major, major(want.st_rdev));
		assert_int_equal(st->meta.rdev_minor, minor(want.st_rdev));
	}
	if (ext4_reader_xattrs(c->r, st->inode, compare_xattr, &seen, err) < 0)
		fail_with(path, err);
	assert_int_equal(llistxattr(real, NULL, 0), seen.names_len);
	return 0;
}

static void assert_same_tree(struct memory_volume *v, const char *root, bool times)
{
	struct comparison c = {.r = open_reader(v), .root = root, .times = times};
	cleanup_free char *count = NULL;
	struct error err = {0};

	if (ext4_reader_walk(c.r, compare_node, &c, &err) < 0)
		fail_with("", &err);
	command_run(&count,
		    "find '%s' -path '%s/lost+found' -prune -o -print0 | tr -cd '\\0' | wc -c",
		    root, root);
	assert_int_equal(c.n, atoi(count));
	ext4_reader_close(c.r);
}

/* A tree with a bit of everything an ordinary user can make, in the present folder. */
#define MAKE_TREE                                                                         \
	"mkdir -p a/b/c many empty && echo hello >a/file && ln a/file a/b/hard &&"        \
	"ln -s ../file a/b/link && ln -s /$(printf %%0999d 7) long && mkfifo fifo &&"     \
	"seq 1 200000 >numbers && truncate -s 50M sparse && echo x >>sparse &&"           \
	"dd if=/dev/urandom of=holes bs=4096 seek=5 count=3 status=none &&"               \
	"dd if=/dev/urandom of=holes bs=4096 seek=90 count=1 conv=notrunc status=none &&" \
	"for i in $(seq 1 900); do echo $i >many/a.name.that.is.not.short.$i; done &&"    \
	"touch -d '1902-01-01 00:00:00.5' a/file && touch -d '2400-01-01' numbers &&"     \
	"chmod 4711 numbers && chmod 1777 empty && touch \"$(printf 'odd\\nname\\377')\" &&"

static void trees_made_by_mke2fs_are_read_as_they_are(void **state)
{
	static const char *const sizes[] = {"1024", "4096"};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		char *dir = scratch_new(), *out = NULL;
		cleanup_free char *image = xasprintf("%s/image", dir);
		cleanup_free char *tree = xasprintf("%s/tree", dir);
		struct memory_volume *v;

		if (command_run(
			    &out,
			    "mkdir '%s' && cd '%s' &&" MAKE_TREE
			    "setfattr -n user.small -v abc a/file;"
			    "setfattr -n user.large -v $(printf %%0700d 1) numbers;"
			    "mke2fs -q -t ext4 -b %s -E root_owner=$(id -u):$(id -g) -d . '%s' 64M",
			    tree, tree, sizes[i], image)
		    != 0)
			fail_msg("%s", out);
		free(out);
		v = memory_volume_load(image, 0);
		assert_same_tree(v, tree, false);
		memory_volume_free(v);
		scratch_free(dir);
	}
}

static void trees_made_by_the_kernel_are_read_as_they_are(void **state)
{
	struct memory_volume *base, *v;
	struct ext4_base_params params = {0};
	struct error err = {0};
	char *dir, *out = NULL, *image, *tree;

	(void)state;
	if (!can_loop_mount())
		skip();
	dir = scratch_new();
	image = xasprintf("%s/image", dir);
	tree = xasprintf("%s/m", dir);
	base = memory_volume_new(256 * MIB, 0);
	assert_int_equal(ext4_base_create(&base->volume, &params, &err), 0);
	memory_volume_dump(base, image);
	memory_volume_free(base);
	if (command_run(&out,
			"mkdir '%s' && mount -o loop,noatime '%s' '%s' && cd '%s' &&" MAKE_TREE
			"fallocate -l 1M prealloc && echo data >>prealloc &&"
			"fallocate -n -l 1M beyond && mknod c1 c 259 700000 && mknod b1 b 7 3 &&"
			"setfattr -n user.small -v abc a/file && setfattr -n user.empty c1; "
			"setfattr -n trusted.t -v $(printf %%0800d 1) numbers &&"
			"setfattr -n user.large -v $(printf %%050000d 1) numbers &&"
			"setfattr -n security.x -v y long -h;"
			"setfacl -m u:1000:rw,g:7:r a/file; setfacl -d -m u:1000:rw a;"
			"chown 70000:80000 many/*.1 && rm many/*5 &&"
			"cd / && umount '%s' && mount -o loop,ro '%s' '%s'",
			tree, image, tree, tree, tree, image, tree)
	    != 0)
		fail_msg("%s", out);
	free(out);
	v = memory_volume_load(image, 0);
	assert_same_tree(v, tree, true);
	memory_volume_free(v);
	assert_int_equal(command_run(NULL, "umount '%s'", tree), 0);
	scratch_free(dir);
	free(image);
	free(tree);
}

static void a_file_system_in_use_is_refused(void **state)
{
	struct memory_volume *v;
	struct ext4_base_params params = {0};
	struct ext4_reader *r;
	struct error err = {0};
	char *dir, *image;

	(void)state;
	if (!can_loop_mount())
		skip();
	dir = scratch_new();
	image = xasprintf("%s/image", dir);
	v = memory_volume_new(64 * MIB, 0);
	assert_int_equal(ext4_base_create(&v->volume, &params, &err), 0);
	memory_volume_dump(v, image);
	memory_volume_free(v);
	assert_int_equal(command_run(NULL,
				     "cd '%s' && mkdir m && mount -o loop image m && touch m/x && "
				     "sync && cp --sparse=always image copy && umount m",
				     dir),
			 0);
	free(image);
	image = xasprintf("%s/copy", dir);
	v = memory_volume_load(image, 0);
	assert_int_equal(ext4_reader_open(&v->volume, &r, &err), -1);
	assert_int_equal(err.kind, ERR_UNSUPPORTED);
	memory_volume_free(v);
	scratch_free(dir);
	free(image);
}

/* --- damage ----------------------------------------------------------------------------------- */

static bool kind_is_fine(enum error_kind kind)
{
	return kind == ERR_INCONSISTENT || kind == ERR_UNSUPPORTED;
}

/* Without new checksums nearly everything is noticed; with them, nothing may go wrong in memory. */
static void damage(bool sign, size_t rounds, size_t *ret_noticed)
{
	struct ext4_sample s = ext4_sample_make();
	size_t round;

	*ret_noticed = 0;
	for (round = 0; round < rounds; round++) {
		struct ext4_sample copy = ext4_sample_copy(&s);
		size_t pokes = 1 + (size_t)rand() % 3, names;
		struct error err = {0};

		while (pokes-- > 0) {
			size_t at = (size_t)rand() % 4096;

			if (rand() % 2)
				at = (size_t)rand() % 256; /* where headers are */
			ext4_sample_poke(&copy, (size_t)rand() % copy.n, at, (uint8_t)rand());
		}
		if (sign)
			ext4_sample_sign(&copy);
		if (ext4_sample_read_all(&copy.v->volume, &names, &err) < 0) {
			++*ret_noticed;
			if (!kind_is_fine(err.kind))
				fail_with("damaged", &err);
		}
		memory_volume_free(copy.v);
	}
	memory_volume_free(s.v);
}

static void damage_is_an_error_and_never_a_crash(void **state)
{
	size_t noticed;

	(void)state;
	srand(2);
	damage(false, 1000, &noticed);
	assert_true(noticed > 500);
}

static void damage_behind_good_checksums_is_never_a_crash(void **state)
{
	size_t noticed;

	(void)state;
	srand(3);
	damage(true, 1500, &noticed);
	assert_true(noticed > 150 && noticed < 1450);
}

/* Let the name e/f lead to e itself. */
static void a_directory_reached_twice_is_damage(void **state)
{
	struct ext4_sample s = ext4_sample_make();
	struct ext4_reader *r = open_reader(s.v);
	uint32_t outer = find(r, EXT4_ROOT_INODE, "e");
	struct error err = {0};
	size_t names;

	(void)state;
	ext4_reader_close(r);
	for (size_t i = 0; i < s.n; i++)
		if (s.blocks[i].kind == SAMPLE_DIRECTORY && s.blocks[i].inode == outer)
			ext4_sample_poke(&s, i, 24, (uint8_t)outer);
	ext4_sample_sign(&s);
	assert_int_equal(ext4_sample_read_all(&s.v->volume, &names, &err), -1);
	assert_int_equal(err.kind, ERR_INCONSISTENT);
	assert_non_null(strstr(err.cause, "two names"));
	memory_volume_free(s.v);
}

/* A bit for each in memory, and the inodes themselves beyond the end of the volume. */
static void more_inodes_than_there_is_room_for_are_refused(void **state)
{
	struct ext4_sample s = ext4_sample_make();
	struct ext4_reader *r;
	struct error err = {0};
	uint8_t raw[4];

	(void)state;
	/* 16 groups of 256 blocks with 8192 inodes each: 32 MiB */
	for (size_t i = 0; i < 4; i++) {
		static const struct {
			unsigned at;
			uint32_t value;
		} fields[] = {{0, 131072}, {32, 256}, {36, 256}, {40, 8192}};

		put_le32(raw, fields[i].value);
		for (size_t k = 0; k < 4; k++)
			ext4_sample_poke(&s, 0, 1024 + fields[i].at + k, raw[k]);
	}
	ext4_sample_sign(&s);
	assert_int_equal(ext4_reader_open(&s.v->volume, &r, &err), -1);
	assert_int_equal(err.kind, ERR_INCONSISTENT);
	assert_non_null(strstr(err.cause, "131072 inodes, more than there is room for"));
	memory_volume_free(s.v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_sample_is_a_valid_file_system),
		cmocka_unit_test(the_walk_is_in_byte_order_with_parents_first),
		cmocka_unit_test(stat_tells_what_the_inode_says),
		cmocka_unit_test(calls_for_another_type_are_invalid),
		cmocka_unit_test(reads_may_start_and_end_anywhere),
		cmocka_unit_test(what_a_callback_returns_is_passed_on),
		cmocka_unit_test(trees_made_by_mke2fs_are_read_as_they_are),
		cmocka_unit_test(trees_made_by_the_kernel_are_read_as_they_are),
		cmocka_unit_test(a_file_system_in_use_is_refused),
		cmocka_unit_test(damage_is_an_error_and_never_a_crash),
		cmocka_unit_test(damage_behind_good_checksums_is_never_a_crash),
		cmocka_unit_test(a_directory_reached_twice_is_damage),
		cmocka_unit_test(more_inodes_than_there_is_room_for_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
