/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The PAX records of libarchive, put right. Measured with 3.6.2:
 *
 *   mtime             takes seconds and nanoseconds to have one sign: 1.5 s before 1970 is "-2.5"
 *   size              of a sparse file from 8 GiB on: the size with holes, and readers look for the
 *                     next member at its end
 *   GNU.sparse.name   cut to what a ustar header holds, and it wins over path
 *   SCHILY.xattr.     followed by a name with bytes escaped as %XX, which only it reads so
 *   SCHILY.devmajor   SCHILY.devminor: of large devices, though their header holds all of them; GNU
 *                     tar complains about keys that it does not know
 *   hdrcharset        BINARY for each member once it is asked not to convert names (which it does
 *                     by the locale, and not byte by byte); right only for names that are no UTF-8
 *
 * A libarchive without these faults writes the same records, and comes out unchanged.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "pkg/base/alloc.h"
#include "pkg/base/base64.h"
#include "pkg/base/utf8.h"
#include "pkg/tar/archive_internal.h"
#include "pkg/tar/tar_internal.h"

enum {
	SIZE_AT = 124,
	SIZE_LEN = 12,
	CHECKSUM_AT = 148,
	CHECKSUM_LEN = 8,
	TYPE_AT = 156,
	NSEC_PER_SEC = 1000000000,
};

#define XATTR_PREFIX "SCHILY.xattr."

struct head {
	const struct tar_entry *entry;
	const uint8_t *main; /* the header of the member itself */
	size_t next_xattr;   /* their records stand in the entry's order */
};

struct record {
	const char *key, *value; /* not terminated */
	size_t key_len, value_len;
};

/* --- the right value of each record ----------------------------------------------------------- */

static bool is_text(const struct tar_entry *e)
{
	return utf8_is_valid(e->path, e->path_len)
	       && (!e->link || utf8_is_valid(e->link, e->link_len));
}

static int put_charset(const struct head *h, const struct record *r, struct buffer *to)
{
	if (!is_text(h->entry))
		buffer_add(to, r->value, r->value_len);
	return 0;
}

/* -1.5 is half a second after -2. */
static int put_mtime(const struct head *h, const struct record *r, struct buffer *to)
{
	struct tar_time t = h->entry->mtime;
	bool negative = t.sec < 0;

	(void)r;
	if (negative && t.nsec) {
		t.sec++;
		t.nsec = NSEC_PER_SEC - t.nsec;
	}
	buffer_printf(to, "%s%" PRIu64, negative ? "-" : "",
		      negative ? -(uint64_t)t.sec : (uint64_t)t.sec);
	if (t.nsec)
		buffer_printf(to, ".%09" PRIu32, t.nsec);
	while (t.nsec && to->data[to->len - 1] == '0')
		to->len--;
	return 0;
}

/* What is stored, which the header itself has right. */
static int put_size(const struct head *h, const struct record *r, struct buffer *to)
{
	int64_t stored;

	(void)r;
	if (tar_field_number(h->main + SIZE_AT, SIZE_LEN, &stored) < 0)
		return -1;
	buffer_printf(to, "%" PRId64, stored);
	return 0;
}

static int put_path(const struct head *h, const struct record *r, struct buffer *to)
{
	(void)r;
	buffer_add(to, h->entry->path, h->entry->path_len);
	return 0;
}

static int put_nothing(const struct head *h, const struct record *r, struct buffer *to)
{
	(void)h, (void)r, (void)to;
	return 0;
}

static int put_as_is(const struct head *h, const struct record *r, struct buffer *to)
{
	(void)h;
	buffer_add(to, r->value, r->value_len);
	return 0;
}

static const struct correction {
	const char *key;
	int (*put)(const struct head *h, const struct record *r, struct buffer *to);
} corrections[] = {
	{"mtime", put_mtime},
	{"size", put_size},
	{"GNU.sparse.name", put_path},
	{"SCHILY.devmajor", put_nothing},
	{"SCHILY.devminor", put_nothing},
	{"hdrcharset", put_charset},
	{NULL, put_as_is},
};

static const struct correction *find_correction(const struct record *r)
{
	const struct correction *c = corrections;

	while (c->key && (strlen(c->key) != r->key_len || memcmp(c->key, r->key, r->key_len) != 0))
		c++;
	return c;
}

/* --- records and headers ---------------------------------------------------------------------- */

/* "length key=value\n"; the length counts its own digits. */
static void add_record(struct buffer *to, const struct record *r)
{
	size_t rest = 1 + r->key_len + 1 + r->value_len + 1, len = rest + 1;
	char digits[24];

	while (len != rest + (size_t)snprintf(digits, sizeof(digits), "%zu", len))
		len = rest + strlen(digits);
	buffer_printf(to, "%s ", digits);
	buffer_add(to, r->key, r->key_len);
	buffer_add(to, "=", 1);
	buffer_add(to, r->value, r->value_len);
	buffer_add(to, "\n", 1);
}

static bool is_xattr(const struct record *r)
{
	return r->key_len > strlen(XATTR_PREFIX)
	       && memcmp(r->key, XATTR_PREFIX, strlen(XATTR_PREFIX)) == 0;
}

