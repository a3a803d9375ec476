/* SPDX-License-Identifier: Apache-2.0 */
/* Short forms of ext4_writer calls for tests: paths instead of nodes, failures end the test. */
#pragma once

#include <stdint.h>

#include "pkg/ext4/read.h"
#include "pkg/ext4/writer.h"
#include "tests/support/memory_volume.h"

/* A volume with an empty file system. @inodes: 0 = as usual. */
struct memory_volume *edit_base(uint64_t size_bytes, uint64_t inodes);

struct ext4_writer *edit_open(struct memory_volume *v, struct ext4_tree *tree);
void edit_finish(struct ext4_writer *w);

/* The node of a path like "a/b", "" for the root; NULL if it is not there. */
struct ext4_node *edit_find(struct ext4_writer *w, const char *path);

/* All of these: mode 0644 or 0755, owner 0:0, times 0; the folder must be there. */
struct ext4_node *edit_dir(struct ext4_writer *w, const char *path);
struct ext4_node *edit_file(struct ext4_writer *w, const char *path, const char *content);
/* Content of size bytes that are all different from zero and depend on the seed. */
struct ext4_node *edit_bytes(struct ext4_writer *w, const char *path, size_t size, uint32_t seed);
void edit_fill(uint8_t *data, size_t size, uint32_t seed);
struct ext4_node *edit_symlink(struct ext4_writer *w, const char *path, const char *target);
struct ext4_node *edit_link(struct ext4_writer *w, const char *path, const char *target);
void edit_remove(struct ext4_writer *w, const char *path);
/* Replace the xattrs of a path by one, with a value of edit_fill(.., len, len). */
void edit_xattr(struct ext4_writer *w, const char *path, const char *name, size_t len);

/* What is free, and what an inode says, on a volume nobody edits. */
uint64_t edit_free_blocks(struct memory_volume *v, uint32_t *ret_inodes);
struct ext4_stat edit_stat(struct memory_volume *v, uint32_t inode);

/* For tests that need one volume (64 MiB) and one open session at a time. */
struct edit {
	struct memory_volume *v;
	struct ext4_tree *tree;
	struct ext4_writer *w;
	struct error err;
};

/* Setup and teardown of cmocka. */
int edit_set_up(void **state);
int edit_tear_down(void **state);

/* End the session, start the next one on the same volume. */
void edit_next_session(struct edit *f);

/* End the session, ask e2fsck, start the next one on a snapshot with nothing cached. */
void edit_next_layer(struct edit *f);
