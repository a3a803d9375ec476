/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hash an index sorts by. Alone in its file: a test that wants names to collide brings its own.
 */
#include "pkg/ext4/directory.h"

#include <ext2fs/ext2fs.h>
#include <stdlib.h>

enum {
	/* The largest hash that is not the end of a directory, to the kernel. */
	HASH_LAST = 0xfffffffc,
	HASH_END = 0xfffffffe,
};

uint32_t ext4_dir_hash(const struct ext4_dir_owner *owner, const char *name, size_t name_len,
		       uint32_t *ret_minor)
{
	uint32_t hash = 0, minor = 0;

	/* fails only for an unknown version */
	if (ext2fs_dirhash2(EXT2_HASH_HALF_MD4, name, (int)name_len, NULL, 0, owner->hash_seed,
			    &hash, &minor))
		abort();
	hash &= ~1U;
	if (ret_minor)
		*ret_minor = minor;
	return hash == (uint32_t)HASH_END ? (uint32_t)HASH_LAST : hash;
}
