/* SPDX-License-Identifier: Apache-2.0 */
/* Inodes survive however small the cache is, and damaged ones are told. */
#include "pkg/ext4/inode_table.h"

#include <sys/stat.h>

#include "pkg/ext4/io.h"
#include "tests/support/cmocka.h"
#include "tests/support/ext4_edit.h"

struct parts {
	struct memory_volume *v;
	ext2_filsys fs;
	struct block_store store;
	struct ext4_groups groups;
	struct ext4_inode_table table;
	struct error err;
};

static void start(struct parts *p, struct memory_volume *v)
{
	*p = (struct parts){.v = v};
	assert_ok(ext4_io_open(&v->volume, EXT4_IO_WRITE, &p->fs, &p->err), &p->err);
	block_store_init(&p->store, &v->volume);
	assert_ok(ext4_groups_init(&p->groups, p->fs, &p->store, &p->err), &p->err);
	ext4_inode_table_init(&p->table, &p->groups);
}

static void stop(struct parts *p)
{
	ext4_inode_table_release(&p->table);
	ext4_groups_release(&p->groups);
	block_store_release(&p->store);
	ext4_io_close(p->fs);
}

static void flush(struct parts *p)
{
	assert_ok(ext4_inode_table_flush(&p->table, &p->err), &p->err);
	assert_ok(ext4_groups_flush(&p->groups, &p->err), &p->err);
	assert_ok(block_store_flush(&p->store, &p->err), &p->err);
}

static void a_small_cache_loses_nothing(void **state)
{
	enum { INODES = 2000 };
	struct memory_volume *v = edit_base(64 << 20, 0);
	struct ext4_meta meta = {.mode = S_IFREG | 0600};
	struct ext4_raw_inode *raw;
	uint32_t first = 0, inode;
	struct parts p;

	(void)state;
	start(&p, v);
	p.table.max_blocks = 3;
	for (uint32_t i = 0; i < INODES; i++) {
		assert_ok(ext4_groups_take_inode(&p.groups, false, &inode, &p.err), &p.err);
		first = i == 0 ? inode : first;
		assert_ok(ext4_inode_table_make(&p.table, inode, &raw, &p.err), &p.err);
		meta.uid = inode;
		ext4_raw_make(raw, &meta);
	}
	/* Inodes of the same block changed again much later. */
	for (uint32_t i = 0; i < INODES; i += 7) {
		assert_ok(ext4_inode_table_get(&p.table, first + i, &raw, &p.err), &p.err);
		ext4_raw_set_size(raw, i);
		ext4_inode_table_changed(&p.table, first + i);
	}
	flush(&p);
	stop(&p);
	start(&p, v);
	for (uint32_t i = 0; i < INODES; i++) {
		assert_ok(ext4_inode_table_get(&p.table, first + i, &raw, &p.err), &p.err);
		assert_int_equal(le16toh(raw->i.i_uid), first + i);
		assert_int_equal(ext4_raw_size(raw), i % 7 ? 0 : i);
	}
	stop(&p);
	memory_volume_free(v);
}

static void damaged_and_unused_inodes_are_told(void **state)
{
	struct memory_volume *v = edit_base(64 << 20, 0);
	struct ext4_raw_inode *raw;
	uint64_t table;
	struct parts p;

	(void)state;
	start(&p, v);
	table = ext2fs_inode_table_loc(p.fs, 0) * EXT4_BLOCK_BYTES;
	assert_int_equal(ext4_inode_table_get(&p.table, 0, &raw, &p.err), -1);
	assert_error(&p.err, ERR_INCONSISTENT, "no inode 0");
	assert_int_equal(ext4_inode_table_get(&p.table, UINT32_MAX, &raw, &p.err), -1);
	assert_error(&p.err, ERR_INCONSISTENT, "no inode");
	assert_int_equal(ext4_inode_table_get(&p.table, 300, &raw, &p.err), -1);
	assert_error(&p.err, ERR_INCONSISTENT, "not in use");
	assert_ok(thin_volume_write(&v->volume, "x", 1, table + EXT4_INODE_BYTES + 100, &p.err),
		  &p.err);
	assert_int_equal(ext4_inode_table_get(&p.table, 2, &raw, &p.err), -1);
	assert_error(&p.err, ERR_INCONSISTENT, "checksum of inode 2");
	stop(&p);
	memory_volume_free(v);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_small_cache_loses_nothing),
		cmocka_unit_test(damaged_and_unused_inodes_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
