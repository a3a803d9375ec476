/* SPDX-License-Identifier: Apache-2.0 */
/* What `debugfs -R "htree_dump PATH"` says of a directory, judged and as a list. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "tests/support/memory_volume.h"

struct htree_name {
	char *name;
	uint32_t inode;
	uint32_t hash; /* as debugfs computes it */
	size_t leaf;
};

struct htree_dump {
	struct htree_name *names; /* in the order of the dump */
	size_t n, room;
	uint32_t *keys; /* what the index says of each leaf */
	size_t leaves, keys_room;
	unsigned levels;
};

/*
 * Fails the test when debugfs finds fault with the index, or a name is not in a leaf where its hash
 * belongs. Names of letters, digits and '-' only. Release it with htree_dump_release().
 */
struct htree_dump htree_dump(const struct memory_volume *v, const char *path);
void htree_dump_release(struct htree_dump *d);
