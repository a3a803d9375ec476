/* SPDX-License-Identifier: Apache-2.0 */
/* Makes zstd frames: by libzstd, and by hand so that a test can make each part what it likes. */
#pragma once

#include "pkg/base/buffer.h"

enum zstd_frame_flags {
	ZFRAME_CHECKSUM = 1,
	ZFRAME_NO_SIZE = 2, /* the content's size is not in the header */
};

/* By libzstd. @window_log: 0 = as it likes. */
void zstd_frame_put(struct buffer *to, const void *data, size_t len, int flags, int window_log);

/* Header (magic, descriptor, then these bytes), and nothing else. */
void zstd_frame_put_header(struct buffer *to, uint8_t descriptor, const void *rest, size_t len);
/* A block as it is, or one byte times len; len at most 128 KiB. */
void zstd_frame_put_raw(struct buffer *to, const void *data, size_t len, int is_last);
void zstd_frame_put_rle(struct buffer *to, uint8_t byte, size_t len, int is_last);

/* 5? 2a 4d 18, LENGTH, data. */
void zstd_frame_put_skippable(struct buffer *to, uint8_t nibble, const void *data, size_t len);
