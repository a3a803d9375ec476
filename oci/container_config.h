/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config.json for a container: what its image says (oci/bundle.h), with the users of its own file
 * system.
 */
#pragma once

#include "oci/bundle.h"
#include "oci/container.h"

/*
 * @options: besides what they say, the hostname is the container's name unless there is one, and a
 * container that is never to be written has a root folder that is not.   @ret: appended to.
 * Errors: as bundle_config(); ERR_BUSY (it is mounted), ERR_NOT_FOUND (the image's documents are
 * gone), ERR_INCONSISTENT (the file system).
 */
MUST_CHECK int container_config(struct container *c, const struct bundle_options *options,
				struct buffer *ret, struct error *err);
