/* SPDX-License-Identifier: Apache-2.0 */
/* Pulling one image, for the verbs that do. */
#pragma once

#include "cmd/thinpull/asker.h"
#include "cmd/thinpull/context.h"
#include "oci/unpack.h"

/*
 * Pull what the reference names. @asker: to registries. @ret_ref: owned, the recorded reference.
 * Errors carry "pull REF"; else as imageref_open_source() and unpack_image().
 */
MUST_CHECK int pull_image(const struct context *context, const struct asker *asker,
			  struct store *store, const char *reference, struct unpack_result *ret,
			  char **ret_ref, struct error *err);

/* --pull: when to ask the source although the image may be here. */
enum pull_policy { PULL_NEVER, PULL_MISSING, PULL_ALWAYS };

/* Errors: ERR_USAGE. */
MUST_CHECK int pull_policy_read(const struct args *args, enum pull_policy by_default,
				enum pull_policy *ret, struct error *err);

/*
 * The image that a reference names, pulled where the policy says so.
 * @ret_ref: owned, the recorded reference. Errors: as pull_image(), ERR_NOT_FOUND.
 */
MUST_CHECK int pull_by_policy(const struct context *context, const struct asker *asker,
			      struct store *store, const char *reference, enum pull_policy policy,
			      char **ret_ref, struct error *err);
