/* SPDX-License-Identifier: Apache-2.0 */
/* Which image of a manifest.json is meant (rule B24). */
#pragma once

#include "oci/archive.h"
#include "oci/docker_manifest.h"

/*
 * @place: its ref or index; with neither there must be one image alone. A digest is not looked at.
 * @same: for names; NULL: byte by byte.
 * Errors: ERR_NOT_FOUND, ERR_USAGE (several, listed), ERR_INVALID (a tag that two images have).
 */
MUST_CHECK int docker_choose(const struct docker_manifest *m, const struct place *place,
			     oci_archive_same_fn *same, size_t *ret, struct error *err);
