/* SPDX-License-Identifier: Apache-2.0 */
/* Which entry of a layout's index.json is meant (rule B22). */
#pragma once

#include "oci/index.h"
#include "oci/place.h"
#include "pkg/base/buffer.h"

/* The bytes of a small blob. Errors: ERR_NOT_FOUND, without more words. */
typedef int layout_read_fn(void *arg, const struct digest *d, struct buffer *ret,
			   struct error *err);

/*
 * @place: its ref, index or digest; with none of them there must be one image alone.
 * @read: for a digest that no entry lists.
 * Errors: ERR_NOT_FOUND, ERR_USAGE (several, listed), ERR_INVALID (a name that is there twice).
 */
MUST_CHECK int layout_choose(const struct oci_index *index, const struct place *place,
			     layout_read_fn *read, void *arg, struct oci_descriptor *ret,
			     struct error *err);
