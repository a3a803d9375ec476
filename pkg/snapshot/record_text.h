/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The record as JSON, the part of a copy behind its header:
 *
 *   {"base_bytes": N, "base_inodes": N, "entries": [
 *     {"id": 1, "kind": "layer", "state": "ready", "size_bytes": N, "chain_id": D, "parent": D,
 *      "diff_id": D, "layout_version": 1, "content_bytes": N},
 *     {"id": 2, "kind": "container", "state": "ready", "size_bytes": N, "chain_id": D, "name": ..,
 *      "image": .., "manifest": D, "created": .., "read_only": false, "labels": {..}}]}
 *
 * A digest that is "none" is left out. Unknown keys are ignored.
 */
#pragma once

#include <stddef.h>

#include "pkg/base/buffer.h"
#include "pkg/base/error.h"
#include "pkg/snapshot/record.h"

void record_text_write(const struct record *r, struct buffer *ret);

/*
 * Fill base_* and entries of *ret; on failure what was filled is the caller's to release.
 * Errors: ERR_INCONSISTENT.
 */
MUST_CHECK int record_text_parse(const void *text, size_t len, struct record *ret,
				 struct error *err);
