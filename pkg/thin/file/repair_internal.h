/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of a repair; the first is for tests as well, who have files of their own. */
#pragma once

#include "pkg/thin/file/fsck_internal.h"
#include "pkg/thin/file/pool_internal.h"
#include "pkg/thin/file/repair.h"

/* thin_file_repair() on files that are open and nobody else's, not a dry run. */
MUST_CHECK int tf_repair_files(struct tf_pool *p, enum thin_repair_outcome *ret,
			       struct thin_findings *ret_found, struct error *err);

/*
 * ---- repair_device.c: the details of all devices, those of a metadata snapshot too ----
 *
 * Put mapped_blocks right; when the check met sharing that times hide, let every device count as
 * snapshotted now. Changes trees of p->tx, whose counts are right already, and p->sb.
 * @f: a check that found nothing that cannot be repaired.
 */
MUST_CHECK int tf_repair_devices(struct tf_pool *p, struct fsck *f, struct error *err);
