/* SPDX-License-Identifier: Apache-2.0 */
/* All about a pool, as JSON and for people: what `pool status` and `info` say. */
#pragma once

#include "cmd/thinpull/context.h"
#include "oci/store_facts.h"
#include "pkg/json/jdoc.h"

/* @key: NULL at the top. What is not known is null. */
void pool_report(struct jout *o, const char *key, const struct context *context,
		 struct store *store, const struct store_facts *facts);

/* A line for each fact, on stdout. */
void pool_report_text(const struct context *context, struct store *store,
		      const struct store_facts *facts);

/* The same pool in the words of `docker info`, for who looks for those. @base_bytes: 0 = not known. */
void pool_report_docker(const struct context *context, struct store *store,
			const struct store_facts *facts, uint64_t base_bytes);

/* The mode, also of a pool that has no status now; and what leads out of it, or NULL. */
const char *pool_report_mode(const struct store_facts *facts);
const char *pool_report_hint(const struct store_facts *facts);
