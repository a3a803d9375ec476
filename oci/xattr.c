/* SPDX-License-Identifier: Apache-2.0 */
/* The policy for xattrs in layers. */
#include "oci/xattr.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "pkg/base/alloc.h"
#include "pkg/base/bytes.h"
#include "pkg/base/log.h"
#include "pkg/ext4/xattr.h"

enum {
	XATTR_VALUE_MAX = 65536,
	XATTR_NAME_MAX = 255,
	CAPABILITY_2_BYTES = 20,
	CAPABILITY_3_BYTES = 24, /* with the root of a user namespace */
	CAPABILITY_2 = 0x02000000,
	CAPABILITY_3 = 0x03000000,
	CAPABILITY_EFFECTIVE = 1, /* the only flag there is */
};

enum verdict { KEEP, DROP_SILENTLY, DROP };

static bool starts_with(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

static enum verdict judge_system(const struct tar_entry *entry, const struct tar_xattr *x)
{
	bool is_default = strcmp(x->name, "system.posix_acl_default") == 0;

	if (!is_default && strcmp(x->name, "system.posix_acl_access") != 0)
		return DROP;
	if (entry->type == TAR_SYMLINK || (is_default && entry->type != TAR_DIRECTORY))
		return DROP;
	return ext4_xattr_is_acl(x->value, x->value_len) ? KEEP : DROP;
}

static enum verdict judge(const struct tar_entry *entry, const struct tar_xattr *x)
{
	bool plain = entry->type == TAR_REGULAR || entry->type == TAR_DIRECTORY;

	if (strcmp(x->name, "security.capability") == 0)
		return KEEP;
	if (strcmp(x->name, "security.selinux") == 0)
		return DROP_SILENTLY;
	if (starts_with(x->name, "user.overlay."))
		return DROP;
	if (starts_with(x->name, "user.") && x->name[5])
		return plain && strlen(x->name) <= XATTR_NAME_MAX ? KEEP : DROP;
	if (starts_with(x->name, "system."))
		return judge_system(entry, x);
	return DROP; /* trusted.*, the rest of security.*, name spaces nobody knows */
}

/* What setxattr(2) takes; a kernel shows nobody what else is on disk. */
static bool is_capability(const uint8_t *value, size_t len)
{
	uint32_t revision = len < 4 ? 0 : get_le32(value) & ~(uint32_t)CAPABILITY_EFFECTIVE;

	return (revision == CAPABILITY_2 && len == CAPABILITY_2_BYTES)
	       || (revision == CAPABILITY_3 && len == CAPABILITY_3_BYTES);
}

static int check_value(const struct tar_xattr *x, struct error *err)
{
	if (x->value_len > XATTR_VALUE_MAX)
		return error_set(err, ERR_NO_SPACE,
				 "xattr %s has %zu bytes, at most %d are possible", x->name,
				 x->value_len, XATTR_VALUE_MAX);
	if (strcmp(x->name, "security.capability") == 0 && !is_capability(x->value, x->value_len))
		return error_set(err, ERR_INVALID, "xattr %s of %zu bytes is no capability",
				 x->name, x->value_len);
	return 0;
}

int xattr_select(const struct tar_entry *entry, struct xattr_list *ret, struct error *err)
{
	ret->n = 0;
	for (size_t i = 0; i < entry->n_xattrs; i++) {
		const struct tar_xattr *x = &entry->xattrs[i];
		enum verdict verdict = judge(entry, x);

		if (verdict == DROP)
			log_warning("%s: xattr %s is not kept", entry->path, x->name);
		if (verdict == DROP_SILENTLY)
			log_debug("%s: xattr %s is not kept", entry->path, x->name);
		if (verdict != KEEP)
			continue;
		if (check_value(x, err) < 0)
			return -1;
		ALLOC_GROW(ret->items, ret->n + 1, ret->room);
		ret->items[ret->n++] = (struct ext4_xattr){.name = x->name,
							   .value = x->value,
							   .value_len = x->value_len};
	}
	return 0;
}

void xattr_list_release(struct xattr_list *list)
{
	free(list->items);
	*list = (struct xattr_list){0};
}
