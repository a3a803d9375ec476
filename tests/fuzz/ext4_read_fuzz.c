/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reader on a small file system with damaged metadata: it must end with a result or an error.
 *
 *   byte 0          odd: make all checksums hold again, as a guest that owns the volume can
 *   then 4 bytes    which of the metadata blocks, offset in it (16 bits), new value; repeated
 *
 * The file system is made once; each input damages a snapshot of it.
 */
#include <stdint.h>
#include <stdlib.h>

#include "tests/support/ext4_sample.h"

enum { RECORD_BYTES = 4, RECORDS_MAX = 256, NAMES_MAX = 100000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct ext4_sample whole;
	struct ext4_sample copy;
	struct error err = {0};
	size_t names = 0;

	if (size < 1)
		return 0;
	if (!whole.v)
		whole = ext4_sample_make();
	copy = ext4_sample_copy(&whole);
	for (size_t at = 1; at + RECORD_BYTES <= size && at < RECORDS_MAX * RECORD_BYTES;
	     at += RECORD_BYTES)
		ext4_sample_poke(&copy, data[at] % copy.n,
				 (size_t)(data[at + 1] | data[at + 2] << 8), data[at + 3]);
	if (data[0] & 1)
		ext4_sample_sign(&copy);
	if (ext4_sample_read_all(&copy.v->volume, &names, &err) < 0 && err.kind == ERR_NONE)
		abort(); /* an error without a kind */
	if (names > NAMES_MAX)
		abort(); /* more than the blocks of the volume can hold */
	memory_volume_free(copy.v);
	return 0;
}
