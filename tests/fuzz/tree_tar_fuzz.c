/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A damaged file system as a tar: what is written, our own reader reads, and there is no more of it
 * than the file system has room for. The input is that of ext4_read_fuzz.c.
 *
 *   byte 0          odd: make all checksums hold again, as a guest that owns the volume can
 *   then 4 bytes    which of the metadata blocks, offset in it (16 bits), new value; repeated
 */
#include <stdint.h>
#include <stdlib.h>

#include "oci/tree_tar.h"
#include "pkg/tar/reader.h"
#include "tests/support/ext4_sample.h"

enum {
	RECORD_BYTES = 4,
	RECORDS_MAX = 256,
	/* The data of the sample's volume; then headers and attributes, which have no such bound. */
	TAR_BYTES_MAX = 256 << 20,
};

static int append(const void *data, size_t len, void *arg, struct error *err)
{
	struct buffer *tar = arg;

	if (tar->len + len > TAR_BYTES_MAX)
		return error_set(err, ERR_NO_SPACE, "larger than this test wants to look at");
	buffer_add(tar, data, len);
	return 0;
}

static int export(struct thin_volume *volume, struct buffer *tar, struct error *err)
{
	cleanup(ext4_reader_close_ptr) struct ext4_reader *fs = NULL;

	if (ext4_reader_open(volume, &fs, err) < 0)
		return -1;
	return tree_tar_write(fs, append, tar, err);
}

static void read_back(const struct buffer *tar)
{
	struct stream *in = stream_from_memory(tar->data, tar->len);
	cleanup(tar_reader_close_ptr) struct tar_reader *r = NULL;
	const struct tar_entry *e;
	struct error err = {0};
	int rc;

	if (tar_reader_open(&in, &r, &err) < 0)
		abort();
	while ((rc = tar_reader_next(r, &e, &err)) == 0)
		if (e->path[0] != '.' || e->path[1] != '/')
			abort();
	if (rc < 0 || tar_reader_finish(r, &err) < 0)
		abort(); /* our own reader refuses what we write */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct ext4_sample whole;
	struct ext4_sample copy;
	cleanup_buffer struct buffer tar = {0};
	struct error err = {0};

	if (size < 1)
		return 0;
	if (!whole.v)
		whole = ext4_sample_make();
	copy = ext4_sample_copy(&whole);
	for (size_t at = 1; at + RECORD_BYTES <= size && at < RECORDS_MAX * RECORD_BYTES;
	     at += RECORD_BYTES)
		ext4_sample_poke(&copy, data[at] % copy.n,
				 (size_t)(data[at + 1] | data[at + 2] << 8), data[at + 3]);
	if (data[0] & 1)
		ext4_sample_sign(&copy);
	if (export(&copy.v->volume, &tar, &err) == 0)
		read_back(&tar);
	else if (err.kind == ERR_NONE)
		abort(); /* an error without a kind */
	memory_volume_free(copy.v);
	return 0;
}
