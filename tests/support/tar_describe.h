/* SPDX-License-Identifier: Apache-2.0 */
/* Reads tars back as text, for comparison. */
#pragma once

#include "pkg/base/buffer.h"
#include "pkg/base/error.h"

/*
 * What the reader sees, as text, a line for each member:
 *
 *     TYPE PATH[ -> LINK][ mode=OCTAL][ owner=UID:GID][ mtime=SEC.NSEC][ atime=..][ rdev=M:N]
 *     [ size=N][ xattr NAME=VALUE ...][ OFFSET:DATA ...]
 *
 * Left out: mode 0644, owner 0:0, times 0, size 0; data pieces that touch are joined, more than 64
 * bytes of one are cut. Bytes that are not printable are shown as \xNN.
 * @piece: bytes lent at a time.
 */
int tar_describe(const struct buffer *tar, size_t piece, struct buffer *ret, struct error *err);

/* In pieces of several sizes: this text; this text and then an error with this part. */
void assert_tar_reads(const struct buffer *tar, const char *expected);
void assert_tar_refused(const struct buffer *tar, const char *before, const char *why);
