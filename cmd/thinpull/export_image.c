/* SPDX-License-Identifier: Apache-2.0 */
/* Hands an image to a file, piece by piece. */
#include "cmd/thinpull/export_image.h"

#include "cmd/thinpull/gather.h"
#include "oci/image_export.h"

int export_image(struct store *store, const char *name, bool is_container, struct outfile *out,
		 uint64_t *ret_size, struct error *err)
{
	cleanup_gather struct gather g;

	gather_init(&g, out);
	if (image_export(store, name, is_container, gather_write, &g, err) < 0
	    || gather_flush(&g, err) < 0)
		return -1;
	*ret_size = g.written;
	return 0;
}
