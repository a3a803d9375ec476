/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes a few names of a directory that has a hash index, block by block. Pure but for the
 * function that reads blocks: what is to be written comes back as a list.
 *
 *   leaf that the names fit into    written over
 *   leaf that they do not fit into  parted evenly; the parts behind the first are new blocks
 *   node, root without room         the same; a root that is parted becomes one level more
 *   leaf without names              stays for names to come
 */
#pragma once

#include "pkg/base/buffer.h"
#include "pkg/ext4/directory_index.h"

struct ext4_dir_edit {
	uint32_t *numbers;     /* of the blocks to be written over */
	struct buffer changed; /* those blocks, 4096 bytes each */
	struct buffer added;   /* blocks behind the last one */
	size_t n, room;
};

void ext4_dir_edit_release(struct ext4_dir_edit *edit);

/*
 * @changes: names that shall be there with this inode and type, or, with inode 0, are to go and
 *           must be there; none twice, in any order. Names stay borrowed until this returns.
 * @ret: nothing else of the directory changes. Release it whatever is returned.
 *
 * Reads and writes the leaves of these names and the index above them, no others: also where names
 * were chosen to have one hash, which are in leaves that follow each other. n changes in a
 * directory in which m names share a hash with one of them cost O((n + m) log (n + m)).
 *
 * Returns 0; 1 = to be encoded anew instead, because it has no index of our kind, because the names
 * that come are half as large as the directory, or because most leaves are met and would be less
 * than 3/8 full; -1 with ERR_INCONSISTENT (damage, a name that is not there) or ERR_NO_SPACE (more
 * than three levels hold).
 */
MUST_CHECK int ext4_dir_edit(const struct ext4_dir_source *source,
			     const struct ext4_dir_entry *changes, size_t n,
			     struct ext4_dir_edit *ret, struct error *err);
