/* SPDX-License-Identifier: Apache-2.0 */
/* The metadata of a pool, from a block device into a file and back. */
#pragma once

#include <stdint.h>

#include "pkg/base/error.h"
#include "pkg/thin/file/format.h"
#include "pkg/thin/kernel/engine.h"
#include "pkg/thin/kernel/volume_node.h"

/*
 * Copy blocks to the same places of a new file, which gets the length that the superblock tells, or,
 * where that cannot be read, that of the metadata: those that the bitmaps say are in use (all that a
 * bitmap which cannot be read tells of), or all. Blocks of zeros are holes. Nobody writes there
 * meanwhile.
 * @start, @bytes: of the metadata on the node, multiples of 4096.
 */
MUST_CHECK int kernel_copy(struct kernel_node *from, uint64_t start, uint64_t bytes,
			   enum thin_kernel_copy what, int to, const char *to_name,
			   struct error *err);
