/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file system's tree into a folder of the host, by an ordinary user. Every name is resolved below
 * the folder (openat2(2), RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV), new names only
 * (O_EXCL, O_NOFOLLOW): whatever the tree holds, nothing outside is touched.
 *
 *   kept     content, holes, modes with setuid, setgid and sticky, times, symlinks, hard links,
 *            FIFOs, user.* attributes of files and folders, folders of mode 0000
 *   not kept owners (all is the caller's), devices (an empty file of mode 0000 stands in their
 *            place), security.* and trusted.*, ACLs (their ids would mean others on the host)
 */
#pragma once

#include "pkg/ext4/read.h"

/* What could not be kept, counted; first[] is an example of each, for the warning. */
struct ext4_extract_lost {
	uint64_t owners, devices, capabilities, acls, xattrs;
	char device[128], capability[128], xattr[128];
};

/*
 * @dir_fd: an empty folder of the caller's.  @ret: filled on success.
 * Errors: ERR_NO_SPACE, ERR_INCONSISTENT (the volume), ERR_UNSUPPORTED (openat2 is missing).
 * After an error what is there is incomplete; the caller removes it.
 */
MUST_CHECK int ext4_extract(struct ext4_reader *r, int dir_fd, struct ext4_extract_lost *ret,
			    struct error *err);
