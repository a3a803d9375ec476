/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Extended attributes in PAX records. SCHILY.xattr.NAME holds the value as it is;
 * LIBARCHIVE.xattr.NAME has the name URL-escaped and the value in base64, and counts only where
 * SCHILY says nothing. RHT.security.selinux, GNU tar's third form, is left out like the label
 * itself would be.
 */
#include <string.h>

#include "pkg/base/alloc.h"
#include "pkg/tar/tar_internal.h"

static struct tar_xattr *find(struct tar_pax *p, const char *name)
{
	for (size_t i = 0; i < p->n_xattrs; i++)
		if (!strcmp(p->xattrs[i].name, name))
			return &p->xattrs[i];
	return NULL;
}

static struct tar_xattr *append(struct tar_pax *p)
{
	ALLOC_GROW(p->xattrs, p->n_xattrs + 1, p->xattrs_room);
	ALLOC_GROW(p->xattr_from_libarchive, p->n_xattrs + 1, p->origins_room);
	return &p->xattrs[p->n_xattrs++];
}

int tar_pax_add_xattr(struct tar_pax *p, const char *name, const char *value, size_t len,
		      bool from_libarchive, struct error *err)
{
	size_t name_len = strlen(name);
	struct tar_xattr *x;

	if (name_len == 0 || name_len > TAR_XATTR_NAME_BYTES_MAX)
		return error_set(err, ERR_INVALID,
				 "extended attribute '%.60s' has a name of %zu bytes", name,
				 name_len);
	x = find(p, name);
	if (x && from_libarchive && !p->xattr_from_libarchive[x - p->xattrs])
		return 0;
	if (!x && p->n_xattrs == TAR_XATTRS_MAX)
		return error_set(err, ERR_INVALID, "more than %d extended attributes",
				 TAR_XATTRS_MAX);
	if (!x)
		x = append(p);
	*x = (struct tar_xattr){name, (const uint8_t *)value, len};
	p->xattr_from_libarchive[x - p->xattrs] = from_libarchive;
	return 0;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* In place; the result is never longer. */
static int unescape_name(char *name)
{
	char *to = name;

	for (const char *p = name; *p; p++) {
		int high, low;

		if (*p != '%') {
			*to++ = *p;
			continue;
		}
		high = hex_value(p[1]);
		low = high < 0 ? -1 : hex_value(p[2]);
		if (low < 0 || (high | low) == 0)
			return -1;
		*to++ = (char)(high << 4 | low);
		p += 2;
	}
	*to = '\0';
	return 0;
}

static int base64_value(char c)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* In place; with or without "=" at the end. */
static int decode_base64(char *value, size_t len, size_t *ret_len)
{
	uint32_t bits = 0;
	size_t n_bits = 0, out = 0, digits = len;

	while (digits > 0 && len - digits < 2 && value[digits - 1] == '=')
		digits--;
	if (digits % 4 == 1 || (digits != len && len % 4 != 0))
		return -1;
	for (size_t i = 0; i < digits; i++) {
		int v = base64_value(value[i]);

		if (v < 0)
			return -1;
		bits = bits << 6 | (uint32_t)v;
		n_bits += 6;
		if (n_bits >= 8) {
			n_bits -= 8;
			value[out++] = (char)(bits >> n_bits);
		}
	}
	value[out] = '\0';
	*ret_len = out;
	return 0;
}

int tar_pax_add_encoded_xattr(struct tar_pax *p, char *name, char *value, size_t len,
			      struct error *err)
{
	size_t decoded;

	if (unescape_name(name) < 0 || decode_base64(value, len, &decoded) < 0)
		return error_set(err, ERR_INVALID,
				 "PAX record 'LIBARCHIVE.xattr.%.60s' is wrongly encoded", name);
	return tar_pax_add_xattr(p, name, value, decoded, true, err);
}
