/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blobs of layers in the content store. They can be large: they are written and read as they come,
 * by the same rules as in any layout folder.
 */
#include <string.h>
#include <sys/stat.h>

#include "oci/content.h"
#include "oci/content_internal.h"
#include "pkg/base/alloc.h"

int content_keep(struct content *c, const struct blob_copy *how,
		 const struct oci_descriptor *const *blobs, size_t n, struct blob_copied *ret,
		 struct error *err)
{
	cleanup(layout_writer_close_ptr) struct layout_writer *w = layout_writer_for_blobs(c->dir);
	struct blob_copy copy = *how;

	copy.to = w;
	if (content_hold_blobs(c, err) < 0)
		return error_wrap(err, "content");
	return blob_copy(&copy, blobs, n, ret, err);
}

bool content_keeps(struct content *c, const struct oci_descriptor *blob)
{
	cleanup_free char *path = content_blob_path(c, &blob->digest);
	struct stat st;

	return lstat(path, &st) == 0 && S_ISREG(st.st_mode)
	       && (uint64_t)st.st_size == blob->size_bytes;
}

int content_open_kept(struct content *c, const struct oci_descriptor *blob, struct stream **ret,
		      struct error *err)
{
	cleanup_free char *path = content_blob_path(c, &blob->digest);
	char text[DIGEST_TEXT_BYTES];

	if (stream_open_file(path, ret, err) == 0)
		return 0;
	if (err->kind == ERR_NOT_FOUND)
		error_set(err, ERR_NOT_FOUND, "content has no %s",
			  digest_format(&blob->digest, text));
	return -1;
}
