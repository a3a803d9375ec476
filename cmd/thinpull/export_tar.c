/* SPDX-License-Identifier: Apache-2.0 */
/* Hands the tree of a volume to a file, piece by piece. */
#include "cmd/thinpull/export_tar.h"

#include "cmd/thinpull/gather.h"
#include "oci/tree_tar.h"

int export_tar(struct thin_volume *volume, struct outfile *out, uint64_t *ret_size,
	       struct error *err)
{
	cleanup(ext4_reader_close_ptr) struct ext4_reader *fs = NULL;
	cleanup_gather struct gather g;

	gather_init(&g, out);
	if (ext4_reader_open(volume, &fs, err) < 0 || tree_tar_write(fs, gather_write, &g, err) < 0
	    || gather_flush(&g, err) < 0)
		return -1;
	*ret_size = g.written;
	return 0;
}
