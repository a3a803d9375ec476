/* SPDX-License-Identifier: Apache-2.0 */
/* Pulling one image, for the verbs that do. */
#pragma once

#include "cmd/thinpull/asker.h"
#include "cmd/thinpull/context.h"
#include "oci/unpack.h"
#include "pkg/json/jdoc.h"

/* Options of verbs that may pull. */
#define PULL_OPTIONS                                                                        \
	{"platform", 0, "OS/ARCH[/VARIANT]", "what to fetch (default: this machine)", 0},   \
		ASKER_OPTIONS,                                                              \
		{"max-concurrent-downloads", 0, "N", "transfers at once (default: 3)", 0},  \
	{                                                                                   \
		"allow-foreign", 0, NULL,                                                   \
			"layers that the registry has not got from where the image says", 0 \
	}

/*
 * The source that a reference names, asked as the options say.
 * @asker: to registries; must outlive the source.   @store: where archives are unpacked; NULL: none
 * is open. Errors: as imageref_open_source().
 */
MUST_CHECK int pull_open_source(const struct context *context, const struct asker *asker,
				const struct store *store, const char *reference,
				struct source **ret, struct error *err);

/* --max-concurrent-downloads; left as it is without it. Errors: ERR_USAGE. */
MUST_CHECK int pull_downloads(const struct args *args, unsigned *ret, struct error *err);

/*
 * Pull what the reference names. @ret_ref: owned, the recorded reference.
 * Errors carry "pull REF"; else as imageref_open_source() and unpack_image().
 */
MUST_CHECK int pull_image(const struct context *context, const struct asker *asker,
			  struct store *store, const char *reference, struct unpack_result *ret,
			  char **ret_ref, struct error *err);

/* Unpack what a source has, under the name it has, and show how far it is. */
MUST_CHECK int pull_source(const struct context *context, struct store *store,
			   struct source *source, struct unpack_result *ret, struct error *err);

/* "REF@DIGEST" on stdout, or an object more in o. */
MUST_CHECK int pull_print(const struct context *context, struct jout *o,
			  const struct unpack_result *result, const char *ref, struct error *err);

/* --pull: when to ask the source although the image may be here. */
enum pull_policy { PULL_NEVER, PULL_MISSING, PULL_ALWAYS };

/* Errors: ERR_USAGE. */
MUST_CHECK int pull_policy_read(const struct args *args, enum pull_policy by_default,
				enum pull_policy *ret, struct error *err);

/*
 * The image here that a reference names; of the platform, if one was asked for.
 * @ret_ref: owned, as recorded. Errors: as imageref_find(); ERR_NOT_FOUND: of another platform.
 */
MUST_CHECK int pull_find(const struct context *context, struct store *store, const char *reference,
			 char **ret_ref, struct error *err);

/*
 * The image that a reference names, pulled where the policy says so.
 * @ret_ref: owned, the recorded reference. Errors: as pull_image(), pull_find().
 */
MUST_CHECK int pull_by_policy(const struct context *context, const struct asker *asker,
			      struct store *store, const char *reference, enum pull_policy policy,
			      char **ret_ref, struct error *err);
