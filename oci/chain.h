/* SPDX-License-Identifier: Apache-2.0 */
/* ChainIDs: the identity of a stack of layers. Spec: image-spec v1.1 config.md "Layer ChainID". */
#pragma once

#include <stddef.h>

#include "pkg/digest/digest.h"

/* ret[0] = diff_ids[0]; ret[i] = sha256(text of ret[i-1] + " " + text of diff_ids[i]). */
void oci_chain_ids(const struct digest *diff_ids, size_t n, struct digest *ret);
