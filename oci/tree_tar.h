/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole file system as a tar of its tree, what `tar -x` makes a root folder of. Not a layer: there
 * are no whiteouts in it. Paths start with "./", so that no extractor takes "C:" for a drive.
 * Parents come before children and names in byte order; of a file with several names the first has
 * the content and the others are hard links to it. The same tree gives the same bytes.
 *
 *   kept      content, holes, modes, owners as numbers, mtimes to the nanosecond, devices, FIFOs,
 *             symlinks, xattrs of all name spaces, ACLs as xattrs
 *   not kept  sockets, and of the xattrs of a file what is above 768 KiB (both are warned about);
 *             atime, ctime, flags
 */
#pragma once

#include "pkg/digest/digest.h"
#include "pkg/ext4/read.h"
#include "pkg/tar/archive.h"

/*
 * @write, @arg: take the tar as it comes.
 * Errors: those of write; ERR_INCONSISTENT (the volume), ERR_UNSUPPORTED (what no tar can hold, as
 * paths above 64 KiB), naming the file.
 */
MUST_CHECK int tree_tar_write(struct ext4_reader *fs, tar_archive_write_fn *write, void *arg,
			      struct error *err);

/*
 * How long that tar will be, and its sha256; what it lacks is not told. Errors: as above.
 */
MUST_CHECK int tree_tar_measure(struct ext4_reader *fs, struct digest *ret, uint64_t *ret_bytes,
				struct error *err);
