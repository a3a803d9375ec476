/* SPDX-License-Identifier: Apache-2.0 */
/* What a model is made of, for those who change it and those who look. */
#pragma once

#include <stddef.h>

#include "tests/support/ext4_model.h"

enum { MODEL_NONE = -1, MODEL_ROOT = 0 };

struct model_xattr {
	char *name;
	uint8_t *value;
	size_t len;
};

struct model_inode {
	struct ext4_meta meta;
	unsigned names;
	uint8_t *data;	     /* of a file, or target of a symlink */
	size_t size;	     /* of data */
	uint64_t start, end; /* a file: where data begins in it, and how long it is */
	struct model_xattr *xattrs;
	size_t n_xattrs;
};

struct model_node {
	bool gone;
	int parent;
	char *name;
	struct model_inode *inode;
};

struct ext4_model {
	uint64_t random;
	struct model_node *nodes; /* children always come after their parents */
	size_t n, room;
};

uint64_t model_random(uint64_t *state);
uint32_t model_below(struct ext4_model *m, uint32_t n);

int model_find(const struct ext4_model *m, int dir, const char *name);
bool model_is_dir(const struct ext4_model *m, int node);
bool model_is_below(const struct ext4_model *m, int node, int above);
unsigned model_links(const struct ext4_model *m, int node);

int model_add(struct ext4_model *m, int parent, const char *name, struct model_inode *inode);
void model_drop_tree(struct ext4_model *m, int above);
struct model_inode *model_inode_new(const struct ext4_meta *meta);
void model_clear_xattrs(struct model_inode *inode);
