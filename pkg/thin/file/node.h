/* SPDX-License-Identifier: Apache-2.0 */
/* Moving entries about inside btree nodes and between two of the same kind. */
#pragma once

#include <stdint.h>

#include "pkg/thin/file/format.h"

/* Index of the last key <= key, -1 if there is none. */
int tf_node_find(const uint8_t *node, uint64_t key);

/* Make room for n entries at index `at`, which are then to be filled in; or take n entries out. */
void tf_node_open(uint8_t *node, uint32_t at, uint32_t n);
void tf_node_close(uint8_t *node, uint32_t at, uint32_t n);

/* Copy n entries over n others; does not change how many there are. */
void tf_node_copy(uint8_t *to, uint32_t to_at, const uint8_t *from, uint32_t from_at, uint32_t n);

/* Move the first n entries of right to the end of left, or the last n of left to the front of
 * right. */
void tf_node_move_left(uint8_t *left, uint8_t *right, uint32_t n);
void tf_node_move_right(uint8_t *left, uint8_t *right, uint32_t n);
