/* SPDX-License-Identifier: Apache-2.0 */
/* Asks SQLite for its version. */
#include "pkg/catalog/library.h"

#include <sqlite3.h>

const char *catalog_library_version(void)
{
	return sqlite3_libversion();
}
