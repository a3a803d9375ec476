/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Incremental hashing by libcrypto, the only file that knows it. By its functions of 1.1: those of 3.0
 * do the same work, but start the whole library for it (configuration, providers, all names), which
 * takes a short command longer than everything else that it does.
 */
#define OPENSSL_API_COMPAT 10100

#include <assert.h>
#include <stdlib.h>

#include <openssl/sha.h>

#include "pkg/base/alloc.h"
#include "pkg/digest/digest.h"

struct hash {
	enum digest_algorithm algorithm;
	union {
		SHA256_CTX sha256;
		SHA512_CTX sha512;
	};
};

/* They have nothing to fail at. */
static void must(int openssl_ok)
{
	if (openssl_ok != 1)
		abort();
}

struct hash *hash_new(enum digest_algorithm algorithm)
{
	struct hash *h = xcalloc(1, sizeof(*h));

	assert(algorithm == DIGEST_SHA256 || algorithm == DIGEST_SHA512);
	h->algorithm = algorithm;
	must(algorithm == DIGEST_SHA256 ? SHA256_Init(&h->sha256) : SHA512_Init(&h->sha512));
	return h;
}

void hash_update(struct hash *h, const void *data, size_t len)
{
	must(h->algorithm == DIGEST_SHA256 ? SHA256_Update(&h->sha256, data, len)
					   : SHA512_Update(&h->sha512, data, len));
}

void hash_final(struct hash *h, struct digest *ret)
{
	*ret = (struct digest){.algorithm = h->algorithm};
	must(h->algorithm == DIGEST_SHA256 ? SHA256_Final(ret->bytes, &h->sha256)
					   : SHA512_Final(ret->bytes, &h->sha512));
}

void hash_free(struct hash *h)
{
	free(h);
}
