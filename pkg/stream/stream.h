/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes to pull. A stream lends a pointer into its own buffer; stages wrap one another in any
 * order: file -> verify -> gunzip -> verify -> tar reader.
 *
 * Errors are sticky: after a failure each call repeats it. Verification is a call that must
 * succeed, stream_finish(), not a side effect of closing: it drains what nobody read, down to the
 * innermost stream, and only then says that size, digests and checksums hold.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "pkg/base/buffer.h"
#include "pkg/base/cleanup.h"
#include "pkg/base/error.h"
#include "pkg/digest/digest.h"

struct stream;

#define STREAM_SIZE_UNKNOWN UINT64_MAX

/*
 * Lend at least one byte: 0 and a piece that stays valid until the next call on this stream;
 * 1 = end; -1. The same bytes are lent again until stream_advance().
 */
MUST_CHECK int stream_peek(struct stream *s, const uint8_t **ret, size_t *ret_len,
			   struct error *err);
/* Take n bytes of what was lent. */
void stream_advance(struct stream *s, size_t n);

/* Copy up to len bytes; *ret_n < len only at the end. */
MUST_CHECK int stream_read(struct stream *s, void *buf, size_t len, size_t *ret_n,
			   struct error *err);

/* Append everything to a buffer; more than max bytes is ERR_INVALID. */
MUST_CHECK int stream_read_all(struct stream *s, size_t max, struct buffer *ret, struct error *err);

/* Read to the end and check all that can be checked only there. */
MUST_CHECK int stream_finish(struct stream *s, struct error *err);

/* Release it and the streams inside. Checks nothing. */
void stream_close(struct stream *s);
DEFINE_CLEANUP(struct stream *, stream_close);

/* --- sources ---------------------------------------------------------------------------------- */

/* From a descriptor's present position on. @fd: taken (closed with the stream). @name: for errors,
 * copied. */
struct stream *stream_from_fd(int fd, const char *name);
/*
 * A regular file; links are not followed. Errors: ERR_NOT_FOUND, ERR_INVALID (not a regular file).
 */
MUST_CHECK int stream_open_file(const char *path, struct stream **ret, struct error *err);
/*
 * len bytes of a file from offset on, by pread(2): several can read the same one. A file that ends
 * before is ERR_INVALID. @fd: borrowed. @name: for errors, copied.
 */
struct stream *stream_from_range(int fd, uint64_t offset, uint64_t len, const char *name);
/* Borrowed memory. */
struct stream *stream_from_memory(const void *data, size_t len);

/* --- stages: each takes *s, empties and refills it; on failure *s is closed and NULL ---------- */

/*
 * Check digest and size over the whole stream. At most size bytes and one more are read.
 * @digest: copied. @size: bytes, or STREAM_SIZE_UNKNOWN. @what: "blob", "DiffID", for errors,
 * copied. Errors on reading: ERR_VERIFICATION.
 */
MUST_CHECK int stream_verify(struct stream **s, const struct digest *digest, uint64_t size,
			     const char *what, struct error *err);

enum stream_codec {
	STREAM_PLAIN,
	STREAM_GZIP,
	STREAM_ZSTD,
	/* known by their first bytes, undone for whole archives alone */
	STREAM_BZIP2,
	STREAM_XZ,
	/* never */
	STREAM_LZ4,
	STREAM_LZMA,
};

const char *stream_codec_name(enum stream_codec codec);

/*
 * Undo one level of compression, never two. @limit: most bytes that may come out, else ERR_INVALID.
 * gzip: several members, zero padding at the end; CRC and ISIZE checked, reserved flags and
 * trailing garbage refused, truncation is ERR_INVALID (RFC 1952, rule A68).
 * zstd: several frames, skippable ones anywhere; checksums, where there are any, checked;
 * dictionaries, windows over 128 MiB and trailing garbage refused (RFC 8878, rule A69).
 * Errors: ERR_UNSUPPORTED for codecs that are never undone.
 */
MUST_CHECK int stream_decompress(struct stream **s, enum stream_codec codec, uint64_t limit,
				 struct error *err);

/*
 * The same for an archive as a whole, which may also be bzip2 or xz: several streams, one after
 * another; checksums checked; trailing garbage and dictionaries over 256 MiB refused.
 */
MUST_CHECK int stream_decompress_archive(struct stream **s, enum stream_codec codec, uint64_t limit,
					 struct error *err);

/* Which codec the first bytes speak of, without taking them. */
MUST_CHECK int stream_sniff(struct stream *s, enum stream_codec *ret, struct error *err);

/*
 * Move a stage to a thread of its own: reads ahead from *s into a bounded ring. Errors come out
 * in their place. Closing waits for the read that is under way.
 */
MUST_CHECK int stream_async(struct stream **s, size_t buffer_bytes, struct error *err);
