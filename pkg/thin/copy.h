/* SPDX-License-Identifier: Apache-2.0 */
/* What engines share for taking the bytes of a volume to a file; for this folder only. */
#pragma once

#include <stdint.h>

#include "pkg/base/error.h"

struct thin_volume;

/*
 * Share a range of one file with another (ioctl_ficlonerange(2)), flushed first by the kernel.
 * Returns 0, 1 = these files or this range can not be shared, or -1.
 */
MUST_CHECK int thin_clone_range(int from_fd, uint64_t from, int to_fd, uint64_t to, uint64_t len,
				const char *to_name, struct error *err);

/*
 * Read a range of a volume and write it to the same place of a file that reads as zeros there;
 * 4 KiB pieces of zeros are left out.
 */
MUST_CHECK int thin_copy_bytes(struct thin_volume *v, uint64_t offset, uint64_t len, int fd,
			       const char *name, struct error *err);
