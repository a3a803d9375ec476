/* SPDX-License-Identifier: Apache-2.0 */
/* Short forms of ext4_writer calls for tests: paths instead of nodes, failures end the test. */
#pragma once

#include <stdint.h>

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
