/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The superblock of a file system that we made. All its checksums start from s_checksum_seed, not
 * from the UUID, so that one may be given another with nothing else changed. ext4(5), kernel
 * Documentation/filesystems/ext4/super.rst.
 */
#pragma once

#include <stdint.h>

#include "pkg/base/error.h"
#include "pkg/thin/volume.h"

/* Of a struct ext2_super_block, in bytes. */
#define SUPERBLOCK_OFFSET 1024

struct ext2_super_block;

/* Ours, and clean? Errors: ERR_INCONSISTENT. */
MUST_CHECK int ext4_superblock_check(const struct ext2_super_block *sb, struct error *err);

/* @uuid: 16 bytes, become s_uuid. The time of writing is always the same one. */
void ext4_superblock_name(struct ext2_super_block *sb, const uint8_t *uuid);

/*
 * Another UUID for the file system of a volume: one block is read and written. What ext4_writer_open()
 * and ext4_writer_finish() with this UUID would come to. Errors: ERR_INCONSISTENT (not ours, damaged,
 * not clean), those of the volume.
 */
MUST_CHECK int ext4_set_uuid(struct thin_volume *volume, const uint8_t *uuid, struct error *err);
