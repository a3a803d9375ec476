/* SPDX-License-Identifier: Apache-2.0 */
/* What a pool's metadata snapshot holds, as a number: if it is the same, so is all that thin_dump
 * would print of it. */
#pragma once

#include "pkg/thin/pool.h"

/* Over details, mappings and where they are in the data; 0 = there is no metadata snapshot. */
uint64_t thin_held_sum(struct thin_pool *pool);
/* What one that is made now will hold. */
uint64_t thin_held_sum_now(struct thin_pool *pool);
