/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where an image comes from: a registry, a layout folder, an archive. A source hands out
 * bytes that nobody has verified yet.
 */
#pragma once

#include "oci/descriptor.h"
#include "pkg/base/buffer.h"
#include "pkg/stream/stream.h"

struct source;

struct byte_range {
	uint64_t offset, bytes;
};

struct source_ops {
	/*
	 * What the reference stands for: the descriptor of a manifest or an index. When the bytes
	 * come along anyway (a registry's tag) they are put in *ret_bytes, else it stays empty.
	 */
	int (*resolve)(struct source *s, struct oci_descriptor *ret, struct buffer *ret_bytes,
		       struct error *err);
	/* The bytes of any descriptor reached from there, unverified. */
	int (*fetch)(struct source *s, const struct oci_descriptor *d, struct stream **ret,
		     struct error *err);
	void (*close)(struct source *s);
	/* As fetch, a part of them, if it can; NULL: it never can. See source_fetch_range(). */
	int (*fetch_range)(struct source *s, const struct oci_descriptor *d,
			   struct byte_range *range, struct stream **ret, struct error *err);
};

/* First member of each implementation. */
struct source {
	const struct source_ops *ops;
	/*
	 * The reference as it is recorded: normalised, absolute. Shown to the user, and the key of
	 * `images`. Owned.
	 */
	char *name;
	/* Blobs are whole and at hand: they are read in place, not spooled first. */
	bool local;
	/* Layers that it has not got itself are asked for at their urls. */
	bool asks_urls;
};

MUST_CHECK int source_resolve(struct source *s, struct oci_descriptor *ret,
			      struct buffer *ret_bytes, struct error *err);
MUST_CHECK int source_fetch(struct source *s, const struct oci_descriptor *d, struct stream **ret,
			    struct error *err);
/*
 * A part of them.
 * @range: not empty, and within the blob; all of the blob afterwards when that is what comes.
 */
MUST_CHECK int source_fetch_range(struct source *s, const struct oci_descriptor *d,
				  struct byte_range *range, struct stream **ret, struct error *err);
/*
 * Fetch a manifest, index or config as a whole: at most OCI_DOCUMENT_MAX_BYTES, size and digest
 * verified.
 */
MUST_CHECK int source_fetch_document(struct source *s, const struct oci_descriptor *d,
				     struct buffer *ret, struct error *err);
void source_close(struct source *s);
DEFINE_CLEANUP(struct source *, source_close);
