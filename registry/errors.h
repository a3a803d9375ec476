/* SPDX-License-Identifier: Apache-2.0 */
/* What a registry says when it refuses, as one clean line and the right kind of error. */
#pragma once

#include <stdbool.h>

#include "registry/http.h"

/*
 * Fill *err from a response that is no success; reads its body, at most 1 MiB, and shows only what
 * is JSON in the form of the distribution specification. Returns -1.
 *   401, 403 ERR_UNAUTHORIZED · 404 ERR_NOT_FOUND · 408, 429, 5xx ERR_NETWORK · else ERR_INVALID
 */
int registry_refused(struct http_response *r, struct error *err);

/* Whether the same request may succeed later: 408, 429 and 5xx. */
bool registry_may_retry(int status);
