/* SPDX-License-Identifier: Apache-2.0 */
/* POSIX ACLs between the system call and the disk: both ways, and what the kernel would refuse. */
#include "pkg/base/alloc.h"
#include "pkg/base/bytes.h"
#include "pkg/ext4/xattr.h"
#include "pkg/ext4/xattr_internal.h"
#include "tests/support/cmocka.h"

enum { U = 1, NAMED_U = 2, G = 4, NAMED_G = 8, M = 16, O = 32 };

struct entry {
	uint16_t tag, perm;
	uint32_t id;
};

#define NO_ID 0xffffffff
#define MINIMAL                       \
	{U, 7, NO_ID}, {G, 5, NO_ID}, \
	{                             \
		O, 4, NO_ID           \
	}

/* As getxattr(2) gives it; entries up to the first without a tag. */
static void put_call(struct buffer *to, const struct entry *entries)
{
	uint8_t bytes[8];

	buffer_clear(to);
	put_le32(bytes, 2);
	buffer_add(to, bytes, 4);
	for (; entries->tag; entries++) {
		put_le16(bytes, entries->tag);
		put_le16(bytes + 2, entries->perm);
		put_le32(bytes + 4, entries->id);
		buffer_add(to, bytes, 8);
	}
}

static void short_entries_lose_their_id_and_get_it_back(void **state)
{
	static const struct entry acl[] = {{U, 7, NO_ID},
					   {NAMED_U, 6, 1000},
					   {NAMED_U, 0, 0},
					   {G, 5, NO_ID},
					   {NAMED_G, 4, 0xfffffffe},
					   {M, 7, NO_ID},
					   {O, 0, NO_ID},
					   {0, 0, 0}};
	cleanup_buffer struct buffer call = {0}, disk = {0}, back = {0};
	struct error err = {0};

	(void)state;
	put_call(&call, acl);
	assert_ok(xattr_acl_to_disk(call.data, call.len, &disk, &err), &err);
	assert_true(ext4_xattr_is_acl(call.data, call.len));
	assert_int_equal(disk.len, 4 + 4 * 4 + 3 * 8);
	assert_int_equal(get_le32(disk.data), 1);
	assert_ok(xattr_acl_from_disk(disk.data, disk.len, &back, &err), &err);
	assert_int_equal(back.len, call.len);
	assert_memory_equal(back.data, call.data, call.len);
}

static void an_acl_without_entries_is_none(void **state)
{
	static const struct entry none[] = {{0, 0, 0}};
	cleanup_buffer struct buffer call = {0}, disk = {0};
	struct error err = {0};

	(void)state;
	put_call(&call, none);
	assert_int_equal(xattr_acl_to_disk(call.data, call.len, &disk, &err), 1);
	assert_false(ext4_xattr_is_acl(call.data, call.len));
	assert_int_equal(disk.len, 0);
}

