/* SPDX-License-Identifier: Apache-2.0 */
/* Between the two halves of the writer: libarchive, and what is put right behind it. */
#pragma once

#include "pkg/base/buffer.h"
#include "pkg/tar/entry.h"

/*
 * Take the header blocks that libarchive made of an entry, and append them to ret with the records
 * that they should have.
 * Errors: ERR_UNSUPPORTED (a libarchive that writes something else than expected).
 */
MUST_CHECK int tar_archive_correct(const struct buffer *head, const struct tar_entry *entry,
				   struct buffer *ret, struct error *err);
