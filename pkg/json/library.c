/* SPDX-License-Identifier: Apache-2.0 */
/* Asks jansson for its version. */
#include "pkg/json/library.h"

#include <jansson.h>

const char *jdoc_library_version(void)
{
	return jansson_version_str();
}
