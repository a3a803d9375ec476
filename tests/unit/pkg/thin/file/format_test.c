/* SPDX-License-Identifier: Apache-2.0 */
/* Fields against metadata that the real thin_restore wrote, and round trips. */
#include "pkg/thin/file/format.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "tests/support/scratch.h"

static const char restored[] =
	"<superblock uuid=\"\" time=\"5\" transaction=\"77\" version=\"2\" data_block_size=\"256\" "
	"nr_data_blocks=\"20000\">\n"
	"<device dev_id=\"9\" mapped_blocks=\"4\" transaction=\"3\" creation_time=\"2\" "
	"snap_time=\"4\">\n"
	"<range_mapping origin_begin=\"10\" data_begin=\"100\" length=\"3\" time=\"1\"/>\n"
	"<single_mapping origin_block=\"500\" data_block=\"19999\" time=\"4\"/>\n"
	"</device></superblock>\n";

/* A 4 MiB metadata file by thin_restore; the name is already gone. */
static int restore(void)
{
	char *dir = scratch_new();
	cleanup_free char *xml = xasprintf("%s/xml", dir), *meta = xasprintf("%s/meta", dir);
	cleanup_fd int xml_fd = open(xml, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	int fd = open(meta, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	cleanup_free char *command = xasprintf("thin_restore -q -i %s -o %s", xml, meta);

	assert_true(xml_fd >= 0 && fd >= 0);
	assert_int_equal(write(xml_fd, restored, sizeof(restored) - 1), sizeof(restored) - 1);
	assert_int_equal(ftruncate(fd, 4 << 20), 0);
	assert_int_equal(system(command), 0);
	scratch_free(dir);
	return fd;
}

static void load(int fd, uint64_t nr, enum tf_block_type type, uint8_t *block)
{
	struct error err = {0};

	assert_int_equal(pread(fd, block, TF_BLOCK_BYTES, (off_t)(nr * TF_BLOCK_BYTES)),
			 TF_BLOCK_BYTES);
	assert_int_equal(tf_block_verify(block, type, nr, &err), 0);
}

static void fields_are_where_other_tools_put_them(void **state)
{
	cleanup_fd int fd = restore();
	uint8_t block[TF_BLOCK_BYTES], copy[TF_BLOCK_BYTES];
	struct tf_superblock sb;
	struct tf_device device;
	struct tf_index_entry entry;
	struct error err = {0};

	(void)state;
	load(fd, 0, TF_SUPERBLOCK, block);
	tf_superblock_unpack(block, &sb);
	assert_int_equal(tf_superblock_validate(&sb, true, &err), 0);
	assert_int_equal(sb.time, 5);
	assert_int_equal(sb.transaction_id, 77);
	assert_int_equal(sb.data_block_sectors, 256);
	assert_int_equal(sb.data_sm.nr_blocks, 20000);
	assert_int_equal(sb.data_sm.nr_allocated, 4);
	assert_int_equal(sb.metadata_sm.nr_blocks, 1024);
	memcpy(copy, block, sizeof(copy));
	tf_superblock_pack(&sb, copy);
	tf_block_seal(copy, TF_SUPERBLOCK, 0);
	assert_memory_equal(copy, block, sizeof(copy));

	load(fd, sb.details_root, TF_NODE, block);
	assert_true(tf_node_is_leaf(block));
	assert_int_equal(tf_node_entries(block), 1);
	assert_int_equal(tf_node_max(block), tf_node_max_entries(TF_DEVICE_BYTES));
	assert_int_equal(tf_node_key(block, 0), 9);
	tf_device_unpack(tf_node_value(block, 0), &device);
	assert_int_equal(device.mapped_blocks, 4);
	assert_int_equal(device.transaction_id, 3);
	assert_int_equal(device.creation_time, 2);
	assert_int_equal(device.snapshotted_time, 4);

	load(fd, sb.mapping_root, TF_NODE, block);
	assert_int_equal(tf_node_key(block, 0), 9);
	load(fd, tf_node_value64(block, 0), TF_NODE, block);
	assert_int_equal(tf_node_entries(block), 4);
	assert_int_equal(tf_node_key(block, 2), 12);
	assert_int_equal(tf_mapping_block(tf_node_value64(block, 2)), 102);
	assert_int_equal(tf_mapping_time(tf_node_value64(block, 2)), 1);
	assert_true(tf_node_value64(block, 3) == tf_mapping(19999, 4));

	load(fd, sb.data_sm.bitmap_root, TF_NODE, block);
	assert_int_equal(tf_node_value_size(block), TF_INDEX_ENTRY_BYTES);
	tf_index_entry_unpack(tf_node_value(block, 1), &entry);
	load(fd, entry.bitmap, TF_BITMAP, block);
	assert_int_equal(tf_bitmap_get(block, 19999 - TF_BITMAP_ENTRIES), 1);
	assert_int_equal(tf_bitmap_get(block, 19998 - TF_BITMAP_ENTRIES), 0);
	load(fd, sb.metadata_sm.bitmap_root, TF_INDEX, block);
	tf_index_entry_unpack(block + tf_index_entry_offset(0), &entry);
	load(fd, entry.bitmap, TF_BITMAP, block);
	assert_int_equal(tf_bitmap_get(block, 0), 1);
}

static void damaged_or_misplaced_blocks_are_refused(void **state)
{
	uint8_t block[TF_BLOCK_BYTES];
	struct error err = {0};

	(void)state;
	tf_node_init(block, TF_NODE_LEAF, 8);
	tf_block_seal(block, TF_NODE, 17);
	assert_int_equal(tf_block_verify(block, TF_NODE, 17, &err), 0);
	assert_int_equal(tf_block_verify(block, TF_NODE, 18, &err), -1);
	assert_int_equal(tf_block_verify(block, TF_BITMAP, 17, &err), -1);
	for (size_t i = 0; i < TF_BLOCK_BYTES; i += 97) {
		block[i] ^= 1;
		assert_int_equal(tf_block_verify(block, TF_NODE, 17, &err), -1);
		assert_int_equal(err.kind, ERR_INCONSISTENT);
		block[i] ^= 1;
	}
	tf_node_set_entries(block, 253);
	tf_block_seal(block, TF_NODE, 17);
	assert_int_equal(tf_block_verify(block, TF_NODE, 17, &err), -1);
	tf_node_init(block, 3, 8);
	tf_block_seal(block, TF_NODE, 17);
	assert_int_equal(tf_block_verify(block, TF_NODE, 17, &err), -1);
}

static void two_bit_counts_are_stored_swapped(void **state)
{
	uint8_t block[TF_BLOCK_BYTES] = {0};

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		tf_bitmap_set(block, i, i);
	assert_int_equal(block[TF_BITMAP_HEADER], 0 | 2 << 2 | 1 << 4 | 3 << 6);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(tf_bitmap_get(block, i), i);
	tf_bitmap_set(block, 3, 0);
	assert_int_equal(block[TF_BITMAP_HEADER], 0 | 2 << 2 | 1 << 4);
}

static void node_capacities_are_multiples_of_three_that_fit(void **state)
{
	(void)state;
	assert_int_equal(tf_node_max_entries(4), 336);
	assert_int_equal(tf_node_max_entries(8), 252);
	assert_int_equal(tf_node_max_entries(16), 168);
	assert_int_equal(tf_node_max_entries(24), 126);
}

static void more_bitmaps_than_metadata_are_refused(void **state)
{
	struct tf_superblock sb = {.magic = TF_MAGIC,
				   .version = TF_VERSION,
				   .data_block_sectors = 128,
				   .metadata_block_sectors = 8,
				   .metadata_sm.nr_blocks = 512,
				   .data_sm.nr_blocks = 512 * TF_BITMAP_ENTRIES};
	struct error err = {0};

	(void)state;
	assert_int_equal(tf_superblock_validate(&sb, true, &err), 0);
	sb.data_sm.nr_blocks++;
	assert_int_equal(tf_superblock_validate(&sb, true, &err), -1);
	assert_int_equal(err.kind, ERR_INCONSISTENT);
}

static void keys_that_do_not_ascend_are_damage(void **state)
{
	uint8_t node[TF_BLOCK_BYTES];
	struct error err = {0};

	(void)state;
	tf_node_init(node, TF_NODE_LEAF, TF_OVERFLOW_BYTES);
	tf_node_set_entries(node, 3);
	for (uint32_t i = 0; i < 3; i++)
		tf_node_set_key(node, i, 10 * i);
	tf_block_seal(node, TF_NODE, 5);
	assert_int_equal(tf_block_verify(node, TF_NODE, 5, &err), 0);
	for (uint64_t key = 9; key <= 10; key++) { /* before, and the same again */
		tf_node_set_key(node, 2, key);
		tf_block_seal(node, TF_NODE, 5);
		assert_int_equal(tf_block_verify(node, TF_NODE, 5, &err), -1);
		assert_int_equal(err.kind, ERR_INCONSISTENT);
		assert_non_null(strstr(err.cause, "keys do not ascend"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_are_where_other_tools_put_them),
		cmocka_unit_test(damaged_or_misplaced_blocks_are_refused),
		cmocka_unit_test(two_bit_counts_are_stored_swapped),
		cmocka_unit_test(node_capacities_are_multiples_of_three_that_fit),
		cmocka_unit_test(more_bitmaps_than_metadata_are_refused),
		cmocka_unit_test(keys_that_do_not_ascend_are_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
