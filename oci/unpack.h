/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pipeline, top to bottom: THE FILE TO READ FIRST. From a source to committed layers.
 *
 *   source -> verify -> decompress -> verify -> tar -> layer -> ext4 -> thin snapshot -> commit
 */
#pragma once

#include "oci/platform.h"
#include "oci/source.h"
#include "oci/store.h"

enum unpack_step {
	UNPACK_RESOLVED,  /* n_layers is known */
	UNPACK_PRESENT,	  /* a layer that is there already */
	UNPACK_WAIT,	  /* a layer that is not: said of all of them before the first is fetched */
	UNPACK_FETCH,	  /* bytes of the blob so far */
	UNPACK_APPLY,	  /* being applied */
	UNPACK_COMMITTED, /* bytes of its files */
	UNPACK_DONE,
};

struct unpack_event {
	enum unpack_step step;
	size_t layer, n_layers;	     /* layer counts from 1 */
	const struct digest *digest; /* of the blob */
	uint64_t bytes, total_bytes; /* total: of the blob */
};

struct unpack_options {
	struct oci_platform platform;
	unsigned downloads; /* blobs fetched at once; 0: SPOOL_AT_ONCE */
	bool keep_blobs;    /* of all its layers, in the content; also of those that are there */
	void (*progress)(const struct unpack_event *event,
			 void *arg); /* may be NULL; may come from another thread */
	void *arg;
};

struct unpack_result {
	struct digest digest; /* what the reference stands for: index or manifest */
	struct digest manifest;
	size_t n_layers, n_fetched;
	uint64_t fetched_bytes;
};

/*
 * Fetch what is missing, verify it, make one thin snapshot for each layer, then record the image
 * under source->name. The pool is made when there is none. After an error every layer committed so
 * far stays (a second try continues), nothing else does.
 */
MUST_CHECK int unpack_image(struct store *store, struct source *source,
			    const struct unpack_options *options, struct unpack_result *ret,
			    struct error *err);

/* What a layer is taken to unpack to, by the size of its blob and its type. */
uint64_t unpack_estimate(const struct oci_descriptor *layer);
