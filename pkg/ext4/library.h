/* SPDX-License-Identifier: Apache-2.0 */
/* The library behind this module, for `version` and `info`. */
#pragma once

/* "3.0.15", of libext2fs as it is loaded. */
const char *ext4_library_version(void);
