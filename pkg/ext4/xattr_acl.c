/* SPDX-License-Identifier: Apache-2.0 */
/*
 * POSIX ACLs between their two encodings.
 *
 *   system call   4 bytes version 2, then {u16 tag, u16 perm, u32 id} ...
 *   disk          4 bytes version 1, then {u16 tag, u16 perm} or {u16 tag, u16 perm, u32 id} ...
 *
 * Spec: kernel include/uapi/linux/posix_acl_xattr.h, fs/ext4/acl.h; order as fs/posix_acl.c checks.
 */
#include "pkg/base/bytes.h"
#include "pkg/ext4/xattr.h"
#include "pkg/ext4/xattr_internal.h"

enum {
	VERSION_BYTES = 4,
	DISK_VERSION = 1,
	CALL_VERSION = 2,
	SHORT_BYTES = 4,
	LONG_BYTES = 8,
};

enum tag {
	TAG_USER_OBJ = 0x01,
	TAG_USER = 0x02,
	TAG_GROUP_OBJ = 0x04,
	TAG_GROUP = 0x08,
	TAG_MASK = 0x10,
	TAG_OTHER = 0x20,
};

static const uint32_t NO_ID = 0xffffffff;

static bool has_id(unsigned tag)
{
	return tag == TAG_USER || tag == TAG_GROUP;
}

/*
 * The tags come in the order of their numbers; the owner, the group and the others once each, and
 * a mask where there are named users or groups.
 */
struct order {
	unsigned last, seen;
};

static int check_order(struct order *o, unsigned tag, unsigned perm, struct error *err)
{
	bool known = tag && tag <= TAG_OTHER && (tag & (tag - 1)) == 0;

	if (!known || perm > 7)
		return error_set(err, ERR_INVALID, "ACL entry with tag %#x and permissions %#o",
				 tag, perm);
	if (tag < o->last || (tag == o->last && !has_id(tag)))
		return error_set(err, ERR_INVALID, "ACL entries out of order");
	o->last = tag;
	o->seen |= tag;
	return 0;
}

static int check_complete(const struct order *o, struct error *err)
{
	unsigned need = TAG_USER_OBJ | TAG_GROUP_OBJ | TAG_OTHER;

	if (o->seen & (TAG_USER | TAG_GROUP))
		need |= TAG_MASK;
	if ((o->seen & need) != need)
		return error_set(err, ERR_INVALID, "ACL without owner, group, others or mask");
	return 0;
}

static void add_entry(struct buffer *b, unsigned tag, unsigned perm, uint32_t id, size_t bytes)
{
	uint8_t entry[LONG_BYTES];

	put_le16(entry, (uint16_t)tag);
	put_le16(entry + 2, (uint16_t)perm);
	put_le32(entry + 4, id);
	buffer_add(b, entry, bytes);
}

static void add_version(struct buffer *b, uint32_t version)
{
	uint8_t bytes[VERSION_BYTES];

	put_le32(bytes, version);
	buffer_add(b, bytes, sizeof(bytes));
}

int xattr_acl_to_disk(const uint8_t *value, size_t len, struct buffer *ret, struct error *err)
{
	struct order order = {0};
	size_t at;

	if (len < VERSION_BYTES || (len - VERSION_BYTES) % LONG_BYTES
	    || get_le32(value) != CALL_VERSION)
		return error_set(err, ERR_INVALID, "not an ACL of version 2");
	if (len == VERSION_BYTES)
		return 1;
	add_version(ret, DISK_VERSION);
	for (at = VERSION_BYTES; at < len; at += LONG_BYTES) {
		unsigned tag = get_le16(value + at), perm = get_le16(value + at + 2);
		uint32_t id = get_le32(value + at + 4);

		if (check_order(&order, tag, perm, err) < 0)
			return -1;
		if (has_id(tag) && id == NO_ID)
			return error_set(err, ERR_INVALID, "ACL entry without an id");
		add_entry(ret, tag, perm, id, has_id(tag) ? LONG_BYTES : SHORT_BYTES);
	}
	return check_complete(&order, err);
}

bool ext4_xattr_is_acl(const void *value, size_t len)
{
	cleanup_buffer struct buffer unused = {0};
	struct error ignored;

	return xattr_acl_to_disk(value, len, &unused, &ignored) == 0;
}

int xattr_acl_from_disk(const uint8_t *value, size_t len, struct buffer *ret, struct error *err)
{
	size_t at, bytes;

	if (len < VERSION_BYTES || get_le32(value) != DISK_VERSION)
		return error_set(err, ERR_INCONSISTENT, "not an ACL of version 1");
	add_version(ret, CALL_VERSION);
	for (at = VERSION_BYTES; at < len; at += bytes) {
		unsigned tag = len - at < SHORT_BYTES ? 0 : get_le16(value + at);

		bytes = has_id(tag) ? LONG_BYTES : SHORT_BYTES;
		if (tag == 0 || tag > TAG_OTHER || (tag & (tag - 1)) || bytes > len - at)
			return error_set(err, ERR_INCONSISTENT, "damaged ACL");
		add_entry(ret, tag, get_le16(value + at + 2),
			  has_id(tag) ? get_le32(value + at + 4) : NO_ID, LONG_BYTES);
	}
	return 0;
}
