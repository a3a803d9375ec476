/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes to a node from a thread of its own, in the order they come, so that the caller goes on
 * while the device works:
 *
 *   kernel_behind_write() ──▶ [waits][waits][being written] ──▶ node
 *      ticket n                n      n - 1   n - 2
 *
 * The memory is not copied: it must stay as it is until its ticket is over. All calls come from one
 * thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "pkg/base/cleanup.h"
#include "pkg/base/error.h"
#include "pkg/thin/kernel/volume_node.h"

struct kernel_behind;

/* @node: borrowed; its counts are right after kernel_behind_drain(). */
struct kernel_behind *kernel_behind_new(struct kernel_node *node);

/* What waits is written, but errors are not told: drain before. NULL is fine. */
void kernel_behind_free(struct kernel_behind *b);
DEFINE_CLEANUP(struct kernel_behind *, kernel_behind_free);

/* From now on with a thread; until then every write is over when its call returns. */
void kernel_behind_start(struct kernel_behind *b);

/*
 * @pieces: NODE_MOST_PIECES at most; the array is the caller's again.   @ret_ticket: 0 = it is over.
 * Errors: also those of earlier writes, again each time.
 */
MUST_CHECK int kernel_behind_write(struct kernel_behind *b, struct iovec *pieces, int n,
				   uint64_t offset, uint64_t *ret_ticket, struct error *err);

/* As far as we know without asking the thread. */
bool kernel_behind_is_over(const struct kernel_behind *b, uint64_t ticket);

/* Until this write, and all before it, are over: well or not. */
void kernel_behind_wait(struct kernel_behind *b, uint64_t ticket);

/* 0, or -1 and the error of a write that is over. */
MUST_CHECK int kernel_behind_check(struct kernel_behind *b, struct error *err);

/* All went well and is on the device. */
MUST_CHECK int kernel_behind_drain(struct kernel_behind *b, struct error *err);
