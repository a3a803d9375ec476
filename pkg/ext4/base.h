/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The empty file system every layer starts from, built in process: no mke2fs, no configuration
 * file, no clock, no random number, so the same size gives the same bytes everywhere.
 */
#pragma once

#include <stdint.h>

#include "pkg/base/error.h"
#include "pkg/thin/volume.h"

/*
 * Counts every change of what base or writer put on disk. ChainID + layout version + base size is
 * the key under which a layer is shared.
 */
enum { EXT4_LAYOUT_VERSION = 2 };

struct ext4_base_params {
	uint64_t inodes; /* 0: one for each 16 KiB */
};

/*
 * Write an empty ext4 over a whole volume that reads as zeros: root directory only (no
 * lost+found; 0755, 0:0, all times 0), journal, metadata_csum with a constant seed, lazy init
 * marked as done.
 *
 * Errors: ERR_USAGE (too small or too large for ext4), ERR_NO_SPACE.
 * Spec: kernel Documentation/filesystems/ext4/; features as listed in pkg/ext4/README.md.
 */
MUST_CHECK int ext4_base_create(struct thin_volume *volume, const struct ext4_base_params *params,
				struct error *err);
