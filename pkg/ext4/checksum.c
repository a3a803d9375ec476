/* SPDX-License-Identifier: Apache-2.0 */
/* crc32c by libext2fs, and the seeds of metadata_csum. */
#include "pkg/ext4/checksum.h"

#include <endian.h>
#include <ext2fs/ext2fs.h>

uint32_t ext4_crc32c(uint32_t crc, const void *data, size_t len)
{
	return ext2fs_crc32c_le(crc, data, len);
}

uint32_t ext4_inode_seed(uint32_t fs_seed, uint32_t inode, uint32_t generation)
{
	uint32_t le_inode = htole32(inode), le_generation = htole32(generation);
	uint32_t crc = ext4_crc32c(fs_seed, &le_inode, sizeof(le_inode));

	return ext4_crc32c(crc, &le_generation, sizeof(le_generation));
}
