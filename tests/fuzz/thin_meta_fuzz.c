/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as thin metadata: the strict check must end, within its bounds, whatever they are.
 *
 *   first byte    1 = give every block its number and checksum, which a fuzzer cannot guess; the
 *                     type is in the two low bits of the block's checksum field
 *                 2 = what follows are not blocks but pieces of them: the number of blocks, then
 *                     records of block, offset (16 bits), length, bytes (metadata is mostly zeros)
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/thin/file/format.h"
#include "pkg/thin/file/fsck.h"

enum { SUM_BLOCKS = 1, IN_PIECES = 2 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void sum_blocks(uint8_t *image, size_t size)
{
	for (size_t nr = 0; (nr + 1) * TF_BLOCK_BYTES <= size; nr++) {
		uint8_t *block = image + nr * TF_BLOCK_BYTES;

		tf_block_seal(block, (enum tf_block_type)(block[0] & 3), nr);
	}
}

/* The image of the pieces; its size is set. */
static uint8_t *put_together(const uint8_t *p, size_t left, size_t *ret_size)
{
	size_t blocks = left ? *p : 0;
	uint8_t *image = xcalloc(blocks + 1, TF_BLOCK_BYTES);

	*ret_size = blocks * TF_BLOCK_BYTES;
	for (p += left > 0, left -= left > 0; left >= 4; p += 4, left -= 4) {
		size_t block = p[0], offset = p[1] | (size_t)p[2] << 8, len = p[3];

		if (len > left - 4)
			len = left - 4;
		if (block < blocks && offset + len <= TF_BLOCK_BYTES)
			memcpy(image + block * TF_BLOCK_BYTES + offset, p + 4, len);
		p += len;
		left -= len;
	}
	return image;
}

static void check(const uint8_t *image, size_t size)
{
	cleanup_fd int fd = memfd_create("thin-meta", MFD_CLOEXEC);
	struct thin_findings findings = {0};
	struct error err = {0};
	char path[64];

	if (fd < 0 || write(fd, image, size) != (ssize_t)size)
		return;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (thin_file_fsck(path, 0, &findings, &err) == 0
	    && (findings.n > THIN_FINDINGS_MAX || findings.n > findings.total))
		abort();
	thin_findings_release(&findings);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_free uint8_t *image = NULL;
	size_t image_size = size - 1;

	if (size < 1)
		return 0;
	if (data[0] & IN_PIECES)
		image = put_together(data + 1, size - 1, &image_size);
	else
		image = xmemdup(data + 1, image_size);
	if (data[0] & SUM_BLOCKS)
		sum_blocks(image, image_size);
	check(image, image_size);
	return 0;
}
