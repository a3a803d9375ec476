/* SPDX-License-Identifier: Apache-2.0 */
/* The crc32c of metadata_csum, as ext4 starts it for what belongs to one inode. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Blocks of the file systems we write; what others wrote may have another size. */
enum { EXT4_BLOCK_BYTES = 4096, EXT4_INODE_BYTES = 256, EXT4_INODE_EXTRA = 32 };

/* crc32c without final inversion, to be continued: crc = ext4_crc32c(crc, more, len). */
uint32_t ext4_crc32c(uint32_t crc, const void *data, size_t len);

/*
 * What the checksums of an inode's directory and extent blocks start from.
 * @fs_seed: s_checksum_seed (fs->csum_seed in libext2fs).
 */
uint32_t ext4_inode_seed(uint32_t fs_seed, uint32_t inode, uint32_t generation);
