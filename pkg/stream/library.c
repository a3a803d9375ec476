/* SPDX-License-Identifier: Apache-2.0 */
/* Asks libzstd for its version, puts that of ISA-L together. */
#include "pkg/stream/library.h"

#include <isa-l.h>
#include <zstd.h>

#define TEXT_OF(x)	 #x
#define VERSION(a, b, c) TEXT_OF(a) "." TEXT_OF(b) "." TEXT_OF(c)

const char *stream_isal_version(void)
{
	return VERSION(ISAL_MAJOR_VERSION, ISAL_MINOR_VERSION, ISAL_PATCH_VERSION);
}

const char *stream_zstd_version(void)
{
	return ZSTD_versionString();
}
