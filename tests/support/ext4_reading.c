/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/ext4_reading.h"

#include "tests/support/cmocka.h"

struct ext4_sample sample;
struct ext4_reader *reader;
struct error err;

int reading_begin(void **state)
{
	(void)state;
	sample = ext4_sample_make();
	assert_ok(ext4_reader_open(&sample.v->volume, &reader, &err), &err);
	return 0;
}

int reading_end(void **state)
{
	(void)state;
	ext4_reader_close(reader);
	memory_volume_free(sample.v);
	return 0;
}

uint32_t reading_find(const char *name)
{
	uint32_t inode;

	assert_ok(ext4_reader_lookup(reader, EXT4_ROOT_INODE, name, strlen(name), &inode, &err),
		  &err);
	return inode;
}

void reading_reopen(void)
{
	ext4_reader_close(reader);
	reader = NULL;
	ext4_sample_sign(&sample);
	assert_ok(ext4_reader_open(&sample.v->volume, &reader, &err), &err);
	error_clear(&err);
}
