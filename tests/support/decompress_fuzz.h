/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes through a decompressor in every way a reader may pull them; what the fuzz targets of
 * the codecs share. */
#pragma once

#include "pkg/base/buffer.h"
#include "tests/support/pieces.h"

/* Abort, so that a fuzzer notices. */
void fuzz_must(bool holds);

/*
 * Decompress in pieces of 1 + data[1] bytes, as a whole, and into a buffer of our own: all must
 * agree, and fail with nothing but ERR_INVALID. What follows data[1] is the compressed stream; with
 * an odd data[0] it is packed first (@how: data[0] / 2) and must come out again.
 */
void fuzz_decompress(enum stream_codec codec, const uint8_t *data, size_t size,
		     void (*pack)(const uint8_t *data, size_t size, uint8_t how,
				  struct buffer *to));
