/* SPDX-License-Identifier: Apache-2.0 */
/* The library behind this module, for `version` and `info`. */
#pragma once

/* "3.0.15", of libcrypto as it is loaded. */
const char *digest_library_version(void);
