/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The records of an x member: "length key=value\n". Keys that change nothing of a layer (names of
 * owners, comments, ACL texts, flags) are passed over; what is malformed never is.
 */
#include <stdlib.h>
#include <string.h>

#include "pkg/base/alloc.h"
#include "pkg/tar/tar_internal.h"

struct record {
	char *key, *value; /* both terminated */
	size_t key_len, value_len;
};

void tar_pax_clear(struct tar_pax *p)
{
	p->have = 0;
	p->sparse_half_pair = false;
	p->sparse_pairs.n = 0;
	p->n_xattrs = 0;
}

void tar_pax_release(struct tar_pax *p)
{
	tar_sparse_release(&p->sparse_pairs);
	free(p->xattrs);
	free(p->xattr_from_libarchive);
	*p = (struct tar_pax){0};
}

static int bad_value(const struct record *r, struct error *err)
{
	return error_set(err, ERR_INVALID, "PAX record '%s' has an invalid value '%.40s'", r->key,
			 r->value);
}

static int take_text(const struct record *r, struct tar_text *ret, struct error *err)
{
	if (memchr(r->value, '\0', r->value_len))
		return error_set(err, ERR_INVALID, "PAX record '%s' holds a NUL", r->key);
	if (r->value_len > TAR_PATH_BYTES_MAX)
		return error_set(err, ERR_INVALID, "PAX record '%s' is longer than %d bytes",
				 r->key, TAR_PATH_BYTES_MAX);
	*ret = (struct tar_text){r->value, r->value_len};
	return 0;
}

static int take_owner_name(const struct record *r, struct error *err)
{
	struct tar_text unused;

	return take_text(r, &unused, err);
}

static int take_number(const struct record *r, uint64_t max, uint64_t *ret, struct error *err)
{
	if (tar_decimal(r->value, r->value_len, max, ret) < 0)
		return bad_value(r, err);
	return 0;
}

static int take_time(const struct record *r, struct tar_time *ret, struct error *err)
{
	if (tar_decimal_time(r->value, r->value_len, ret) < 0)
		return bad_value(r, err);
	return 0;
}

/* Format 0.0 repeats these two keys, once for each region. */
static int take_sparse_offset(struct tar_pax *p, const struct record *r, struct error *err)
{
	if (p->sparse_half_pair)
		return error_set(err, ERR_INVALID, "GNU.sparse.offset twice in a row");
	p->sparse_half_pair = true;
	return take_number(r, INT64_MAX, &p->sparse_offset, err);
}

static int take_sparse_numbytes(struct tar_pax *p, const struct record *r, struct error *err)
{
	uint64_t len;

	if (!p->sparse_half_pair)
		return error_set(err, ERR_INVALID, "GNU.sparse.numbytes without an offset");
	p->sparse_half_pair = false;
	if (take_number(r, INT64_MAX, &len, err) < 0)
		return -1;
	return tar_sparse_add(&p->sparse_pairs, p->sparse_offset, len, err);
}

enum key {
	KEY_PATH,
	KEY_LINK,
	KEY_SIZE,
	KEY_UID,
	KEY_GID,
	KEY_MTIME,
	KEY_ATIME,
	KEY_OWNER_NAME,
	KEY_DEVMAJOR,
	KEY_DEVMINOR,
	KEY_REFUSED,
	KEY_SPARSE_MAJOR,
	KEY_SPARSE_MINOR,
	KEY_SPARSE_NAME,
	KEY_SPARSE_SIZE,
	KEY_SPARSE_REALSIZE,
	KEY_SPARSE_BLOCKS,
	KEY_SPARSE_LIST,
	KEY_SPARSE_OFFSET,
	KEY_SPARSE_NUMBYTES,
};

static const struct known_key {
	const char *name;
	enum key key;
	unsigned int have;
} known_keys[] = {
	{"path", KEY_PATH, TAR_PAX_PATH},
	{"linkpath", KEY_LINK, TAR_PAX_LINK},
	{"size", KEY_SIZE, TAR_PAX_SIZE},
	{"uid", KEY_UID, TAR_PAX_UID},
	{"gid", KEY_GID, TAR_PAX_GID},
	{"mtime", KEY_MTIME, TAR_PAX_MTIME},
	{"atime", KEY_ATIME, TAR_PAX_ATIME},
	{"uname", KEY_OWNER_NAME, 0},
	{"gname", KEY_OWNER_NAME, 0},
	{"SCHILY.devmajor", KEY_DEVMAJOR, TAR_PAX_DEVMAJOR},
	{"SCHILY.devminor", KEY_DEVMINOR, TAR_PAX_DEVMINOR},
	/* star's own sparse files: libarchive takes the size, others do not. */
	{"SCHILY.realsize", KEY_REFUSED, 0},
	{"GNU.sparse.major", KEY_SPARSE_MAJOR, TAR_PAX_SPARSE | TAR_PAX_SPARSE_MAJOR},
	{"GNU.sparse.minor", KEY_SPARSE_MINOR, TAR_PAX_SPARSE | TAR_PAX_SPARSE_MINOR},
	{"GNU.sparse.name", KEY_SPARSE_NAME, TAR_PAX_SPARSE | TAR_PAX_SPARSE_NAME},
	{"GNU.sparse.size", KEY_SPARSE_SIZE, TAR_PAX_SPARSE | TAR_PAX_SPARSE_SIZE},
	{"GNU.sparse.realsize", KEY_SPARSE_REALSIZE, TAR_PAX_SPARSE | TAR_PAX_SPARSE_REALSIZE},
	{"GNU.sparse.numblocks", KEY_SPARSE_BLOCKS, TAR_PAX_SPARSE | TAR_PAX_SPARSE_BLOCKS},
	{"GNU.sparse.map", KEY_SPARSE_LIST, TAR_PAX_SPARSE | TAR_PAX_SPARSE_LIST},
	{"GNU.sparse.offset", KEY_SPARSE_OFFSET, TAR_PAX_SPARSE},
	{"GNU.sparse.numbytes", KEY_SPARSE_NUMBYTES, TAR_PAX_SPARSE},
};

