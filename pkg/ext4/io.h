/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libext2fs on a thin volume. The one place that knows errcode_t: everything else in this folder
 * calls libext2fs with the file system opened here and hands what it returns to ext4_io_error().
 * Included only inside pkg/ext4 and by its tests.
 *
 * The struct error of a failed call of the volume is kept for ext4_io_error(); libext2fs only sees
 * EIO. There is no cache: one call of libext2fs is one call of the volume. Blocks of zeros are not
 * written where the volume has nothing mapped (it reads as zeros there), so pool blocks are not
 * spent on them.
 */
#pragma once

#include <ext2fs/ext2fs.h>
#include <stdbool.h>

#include "pkg/base/cleanup.h"
#include "pkg/base/error.h"
#include "pkg/thin/volume.h"

enum ext4_io_mode { EXT4_IO_READ, EXT4_IO_WRITE };

/*
 * Open what is on a volume. Superblock and group descriptors are read and checked, bitmaps are
 * not. The clock of the file system (fs->now) stands at 1 s.
 *
 * @volume: borrowed, must outlive the file system.
 * @ret: end it with ext4_io_close(). In write mode only the primary superblock and descriptors
 *       are written by ext2fs_flush2() (EXT2_FLAG_MASTER_SB_ONLY).
 *
 * Errors: ERR_INCONSISTENT (no ext4, or damaged), ERR_UNSUPPORTED (features), the volume's own.
 */
MUST_CHECK int ext4_io_open(struct thin_volume *volume, enum ext4_io_mode mode, ext2_filsys *ret,
			    struct error *err);

/* As above for ext2fs_initialize(): a new file system in memory, nothing written yet. */
MUST_CHECK int ext4_io_create(struct thin_volume *volume, struct ext2_super_block *params,
			      ext2_filsys *ret, struct error *err);

/* Release without writing anything. NULL is fine. */
void ext4_io_close(ext2_filsys fs);
DEFINE_CLEANUP(ext2_filsys, ext4_io_close);

/*
 * Fill err from what a call of libext2fs returned (not 0): the volume's own error where that was
 * the cause, else one of kind ERR_NO_SPACE, ERR_UNSUPPORTED, ERR_SYSTEM or, as for all else that
 * libext2fs finds wrong, ERR_INCONSISTENT. The text says what was tried. Returns -1.
 */
int ext4_io_error(ext2_filsys fs, errcode_t code, struct error *err, const char *fmt, ...)
	PRINTF_LIKE(4, 5);

/*
 * libext2fs does not pass on every error: so did all calls it has made of the volume go well? If
 * not, the first error.
 */
MUST_CHECK int ext4_io_check(ext2_filsys fs, struct error *err);

/* Whether the last call libext2fs made of the volume failed: the cause of what it returns. */
bool ext4_io_failed(ext2_filsys fs);

/* Whole file-system blocks, with the volume's own errors. */
MUST_CHECK int ext4_io_read_blocks(ext2_filsys fs, uint64_t block, size_t count, void *buf,
				   struct error *err);
/* Any bytes. Damage of the pool below is told from that of the file system: ERR_DETAIL_POOL. */
MUST_CHECK int ext4_io_read_bytes(ext2_filsys fs, void *buf, size_t len, uint64_t offset,
				  struct error *err);
MUST_CHECK int ext4_io_write_blocks(ext2_filsys fs, uint64_t block, size_t count, const void *buf,
				    struct error *err);
