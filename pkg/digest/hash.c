/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Incremental hashing by libcrypto, the only file that knows it. What fails there (no provider,
 * no memory) is no input's fault and cannot be handled: it aborts like xmalloc().
 */
#include <assert.h>
#include <stdlib.h>

#include <openssl/evp.h>

#include "pkg/base/alloc.h"
#include "pkg/digest/digest.h"

struct hash {
	enum digest_algorithm algorithm;
	EVP_MD_CTX *ctx;
};

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
	h->ctx = EVP_MD_CTX_new();
	must(h->ctx != NULL);
	must(EVP_DigestInit_ex(h->ctx, algorithm == DIGEST_SHA256 ? EVP_sha256() : EVP_sha512(),
			       NULL));
	return h;
}

void hash_update(struct hash *h, const void *data, size_t len)
{
	must(EVP_DigestUpdate(h->ctx, data, len));
}

void hash_final(struct hash *h, struct digest *ret)
{
	*ret = (struct digest){.algorithm = h->algorithm};
	must(EVP_DigestFinal_ex(h->ctx, ret->bytes, NULL));
}

void hash_free(struct hash *h)
{
	EVP_MD_CTX_free(h->ctx);
	free(h);
}
