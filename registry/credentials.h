/* SPDX-License-Identifier: Apache-2.0 */
/* What the user's files and helpers say of who they are to a registry. Rules C13 to C15. */
#pragma once

#include "registry/credential.h"

/*
 * Look through the places of auth_places.h; in each a helper comes before its entries. The first
 * that knows the host decides.
 *
 * @host: that will be asked, with its port, of a mirror for example.
 * @path: of the repository, or NULL.   @authfile: look there and nowhere else; or NULL.
 * @ret: owned; where says what it is from.
 *
 * Returns 0, 1 = nobody knows the host, -1.
 * Errors, naming file and helper: ERR_INVALID (malformed, an entry that makes no sense), ERR_USAGE
 * (a file or helper that is not there), ERR_SYSTEM, ERR_INTERRUPTED.
 */
MUST_CHECK int credentials_find(const char *host, const char *path, const char *authfile,
				struct credential *ret, struct error *err);
