/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file system's tree into a folder of the host, by an ordinary user; as root it is the same. The
 * tree is never used to find a place on the host: each name is made in the folder that was made for
 * its parent, which is known by its descriptor, as a new name (O_EXCL) that is not looked through
 * (O_NOFOLLOW, openat2(2) with RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV). So whatever
 * the tree holds, nothing outside is touched. Devices and FIFOs are never opened.
 *
 *   kept     content, holes, mtime and atime, symlinks, hard links, FIFOs, sockets,
 *            modes with setuid, setgid and sticky, folders of mode 0000,
 *            user.* attributes of files and folders, as far as the host takes them
 *   not kept owners: all is the caller's            devices: an empty file of mode 0000 each
 *            security.*, trusted.*                  ACLs: their ids would mean others on the host
 *            ctime, inode flags (chattr)
 *
 * A setuid file now is one that runs as the caller. So whoever calls keeps others out, by a folder
 * of mode 0700 around this one; until the end this one is 0700 itself.
 */
#pragma once

#include "pkg/ext4/read.h"

enum ext4_lost {
	EXT4_LOST_OWNER, /* not 0:0, which it is again where the caller plays root */
	EXT4_LOST_DEVICE,
	EXT4_LOST_CAPABILITY, /* security.capability */
	EXT4_LOST_ACL,
	EXT4_LOST_XATTR,  /* other attributes, also user.* that the host did not take */
	EXT4_LOST_SETGID, /* the host has a group there that the caller is not in */
	EXT4_LOST_KINDS,
};

/* What could not be kept: how many entries or attributes, and the first of them, for a warning. */
struct ext4_extract_lost {
	struct {
		uint64_t n;
		char first[160]; /* a path; of attributes "NAME of PATH" */
	} of[EXT4_LOST_KINDS];
};

/*
 * @dir_fd: an empty folder of the caller's, opened for reading; it becomes the root of the tree,
 *          with its mode, and loses its ACLs.   @ret: filled on success.
 * Errors name the entry: ERR_NO_SPACE (also for a file larger than the host allows),
 * ERR_INCONSISTENT (the volume), ERR_UNSUPPORTED (names or files that the host's file system does
 * not have, or takes for one; openat2 is missing), ERR_INTERRUPTED.
 * After an error what is there is incomplete; the caller removes it.
 */
MUST_CHECK int ext4_extract(struct ext4_reader *r, int dir_fd, struct ext4_extract_lost *ret,
			    struct error *err);
