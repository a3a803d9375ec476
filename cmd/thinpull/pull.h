/* SPDX-License-Identifier: Apache-2.0 */
/* Pulling one image, for the verbs that do. */
#pragma once

#include "cmd/thinpull/context.h"
#include "oci/unpack.h"

/*
 * Pull what the reference names. @ret_ref: owned, the recorded reference.
 * Errors carry "pull REF"; else as imageref_open_source() and unpack_image().
 */
MUST_CHECK int pull_image(const struct context *context, struct store *store, const char *reference,
			  struct unpack_result *ret, char **ret_ref, struct error *err);
