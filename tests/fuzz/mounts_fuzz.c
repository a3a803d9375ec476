/* SPDX-License-Identifier: Apache-2.0 */
/* Any text as a mountinfo: no more mount points than lines, none longer than the text. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/host/mounts_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* In memory of its own, so that a read past the end is seen. */
	cleanup_free char *text = xmemdup(data, size);
	cleanup(mount_list_release) struct mount_list l;
	size_t lines = 1;

	for (size_t i = 0; i < size; i++)
		lines += data[i] == '\n';
	mounts_parse(text, size, "7:1", &l);
	if (l.n > lines)
		abort();
	for (size_t i = 0; i < l.n; i++)
		if (strlen(l.points[i]) > size)
			abort();
	return 0;
}
