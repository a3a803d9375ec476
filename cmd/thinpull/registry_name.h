/* SPDX-License-Identifier: Apache-2.0 */
/* What people write for a registry, as login and logout take it. */
#pragma once

#include "registry/reference.h"

/*
 * "quay.io", "localhost:5000", also with https:// before it or a slash behind it. All names of
 * docker's own are docker.io.
 * @ret: a reference into it, for its domain and reference_api_host(). Errors: ERR_USAGE.
 */
MUST_CHECK int registry_name_parse(const char *text, struct reference *ret, struct error *err);
