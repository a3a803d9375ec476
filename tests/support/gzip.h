/* SPDX-License-Identifier: Apache-2.0 */
/* Makes gzip members part by part, so that a test can make each part wrong. */
#pragma once

#include "pkg/base/buffer.h"

/* Ten bytes: 1f 8b 08, flags, time 0, XFL 0, OS 255. */
void gzip_put_header(struct buffer *to, uint8_t flags);
/* Deflate data, final block included, compressed; stored when it does not compress. */
void gzip_put_deflate(struct buffer *to, const void *data, size_t len);
/* CRC32 and ISIZE of the data. */
void gzip_put_trailer(struct buffer *to, const void *data, size_t len);
/* A plain member: the three above. */
void gzip_put_member(struct buffer *to, const void *data, size_t len);