static void what_the_kernel_would_refuse_is_refused(void **state)
{
	static const struct {
		struct entry acl[8];
		const char *why;
	} cases[] = {
		{{{U, 7, NO_ID}, {G, 5, NO_ID}}, "without owner, group, others or mask"},
		{{{U, 7, NO_ID}, {O, 5, NO_ID}}, "without owner"},
		{{{G, 7, NO_ID}, {O, 5, NO_ID}}, "without owner"},
		{{{U, 7, NO_ID}, {NAMED_U, 7, 1}, {G, 5, NO_ID}, {O, 4, NO_ID}}, "or mask"},
		{{{U, 7, NO_ID}, {G, 5, NO_ID}, {NAMED_G, 7, 1}, {O, 4, NO_ID}}, "or mask"},
		{{{G, 5, NO_ID}, {U, 7, NO_ID}, {O, 4, NO_ID}}, "out of order"},
		{{{U, 7, NO_ID}, {U, 7, NO_ID}, {G, 5, NO_ID}, {O, 4, NO_ID}}, "out of order"},
		{{MINIMAL, {O, 4, NO_ID}}, "out of order"},
		{{MINIMAL, {M, 4, NO_ID}}, "out of order"},
		{{{U, 8, NO_ID}, {G, 5, NO_ID}, {O, 4, NO_ID}}, "permissions 010"},
		{{{U, 0xffff, NO_ID}, {G, 5, NO_ID}, {O, 4, NO_ID}}, "tag 0x1"},
		{{{3, 7, NO_ID}}, "tag 0x3"},
		{{MINIMAL, {64, 4, NO_ID}}, "tag 0x40"},
		/* "nobody can be that": neither the kernel nor chown(2) take it for an id */
		{{{U, 7, NO_ID}, {NAMED_U, 7, NO_ID}, {G, 5, NO_ID}, {M, 7, NO_ID}, {O, 4, NO_ID}},
		 "without an id"},
		{{{U, 7, NO_ID}, {G, 5, NO_ID}, {NAMED_G, 7, NO_ID}, {M, 7, NO_ID}, {O, 4, NO_ID}},
		 "without an id"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup_buffer struct buffer call = {0}, disk = {0};
		struct error err = {0};

		put_call(&call, cases[i].acl);
		if (xattr_acl_to_disk(call.data, call.len, &disk, &err) != -1)
			fail_msg("case %zu is taken", i);
		assert_error(&err, ERR_INVALID, cases[i].why);
		assert_false(ext4_xattr_is_acl(call.data, call.len));
	}
}

static void bytes_that_are_no_acl_are_refused(void **state)
{
	static const struct entry acl[] = {MINIMAL, {0, 0, 0}};
	cleanup_buffer struct buffer call = {0}, disk = {0};
	struct error err = {0};

	(void)state;
	put_call(&call, acl);
	for (size_t len = 0; len < call.len; len++) {
		buffer_clear(&disk);
		if (len == 4) /* that is the one without entries */
			continue;
		assert_int_equal(xattr_acl_to_disk(call.data, len, &disk, &err), -1);
		assert_int_equal(err.kind, ERR_INVALID);
	}
	call.data[0] = 1;
	assert_int_equal(xattr_acl_to_disk(call.data, call.len, &disk, &err), -1);
	assert_error(&err, ERR_INVALID, "not an ACL of version 2");
}

/* On disk there may be anything; order and permissions are then the reader's matter. */
static void damage_on_disk_is_inconsistent(void **state)
{
	static const struct entry acl[] = {{U, 7, NO_ID}, {NAMED_U, 6, 9}, {G, 5, NO_ID},
					   {M, 7, NO_ID}, {O, 0, NO_ID},   {0, 0, 0}};
	cleanup_buffer struct buffer call = {0}, disk = {0};
	struct error err = {0};

	(void)state;
	put_call(&call, acl);
	assert_ok(xattr_acl_to_disk(call.data, call.len, &disk, &err), &err);
	for (size_t len = 0; len < disk.len; len++) {
		cleanup_buffer struct buffer out = {0};
		cleanup_free uint8_t *exact = xmemdup(disk.data, len);
		/* Cut between two entries it is one with fewer. */
		bool whole = len == 4 || len == 8 || (len >= 16 && len % 4 == 0);

		assert_int_equal(xattr_acl_from_disk(exact, len, &out, &err), whole ? 0 : -1);
		if (!whole)
			assert_int_equal(err.kind, ERR_INCONSISTENT);
	}
	for (unsigned tag = 0; tag < 256; tag++) {
		cleanup_buffer struct buffer out = {0};
		bool known = tag == U || tag == G || tag == M || tag == O;
		uint8_t bytes[8] = {1, 0, 0, 0, (uint8_t)tag, 0, 7, 0};

		assert_int_equal(xattr_acl_from_disk(bytes, 8, &out, &err), known ? 0 : -1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(short_entries_lose_their_id_and_get_it_back),
		cmocka_unit_test(an_acl_without_entries_is_none),
		cmocka_unit_test(what_the_kernel_would_refuse_is_refused),
		cmocka_unit_test(bytes_that_are_no_acl_are_refused),
		cmocka_unit_test(damage_on_disk_is_inconsistent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
