/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes at the front of a disk: what is taken for a label is one that we would write, and shows
 * nothing that a terminal obeys. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pkg/base/bytes.h"
#include "pkg/thin/file/crc32c.h"
#include "pkg/thin/kernel/label.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t raw[LABEL_BYTES] = {0};
	struct device_label label;

	memcpy(raw, data, size < sizeof(raw) - 4 ? size : sizeof(raw) - 4);
	put_le32(raw + sizeof(raw) - 4, tf_crc32c(0xffffffff, raw, sizeof(raw) - 4));
	if (!device_label_unpack(raw, &label))
		return 0;
	for (const char *p = label.pool; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			abort();
	if (memchr(label.pool, 0, sizeof(label.pool)) == NULL)
		abort();
	device_label_pack(&label, raw);
	return 0;
}
