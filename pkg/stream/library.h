/* SPDX-License-Identifier: Apache-2.0 */
/* The libraries behind this module, for `version` and `info`. */
#pragma once

/* "2.30.0", of ISA-L as it was built against: it does not say at run time. */
const char *stream_isal_version(void);
/* "1.5.4", of libzstd. */
const char *stream_zstd_version(void);
