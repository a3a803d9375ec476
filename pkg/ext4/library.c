/* SPDX-License-Identifier: Apache-2.0 */
/* Asks libext2fs for its version. */
#include "pkg/ext4/library.h"

#include <ext2fs/ext2fs.h>

const char *ext4_library_version(void)
{
	const char *version = NULL;

	ext2fs_get_library_version(&version, NULL);
	return version;
}
