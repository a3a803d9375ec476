/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Foreign layers: those that a registry need not have, because whoever made the image names other
 * places for them. A place is asked for one blob, by https, as nobody; what it gives is checked by
 * who reads it, like all else. Spec: image-spec v1.1 descriptor.md "urls"; rules B19, F59.
 */
#pragma once

#include "oci/source.h"
#include "registry/http.h"

/*
 * The same source, but for layers with urls that it has not got: these are asked for there.
 * @s: taken, and replaced by one around it.   @options: of the requests; copied, but not what it
 *     points to; NULL for the usual.
 * Errors of the source then: as http_get() and redirect_get(); ERR_INVALID also: a url that must
 * not be asked. Those of the last place hold.
 */
void foreign_source_wrap(struct source **s, const struct http_options *options);
