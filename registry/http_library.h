/* SPDX-License-Identifier: Apache-2.0 */
/* The library behind http, for `version` and `info`. */
#pragma once

/* "7.88.1", of libcurl as it is loaded. */
const char *http_library_version(void);
