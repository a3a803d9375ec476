/* SPDX-License-Identifier: Apache-2.0 */
/* One header block: checksum, format, fields. Knows nothing of what came before it. */
#include <string.h>

#include "pkg/tar/tar_internal.h"

enum {
	NAME_AT = 0,
	NAME_BYTES = 100,
	CHECKSUM_AT = 148,
	CHECKSUM_BYTES = 8,
	TYPEFLAG_AT = 156,
	LINK_AT = 157,
	MAGIC_AT = 257,
	PREFIX_AT = 345,
	PREFIX_BYTES = 155,
	STAR_PREFIX_BYTES = 131,
	STAR_TRAILER_AT = 508,
	GNU_ATIME_AT = 345,
	GNU_CTIME_AT = 357,
	TIME_BYTES = 12,
};

/* 2^32 - 1 means "leave it" to chown(2). */
#define ID_MAX ((int64_t)UINT32_MAX - 1)

struct field {
	const char *name;
	size_t at, len;
	int64_t min, max;
};

static int number(const uint8_t *block, const struct field *f, int64_t *ret, struct error *err)
{
	int64_t v;

	if (tar_field_number(block + f->at, f->len, &v) < 0)
		return error_set(err, ERR_INVALID, "header field '%s' is not a number", f->name);
	if (v < f->min || v > f->max)
		return error_set(err, ERR_INVALID, "header field '%s' is out of range: %lld",
				 f->name, (long long)v);
	*ret = v;
	return 0;
}

int tar_header_check(const uint8_t *block, struct error *err)
{
	int64_t expected, as_unsigned = 0, as_signed = 0;

	for (size_t i = 0; i < TAR_BLOCK_BYTES; i++) {
		as_unsigned += block[i];
		as_signed += (int8_t)block[i];
	}
	for (size_t i = CHECKSUM_AT; i < CHECKSUM_AT + CHECKSUM_BYTES; i++) {
		as_unsigned += ' ' - block[i];
		as_signed += ' ' - (int8_t)block[i];
	}
	/* Old writers on machines with signed char summed up those. */
	if (tar_field_number(block + CHECKSUM_AT, CHECKSUM_BYTES, &expected) < 0
	    || (expected != as_unsigned && expected != as_signed))
		return error_set(err, ERR_INVALID, "header has a wrong checksum");
	return 0;
}

static bool is_number_or_unset(const uint8_t *field, size_t len)
{
	int64_t v;

	return field[0] == 0 || tar_field_number(field, len, &v) == 0;
}

/* If the times are no numbers Go takes them for a prefix, as its writers once made; others not. */
static int check_gnu_times(const uint8_t *block, struct error *err)
{
	if (!is_number_or_unset(block + GNU_ATIME_AT, TIME_BYTES)
	    || !is_number_or_unset(block + GNU_CTIME_AT, TIME_BYTES))
		return error_set(err, ERR_INVALID,
				 "GNU header has a name prefix, which readers take differently");
	return 0;
}

static int find_format(const uint8_t *block, enum tar_format *ret, struct error *err)
{
	const uint8_t *magic = block + MAGIC_AT;

	if (!memcmp(magic, "ustar  ", 8)) {
		*ret = TAR_GNU;
		return check_gnu_times(block, err);
	}
	if (!memcmp(magic, "ustar", 6)) {
		bool star = !memcmp(block + STAR_TRAILER_AT, "tar", 4);

		/* A prefix of star's that goes on into its atime is longer for other readers. */
		if (star && block[PREFIX_AT + STAR_PREFIX_BYTES - 1] != 0)
			return error_set(err, ERR_INVALID,
					 "star header has a name prefix without an end");
		*ret = star ? TAR_STAR : TAR_USTAR;
		return 0;
	}
	if (!memcmp(magic, "ustar", 5) && block[PREFIX_AT] != 0)
		return error_set(err, ERR_INVALID, "header has an unknown variant of ustar");
	*ret = TAR_V7;
	return 0;
}

int tar_header_parse_type(const uint8_t *block, struct tar_header *h, struct error *err)
{
	static const struct field size_field = {"size", 124, 12, 0, INT64_MAX - TAR_BLOCK_BYTES};
	int64_t size;

	if (find_format(block, &h->format, err) < 0 || number(block, &size_field, &size, err) < 0)
		return -1;
	h->typeflag = (char)block[TYPEFLAG_AT];
	h->size = (uint64_t)size;
	return 0;
}

static size_t copy_text(char *to, const uint8_t *field, size_t size)
{
	size_t len = strnlen((const char *)field, size);

	memcpy(to, field, len);
	to[len] = '\0';
	return len;
}

static void read_name(const uint8_t *block, struct tar_header *h)
{
	size_t prefix_bytes = h->format == TAR_USTAR  ? PREFIX_BYTES
			      : h->format == TAR_STAR ? STAR_PREFIX_BYTES
						      : 0;
	size_t len = copy_text(h->name, block + PREFIX_AT, prefix_bytes);

	if (len > 0)
		h->name[len++] = '/';
	h->name_len = len + copy_text(h->name + len, block + NAME_AT, NAME_BYTES);
	h->link_len = copy_text(h->link, block + LINK_AT, NAME_BYTES);
}

static int read_device(const uint8_t *block, struct tar_header *h, struct error *err)
{
	static const struct field major_field = {"devmajor", 329, 8, 0, UINT32_MAX};
	static const struct field minor_field = {"devminor", 337, 8, 0, UINT32_MAX};
	int64_t major, minor;

	h->rdev_major = h->rdev_minor = 0;
	if (h->typeflag != '3' && h->typeflag != '4')
		return 0;
	if (number(block, &major_field, &major, err) < 0
	    || number(block, &minor_field, &minor, err) < 0)
		return -1;
	h->rdev_major = (uint32_t)major;
	h->rdev_minor = (uint32_t)minor;
	return 0;
}

int tar_header_parse_rest(const uint8_t *block, struct tar_header *h, struct error *err)
{
	static const struct field mode_field = {"mode", 100, 8, 0, UINT32_MAX};
	static const struct field uid_field = {"uid", 108, 8, 0, ID_MAX};
	static const struct field gid_field = {"gid", 116, 8, 0, ID_MAX};
	static const struct field mtime_field = {"mtime", 136, 12, INT64_MIN, INT64_MAX};
	int64_t mode, uid, gid;

	read_name(block, h);
	if (number(block, &mode_field, &mode, err) < 0 || number(block, &uid_field, &uid, err) < 0
	    || number(block, &gid_field, &gid, err) < 0
	    || number(block, &mtime_field, &h->mtime, err) < 0)
		return -1;
	h->mode = (uint32_t)mode & 07777; /* some writers put the file type here, too */
	h->uid = (uint32_t)uid;
	h->gid = (uint32_t)gid;
	return read_device(block, h, err);
}