static int take_sparse(struct tar_pax *p, enum key key, const struct record *r, struct error *err)
{
	switch (key) {
	case KEY_SPARSE_MAJOR:
		return take_number(r, INT64_MAX, &p->sparse_major, err);
	case KEY_SPARSE_MINOR:
		return take_number(r, INT64_MAX, &p->sparse_minor, err);
	case KEY_SPARSE_NAME:
		return take_text(r, &p->sparse_name, err);
	case KEY_SPARSE_SIZE:
		return take_number(r, INT64_MAX, &p->sparse_size, err);
	case KEY_SPARSE_REALSIZE:
		return take_number(r, INT64_MAX, &p->sparse_realsize, err);
	case KEY_SPARSE_BLOCKS:
		return take_number(r, INT64_MAX, &p->sparse_blocks, err);
	case KEY_SPARSE_LIST:
		p->sparse_list = (struct tar_text){r->value, r->value_len};
		return 0;
	case KEY_SPARSE_OFFSET:
		return take_sparse_offset(p, r, err);
	default:
		return take_sparse_numbytes(p, r, err);
	}
}

static int take_known(struct tar_pax *p, enum key key, const struct record *r, struct error *err)
{
	switch (key) {
	case KEY_PATH:
		return take_text(r, &p->path, err);
	case KEY_LINK:
		return take_text(r, &p->link, err);
	case KEY_SIZE:
		return take_number(r, INT64_MAX - TAR_BLOCK_BYTES, &p->size, err);
	case KEY_UID:
		return take_number(r, UINT32_MAX - 1, &p->uid, err);
	case KEY_GID:
		return take_number(r, UINT32_MAX - 1, &p->gid, err);
	case KEY_MTIME:
		return take_time(r, &p->mtime, err);
	case KEY_ATIME:
		return take_time(r, &p->atime, err);
	case KEY_OWNER_NAME:
		return take_owner_name(r, err);
	case KEY_DEVMAJOR:
		return take_number(r, UINT32_MAX, &p->devmajor, err);
	case KEY_DEVMINOR:
		return take_number(r, UINT32_MAX, &p->devminor, err);
	case KEY_REFUSED:
		return error_set(err, ERR_INVALID,
				 "PAX record '%s', which readers take differently", r->key);
	default:
		return take_sparse(p, key, r, err);
	}
}

/* The rest of the key behind a prefix, or NULL. */
static char *behind(const struct record *r, const char *prefix)
{
	size_t len = strlen(prefix);

	return !strncmp(r->key, prefix, len) ? r->key + len : NULL;
}

static int take_record(struct tar_pax *p, const struct record *r, struct error *err)
{
	char *name;

	if ((name = behind(r, "SCHILY.xattr.")) != NULL)
		return tar_pax_add_xattr(p, name, r->value, r->value_len, false, err);
	if ((name = behind(r, "LIBARCHIVE.xattr.")) != NULL)
		return tar_pax_add_encoded_xattr(p, name, r->value, r->value_len, err);
	for (size_t i = 0; i < ARRAY_SIZE(known_keys); i++) {
		const struct known_key *k = &known_keys[i];

		if (strcmp(r->key, k->name) != 0)
			continue;
		/* "Deletes the value", and readers disagree which one is left then. */
		if (r->value_len == 0 && k->key != KEY_OWNER_NAME && k->key != KEY_SPARSE_LIST)
			return error_set(err, ERR_INVALID, "PAX record '%s' is empty", r->key);
		p->have |= k->have;
		return take_known(p, k->key, r, err);
	}
	return behind(r, "GNU.sparse.")
		       ? error_set(err, ERR_INVALID, "PAX record '%.60s' is unknown", r->key)
		       : 0;
}

/* Cut one record out of the body: "length key=value\n", where length counts all of it. */
static int cut_record(char *text, size_t left, struct record *ret, size_t *ret_len,
		      struct error *err)
{
	char *space = memchr(text, ' ', left < 20 ? left : 20);
	uint64_t len;
	char *equals;

	if (!space || tar_decimal(text, (size_t)(space - text), left, &len) < 0
	    || len < (size_t)(space - text) + 3 || text[len - 1] != '\n')
		return error_set(err, ERR_INVALID, "PAX record has a wrong length");
	ret->key = space + 1;
	equals = memchr(ret->key, '=', (size_t)(text + len - 1 - ret->key));
	if (!equals || equals == ret->key)
		return error_set(err, ERR_INVALID, "PAX record without a key");
	ret->key_len = (size_t)(equals - ret->key);
	if (memchr(ret->key, '\0', ret->key_len))
		return error_set(err, ERR_INVALID, "PAX record with a NUL in its key");
	ret->value = equals + 1;
	ret->value_len = (size_t)(text + len - 1 - ret->value);
	*equals = '\0';
	text[len - 1] = '\0';
	*ret_len = (size_t)len;
	return 0;
}

int tar_pax_parse(struct tar_pax *p, char *body, size_t len, struct error *err)
{
	size_t at = 0;

	tar_pax_clear(p);
	while (at < len) {
		struct record r;
		size_t n = 0;

		if (cut_record(body + at, len - at, &r, &n, err) < 0 || take_record(p, &r, err) < 0)
			return -1;
		at += n;
	}
	if (p->sparse_half_pair)
		return error_set(err, ERR_INVALID, "GNU.sparse.offset without GNU.sparse.numbytes");
	return 0;
}
