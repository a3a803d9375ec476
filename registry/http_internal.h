/* SPDX-License-Identifier: Apache-2.0 */
/* Between http.c and http_error.c. */
#pragma once

#include <curl/curl.h>

#include "registry/http.h"

enum http_problem http_problem_of(CURL *easy, CURLcode code);

/* The error of a request that got no answer, without its URL. @why: curl's words. Returns -1. */
int http_fail_at_step(CURL *easy, CURLcode code, const char *why, struct error *err);
