/* SPDX-License-Identifier: Apache-2.0 */
/* GET with redirects followed by hand (rule C8): secrets never leave the first origin. */
#pragma once

#include <stdbool.h>

#include "registry/http.h"

/*
 * As http_get(), but 301, 302, 303, 307 and 308 are followed, at most 10 times.
 * @ret_left: the response is from another scheme, host or port than was asked; what it wants to
 *            know (401) must not be told.
 * Errors: as http_get(); ERR_INVALID: too many, from https to http, from elsewhere to this machine.
 */
MUST_CHECK int redirect_get(struct http_client *c, const struct http_request *request,
			    struct http_response *ret, bool *ret_left,
			    enum http_problem *ret_problem, struct error *err);
