/* SPDX-License-Identifier: Apache-2.0 */
/* Digests as text and as values. Knows the grammar, not the hash functions. */
#include "pkg/digest/digest.h"

#include <assert.h>
#include <string.h>

#include "pkg/base/alloc.h"

static const struct {
	const char *name;
	size_t bytes;
} algorithms[] = {
	[DIGEST_NONE] = {"none", 0},
	[DIGEST_SHA256] = {"sha256", 32},
	[DIGEST_SHA512] = {"sha512", 64},
};

/* The grammar is descriptor.md's: component ([+._-] component)* ":" [a-zA-Z0-9=_-]+ */
static bool is_algorithm_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_encoded_char(char c)
{
	return is_algorithm_char(c) || (c >= 'A' && c <= 'Z') || c == '=' || c == '_' || c == '-';
}

static bool grammar_holds(const char *text)
{
	const char *p = text;

	for (;;) {
		if (!is_algorithm_char(*p))
			return false;
		while (is_algorithm_char(*p))
			p++;
		if (*p == ':')
			break;
		if (*p == '\0' || !strchr("+._-", *p))
			return false;
		p++;
	}
	p++;
	if (*p == '\0')
		return false;
	while (is_encoded_char(*p))
		p++;
	return *p == '\0';
}

static enum digest_algorithm find_algorithm(const char *name, size_t len)
{
	for (size_t i = DIGEST_SHA256; i < ARRAY_SIZE(algorithms); i++)
		if (strlen(algorithms[i].name) == len && !memcmp(algorithms[i].name, name, len))
			return (enum digest_algorithm)i;
	return DIGEST_NONE;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

static int parse_hex(const char *hex, struct digest *d)
{
	size_t bytes = digest_len(d);

	if (strlen(hex) != bytes * 2)
		return -1;
	for (size_t i = 0; i < bytes; i++) {
		int high = hex_value(hex[2 * i]);
		int low = hex_value(hex[2 * i + 1]);

		if (high < 0 || low < 0)
			return -1;
		d->bytes[i] = (uint8_t)(high << 4 | low);
	}
	return 0;
}

int digest_parse(const char *text, struct digest *ret, struct error *err)
{
	struct digest d = {0};
	const char *colon;

	if (!grammar_holds(text))
		return error_set(err, ERR_INVALID, "'%.160s' is not a digest", text);
	colon = strchr(text, ':');
	d.algorithm = find_algorithm(text, (size_t)(colon - text));
	if (d.algorithm == DIGEST_NONE)
		return error_set(err, ERR_UNSUPPORTED, "digest algorithm '%.*s' is not known",
				 (int)(colon - text < 64 ? colon - text : 64), text);
	if (parse_hex(colon + 1, &d) < 0)
		return error_set(err, ERR_INVALID,
				 "'%.160s' is not a digest: %s needs %zu lower-case hex digits",
				 text, algorithms[d.algorithm].name, digest_len(&d) * 2);
	*ret = d;
	return 0;
}

static char *put_hex(const struct digest *d, char *to)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < digest_len(d); i++) {
		*to++ = digits[d->bytes[i] >> 4];
		*to++ = digits[d->bytes[i] & 15];
	}
	*to = '\0';
	return to;
}

char *digest_format(const struct digest *d, char *buf)
{
	size_t len = strlen(algorithms[d->algorithm].name);

	memcpy(buf, algorithms[d->algorithm].name, len);
	buf[len] = ':';
	put_hex(d, buf + len + 1);
	return buf;
}

const char *digest_hex(const struct digest *d, char *buf)
{
	put_hex(d, buf);
	return buf;
}

const char *digest_algorithm_name(enum digest_algorithm a)
{
	return algorithms[a].name;
}

size_t digest_len(const struct digest *d)
{
	return algorithms[d->algorithm].bytes;
}

bool digest_equal(const struct digest *a, const struct digest *b)
{
	return a->algorithm == b->algorithm && !memcmp(a->bytes, b->bytes, digest_len(a));
}

void digest_of(enum digest_algorithm algorithm, const void *data, size_t len, struct digest *ret)
{
	cleanup(hash_free_ptr) struct hash *h = hash_new(algorithm);

	hash_update(h, data, len);
	hash_final(h, ret);
}