static void add_raw_xattr(const struct tar_xattr *x, struct buffer *to)
{
	cleanup_free char *key = xasprintf("%s%s", XATTR_PREFIX, x->name);

	add_record(to, &(struct record){key, (const char *)x->value, strlen(key), x->value_len});
}

/* The form of libarchive, for names with a '=': the raw one would end them there. */
static void add_encoded_xattr(const struct tar_xattr *x, struct buffer *to)
{
	cleanup_buffer struct buffer key = {0}, value = {0};

	buffer_printf(&key, "LIBARCHIVE.xattr.");
	for (const char *p = x->name; *p; p++) {
		if (*p > ' ' && *p <= '~' && *p != '=' && *p != '%')
			buffer_add(&key, p, 1);
		else
			buffer_printf(&key, "%%%02X", (unsigned char)*p);
	}
	base64_encode(x->value, x->value_len, &value);
	add_record(to, &(struct record){(const char *)key.data, (const char *)value.data, key.len,
					value.len});
}

static int add_xattr(struct head *h, struct buffer *to)
{
	const struct tar_xattr *x;

	if (h->next_xattr == h->entry->n_xattrs)
		return -1;
	x = &h->entry->xattrs[h->next_xattr++];
	if (strchr(x->name, '='))
		add_encoded_xattr(x, to);
	else
		add_raw_xattr(x, to);
	return 0;
}

static int add_corrected(struct head *h, const struct record *r, struct buffer *to)
{
	cleanup_buffer struct buffer value = {0};

	if (is_xattr(r))
		return add_xattr(h, to);
	if (find_correction(r)->put(h, r, &value) < 0)
		return -1;
	/* None that stays has no value. */
	if (value.len)
		add_record(to, &(struct record){r->key, (const char *)value.data, r->key_len,
						value.len});
	return 0;
}

static int cut_record(const char *body, size_t left, struct record *ret, size_t *ret_len)
{
	const char *space = memchr(body, ' ', left), *equals;
	uint64_t len;

	if (!space || tar_decimal(body, (size_t)(space - body), left, &len) < 0
	    || len < (size_t)(space - body) + 3)
		return -1;
	ret->key = space + 1;
	equals = memchr(ret->key, '=', (size_t)(body + len - 1 - ret->key));
	if (!equals)
		return -1;
	ret->key_len = (size_t)(equals - ret->key);
	ret->value = equals + 1;
	ret->value_len = (size_t)(body + len - 1 - ret->value);
	*ret_len = (size_t)len;
	return 0;
}

static int correct_records(struct head *h, const char *body, size_t len, struct buffer *to)
{
	while (len) {
		struct record r;
		size_t n = 0;

		if (cut_record(body, len, &r, &n) < 0 || add_corrected(h, &r, to) < 0)
			return -1;
		body += n;
		len -= n;
	}
	return 0;
}

/* The header of records that have another length now. */
static void add_records(const uint8_t *header, const struct buffer *records, struct buffer *to)
{
	uint8_t block[TAR_BLOCK_BYTES];
	static const uint8_t zeros[TAR_BLOCK_BYTES];
	unsigned sum = 0;

	memcpy(block, header, sizeof(block));
	snprintf((char *)block + SIZE_AT, SIZE_LEN, "%011zo", records->len);
	memset(block + CHECKSUM_AT, ' ', CHECKSUM_LEN);
	for (size_t i = 0; i < sizeof(block); i++)
		sum += block[i];
	snprintf((char *)block + CHECKSUM_AT, CHECKSUM_LEN - 1, "%06o", sum);
	buffer_add(to, block, sizeof(block));
	buffer_add(to, records->data, records->len);
	buffer_add(to, zeros, (size_t)tar_padding(records->len));
}

static int correct(const struct buffer *head, const struct tar_entry *entry, struct buffer *ret)
{
	cleanup_buffer struct buffer records = {0};
	struct head h = {.entry = entry};
	int64_t len;

	if (head->len < TAR_BLOCK_BYTES)
		return -1;
	h.main = head->data + head->len - TAR_BLOCK_BYTES;
	if (h.main != head->data) {
		if (head->data[TYPE_AT] != 'x'
		    || tar_field_number(head->data + SIZE_AT, SIZE_LEN, &len) < 0 || len < 0
		    || (uint64_t)len + tar_padding((uint64_t)len) + 2 * TAR_BLOCK_BYTES
			       != head->len)
			return -1;
		if (correct_records(&h, (const char *)head->data + TAR_BLOCK_BYTES, (size_t)len,
				    &records)
		    < 0)
			return -1;
	}
	if (h.next_xattr != entry->n_xattrs)
		return -1;
	if (records.len)
		add_records(head->data, &records, ret);
	buffer_add(ret, h.main, TAR_BLOCK_BYTES);
	return 0;
}

int tar_archive_correct(const struct buffer *head, const struct tar_entry *entry,
			struct buffer *ret, struct error *err)
{
	if (correct(head, entry, ret) < 0)
		return error_set(err, ERR_UNSUPPORTED,
				 "libarchive writes headers that this program does not understand");
	return 0;
}
