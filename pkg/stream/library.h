/* SPDX-License-Identifier: Apache-2.0 */
/* The library behind this module, for `version` and `info`. */
#pragma once

/* "2.30.0", of ISA-L as it was built against: it does not say at run time. */
const char *stream_library_version(void);
