/* SPDX-License-Identifier: Apache-2.0 */
/* export NAME|REF -o FILE: the file system of a container or an image, holes left out. */
#include "cmd/thinpull/command.h"

#include <stdlib.h>
#include <string.h>

#include "cmd/thinpull/context.h"
#include "cmd/thinpull/outfile.h"
#include "cmd/thinpull/output.h"
#include "cmd/thinpull/imageref.h"
#include "pkg/base/alloc.h"
#include "pkg/base/interrupt.h"
#include "pkg/thin/volume.h"

#define EXPORT_CHUNK_BYTES (1 << 20)
/* The block size of the file system, and of the hosts that matter. */
#define EXPORT_HOLE_BYTES 4096

static bool is_zero(const uint8_t *data, size_t len)
{
	return data[0] == 0 && memcmp(data, data + 1, len - 1) == 0;
}

/* Write the parts of a chunk that are not zero; neighbours go out together. */
static int write_chunk(struct outfile *out, const uint8_t *data, size_t len, uint64_t offset,
		       uint64_t *written, struct error *err)
{
	size_t start = 0, end = 0;

	while (start < len) {
		size_t piece = len - end < EXPORT_HOLE_BYTES ? len - end : EXPORT_HOLE_BYTES;

		if (piece && !is_zero(data + end, piece)) {
			end += piece;
			continue;
		}
		if (end > start
		    && outfile_write(out, data + start, end - start, offset + start, err) < 0)
			return -1;
		*written += end - start;
		start = end += piece;
	}
	return 0;
}

static int copy_range(struct thin_volume *volume, struct outfile *out, uint64_t offset,
		      uint64_t len, uint8_t *chunk, uint64_t *written, struct error *err)
{
	while (len) {
		size_t n = len < EXPORT_CHUNK_BYTES ? (size_t)len : EXPORT_CHUNK_BYTES;

		if (interrupt_check(err) < 0 || thin_volume_read(volume, chunk, n, offset, err) < 0
		    || write_chunk(out, chunk, n, offset, written, err) < 0)
			return -1;
		offset += n;
		len -= n;
	}
	return 0;
}

static int copy_volume(struct thin_volume *volume, struct outfile *out, uint64_t *ret_written,
		       struct error *err)
{
	cleanup_free uint8_t *chunk = xaligned(4096, EXPORT_CHUNK_BYTES);
	uint64_t offset = 0, len = 0, written = 0;
	int more;

	while ((more = thin_volume_next_mapped(volume, offset, &offset, &len, err)) == 0) {
		if (copy_range(volume, out, offset, len, chunk, &written, err) < 0)
			return -1;
		offset += len;
	}
	if (more < 0)
		return -1;
	*ret_written = written;
	return 0;
}

/* Containers first; what is the name of none must be an image. */
static int find_volume(struct store *store, const char *text, char **ret, struct error *err)
{
	bool is_container = false;

	if (store_is_name(text) && store_is_container(store, text, &is_container, err) < 0)
		return -1;
	if (is_container) {
		*ret = xstrdup(text);
		return 0;
	}
	return imageref_find(store, text, ret, err);
}

static void print_result(const char *name, const char *path, uint64_t size, uint64_t written)
{
	cleanup_jout struct jout o = {0};

	jout_object(&o, NULL);
	jout_string(&o, "name", name);
	jout_string(&o, "file", path);
	jout_string(&o, "format", "raw");
	jout_uint(&o, "size_bytes", size);
	jout_uint(&o, "written_bytes", written);
	jout_end_object(&o);
	output_json(&o);
}

static int check_options(const struct args *args, const char **ret_path, struct error *err)
{
	const char *format = args_value(args, "format");

	*ret_path = args_value(args, "output");
	if (format && (strcmp(format, "tar") == 0 || strcmp(format, "oci-archive") == 0))
		return error_set(err, ERR_UNSUPPORTED, "--format %s is not there yet", format);
	if (format && strcmp(format, "raw") != 0)
		return error_set(err, ERR_USAGE,
				 "option --format: '%.40s' is none of raw, tar, oci-archive",
				 format);
	if (imageref_check(args->operands[0], err) < 0)
		return -1;
	if (!*ret_path)
		return error_set(err, ERR_USAGE, "where to? -o FILE, or -o - for standard output");
	return 0;
}

static int export(const struct context *context, struct error *err)
{
	/* Closed in reverse order: the session holds the volume, the store the session. */
	cleanup(store_close_ptr) struct store *store = NULL;
	cleanup(snapshots_close_ptr) struct snapshots *session = NULL;
	cleanup(thin_volume_close_ptr) struct thin_volume *volume = NULL;
	cleanup_outfile struct outfile out = {.fd = -1};
	cleanup_free char *name = NULL;
	const char *path;
	uint64_t written;

	if (check_options(context->args, &path, err) < 0
	    || context_open_store(context, &store, err) < 0
	    || find_volume(store, context->args->operands[0], &name, err) < 0
	    || store_open_volume(store, name, &session, &volume, err) < 0
	    || outfile_open(path, &out, err) < 0 || copy_volume(volume, &out, &written, err) < 0
	    || outfile_commit(&out, thin_volume_size(volume), err) < 0)
		return -1;
	if (context->settings->json && !out.is_stdout)
		print_result(name, path, thin_volume_size(volume), written);
	return 0;
}

int cmd_export(const struct context *context, struct error *err)
{
	if (export(context, err) < 0)
		return error_wrap(err, "export %s", context->args->operands[0]);
	return 0;
}
