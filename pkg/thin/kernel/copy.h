/* SPDX-License-Identifier: Apache-2.0 */
/* The metadata of a pool, from a block device into a file and back. */
#pragma once

#include <stdint.h>

#include "pkg/base/error.h"
#include "pkg/thin/file/format.h"
#include "pkg/thin/kernel/volume_node.h"

/*
 * Copy the blocks that are in use to the same places of a new file, which gets the length that the
 * superblock tells; all of them where that, or a bitmap, cannot be read. Nobody writes there meanwhile.
 * @start, @bytes: of the metadata on the node, multiples of 4096.
 */
MUST_CHECK int kernel_copy(struct kernel_node *from, uint64_t start, uint64_t bytes, int to,
			   const char *to_name, struct error *err);
