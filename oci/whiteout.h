/* SPDX-License-Identifier: Apache-2.0 */
/* What the special names in a layer mean. Spec: image-spec v1.1 layer.md "Whiteouts". */
#pragma once

#include "oci/tarpath.h"
#include "pkg/base/error.h"

enum whiteout {
	WHITEOUT_NONE,	 /* an ordinary entry */
	WHITEOUT_NAME,	 /* .wh.NAME: the lower NAME goes */
	WHITEOUT_OPAQUE, /* .wh..wh..opq: all lower children of the folder go */
	WHITEOUT_SKIP,	 /* leftovers of aufs: .wh..wh.plnk/.. and its like */
};

/*
 * Look at the last component (and, for names that cannot be, at all of them).
 * @ret_name: for WHITEOUT_NAME what goes, borrowed from p.
 * Errors: ERR_INVALID (".wh.", ".wh..", ".wh..." and ".wh.x" as a parent; rules A51, A53).
 */
MUST_CHECK int whiteout_classify(const struct tarpath *p, enum whiteout *ret,
				 struct tarpath_part *ret_name, struct error *err);
