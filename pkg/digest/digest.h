/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Content digests as OCI writes them, "sha256:<64 lower-case hex>", and incremental hashing.
 * Spec: image-spec v1.1 descriptor.md "Digests". The only user of libcrypto.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pkg/base/cleanup.h"
#include "pkg/base/error.h"

enum digest_algorithm { DIGEST_NONE, DIGEST_SHA256, DIGEST_SHA512 };

enum { DIGEST_TEXT_BYTES = 7 + 128 + 1, DIGEST_MAX_BYTES = 64 };

/* A plain value; all zero is "no digest". */
struct digest {
	enum digest_algorithm algorithm;
	uint8_t bytes[DIGEST_MAX_BYTES]; /* 32 or 64 used, the rest 0 */
};

/*
 * Parse strictly: exact length, lower-case hex. Errors: ERR_INVALID; ERR_UNSUPPORTED when the
 * grammar holds but the algorithm is not known (blake3).
 */
MUST_CHECK int digest_parse(const char *text, struct digest *ret, struct error *err);

/* "sha256:<hex>"; buf has DIGEST_TEXT_BYTES. Returns buf. */
char *digest_format(const struct digest *d, char *buf);
/* The hex part alone. */
const char *digest_hex(const struct digest *d, char *buf);
const char *digest_algorithm_name(enum digest_algorithm a);
size_t digest_len(const struct digest *d);
bool digest_equal(const struct digest *a, const struct digest *b);

struct hash;

struct hash *hash_new(enum digest_algorithm algorithm);
void hash_update(struct hash *h, const void *data, size_t len);
void hash_final(struct hash *h, struct digest *ret); /* once */
void hash_free(struct hash *h);
DEFINE_CLEANUP(struct hash *, hash_free);

/* All at once. */
void digest_of(enum digest_algorithm algorithm, const void *data, size_t len, struct digest *ret);
