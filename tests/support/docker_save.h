/* SPDX-License-Identifier: Apache-2.0 */
/* Small archives as "docker save" writes them, in memory, and as files without names. */
#pragma once

#include "pkg/base/buffer.h"
#include "pkg/digest/digest.h"

/* A member with these bytes. */
void save_file(struct buffer *tar, const char *name, const void *data, size_t len);
/* A symlink ('2') or hard link ('1'). */
void save_link(struct buffer *tar, char type, const char *name, const char *target);

/* A layer with one file of this content, and its DiffID. */
void save_layer(const char *content, struct buffer *ret, struct digest *ret_diff_id);
/* A config with these layers. */
void save_config(const struct digest *diff_ids, size_t n, struct buffer *ret);
/* "HEX" of the sha256 of the bytes, and what is put around it. Owned. */
char *save_name(const struct buffer *bytes, const char *before, const char *after);

/* An open file with these bytes, at its start. */
int save_fd(const struct buffer *bytes);
