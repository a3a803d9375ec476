/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An image of one layer, which has the whole tree, in the place of an image of several: its config
 * and manifest. All that the config says of running stays; so does the history, whose steps have
 * no layer of their own any more, and the last one has it.
 */
#pragma once

#include "oci/descriptor.h"
#include "pkg/base/buffer.h"
#include "pkg/base/cleanup.h"

struct squashed {
	struct oci_descriptor manifest, config, layer; /* the layer is a plain tar */
	struct buffer manifest_bytes, config_bytes;
};

/*
 * @config: of the image. One that has this layer and no other stays as it is, so that an image that
 * was squashed is the same when it is squashed again.
 * Errors: ERR_INVALID.
 */
MUST_CHECK int squash(const struct buffer *config, const struct digest *diff_id,
		      uint64_t layer_bytes, struct squashed *ret, struct error *err);
void squashed_release(struct squashed *s);
