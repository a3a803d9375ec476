/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is in an archive, by name, in whatever order it was written: found once, read in place.
 * Names are as inside a folder ("blobs/sha256/ab", never "./blobs"); of members with the same name
 * the last one counts, as when tar unpacks them.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "pkg/base/buffer.h"
#include "pkg/base/cleanup.h"
#include "pkg/stream/stream.h"
#include "pkg/tar/entry.h"

struct oci_members;

struct oci_member {
	const char *name;
	enum tar_type type;
	const char *link; /* target of links, as given; else NULL */
	uint64_t offset, size_bytes;
	bool has_holes;
	bool is_double; /* there are others of that name */
};

enum {
	/* More than that, and it is a file system: nobody's archive of images has so many. */
	OCI_MEMBERS_MAX = 1 << 16,
	OCI_MEMBERS_NAMES_MAX_BYTES = 16 << 20,
};

/*
 * Read all headers of a plain tar; data are passed over.
 * @fd: borrowed, must outlive it.   @name: for errors, copied. Errors: ERR_INVALID.
 */
MUST_CHECK int oci_members_scan(int fd, uint64_t bytes, const char *name, struct oci_members **ret,
				struct error *err);
void oci_members_free(struct oci_members *m);
DEFINE_CLEANUP(struct oci_members *, oci_members_free);

uint64_t oci_members_count(const struct oci_members *m);

/*
 * What an archive of images must not have: names that are absolute or hold "..", too many members.
 * (The tree of a file system may.) Errors: ERR_INVALID.
 */
MUST_CHECK int oci_members_check(const struct oci_members *m, struct error *err);

/* NULL: none. Those at the top are known even when there are too many. */
const struct oci_member *oci_members_find(const struct oci_members *m, const char *name);

enum oci_members_links { OCI_MEMBERS_HARD_LINKS, OCI_MEMBERS_ALL_LINKS };

/*
 * The file that a name stands for, through links inside the archive.
 * @links: which are followed. Errors: ERR_NOT_FOUND; ERR_INVALID (links in a circle, to outside;
 * no file; a file with holes, whose size nobody has bytes for).
 */
MUST_CHECK int oci_members_file(const struct oci_members *m, const char *name,
				enum oci_members_links links, const struct oci_member **ret,
				struct error *err);
/* Its bytes. The archive must outlive the stream. */
struct stream *oci_members_open(const struct oci_members *m, const struct oci_member *file);

/*
 * A file that is there once, as a whole: of two, some take the first, some the last.
 * Errors: ERR_NOT_FOUND, ERR_INVALID (also when there is more than max).
 */
MUST_CHECK int oci_members_read(const struct oci_members *m, const char *name, size_t max,
				struct buffer *ret, struct error *err);
