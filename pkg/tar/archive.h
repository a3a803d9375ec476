/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes tars, by libarchive: ustar headers, and PAX records for what does not fit there. The same
 * members give the same bytes, whatever the locale, the time and the process. What is accepted here
 * is read back by pkg/tar/reader.h as it was given; what no header can carry is refused.
 */
#pragma once

#include <stddef.h>

#include "pkg/base/cleanup.h"
#include "pkg/base/error.h"
#include "pkg/tar/entry.h"

enum {
	TAR_ARCHIVE_PATH_BYTES_MAX = 64 * 1024, /* of a name or a target */
	TAR_ARCHIVE_XATTRS_MAX = 1024,
	TAR_ARCHIVE_XATTR_NAME_BYTES_MAX = 255,
	/* Readers take 1 MiB of records for one member; this much of it is for names and values. */
	TAR_ARCHIVE_XATTR_BYTES_MAX = 768 * 1024,
	/* Go takes 1 MiB for the map of a sparse file. */
	TAR_ARCHIVE_REGIONS_MAX = 32 * 1024,
};

struct tar_archive;

/* Takes the next bytes of the archive. */
typedef int tar_archive_write_fn(const void *data, size_t len, void *arg, struct error *err);

/* @write, @arg: borrowed until tar_archive_close(). Errors: ERR_UNSUPPORTED (this libarchive). */
MUST_CHECK int tar_archive_open(tar_archive_write_fn *write, void *arg, struct tar_archive **ret,
				struct error *err);

/*
 * Start the next member.
 * @entry: borrowed during the call. atime is not written; a folder's path may end in a slash.
 * @regions: of a regular file with holes, where its data is: ascending, not touching, inside the
 *           file, of whole blocks of 512 bytes but for the last; n may be 0 (nothing but a hole). NULL: a file without holes. Borrowed until the
 *           next member or tar_archive_finish().
 * Errors: ERR_UNSUPPORTED (beyond the limits above, owner 2^32-1), ERR_SYSTEM, those of write.
 */
MUST_CHECK int tar_archive_entry(struct tar_archive *a, const struct tar_entry *entry,
				 const struct tar_region *regions, size_t n, struct error *err);

/* What an xattr counts for TAR_ARCHIVE_XATTR_BYTES_MAX. */
size_t tar_archive_xattr_bytes(const char *name, size_t value_len);

/*
 * Content of the present member, at ascending offsets, in its regions. What is skipped is zeros.
 * Errors: those of write, ERR_SYSTEM.
 */
MUST_CHECK int tar_archive_data(struct tar_archive *a, const void *data, size_t len,
				uint64_t offset, struct error *err);

/* The end of the archive; everything has been handed to write. */
MUST_CHECK int tar_archive_finish(struct tar_archive *a, struct error *err);

/* Without tar_archive_finish() before: nothing more is written. */
void tar_archive_close(struct tar_archive *a);
DEFINE_CLEANUP(struct tar_archive *, tar_archive_close);
