/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as thin metadata: the strict check must end, within its bounds, whatever they are.
 * A fuzzer cannot guess checksums, so with an odd first byte every block is summed here; which
 * type it then has is in the two low bits of its own checksum field.
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void sum_blocks(uint8_t *image, size_t size)
{
	for (size_t nr = 0; (nr + 1) * TF_BLOCK_BYTES <= size; nr++) {
		uint8_t *block = image + nr * TF_BLOCK_BYTES;

		tf_block_seal(block, (enum tf_block_type)(block[0] & 3), nr);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_free uint8_t *image = NULL;
	cleanup_fd int fd = memfd_create("thin-meta", MFD_CLOEXEC);
	struct thin_findings findings = {0};
	struct error err = {0};
	char path[64];

	if (size < 1 || fd < 0)
		return 0;
	image = xmemdup(data + 1, size - 1);
	if (data[0] & 1)
		sum_blocks(image, size - 1);
	if (write(fd, image, size - 1) != (ssize_t)(size - 1))
		return 0;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (thin_file_fsck(path, 0, &findings, &err) == 0 && findings.n > THIN_FINDINGS_MAX)
		abort();
	thin_findings_release(&findings);
	return 0;
}
