/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a whole archive: all of its images, down to the bytes of their layers. */
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "oci/archive.h"
#include "oci/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was read as a whole has the digest that it was asked by. */
static void read_layer(struct source *s, const struct oci_descriptor *d)
{
	cleanup(stream_close_ptr) struct stream *in = NULL;
	struct error err = {0};

	if (source_fetch(s, d, &in, &err) == 0
	    && stream_verify(&in, &d->digest, d->size_bytes, "blob", &err) == 0
	    && stream_finish(in, &err) < 0 && err.kind == ERR_NONE)
		abort();
}

static void read_source(struct source *s)
{
	const struct oci_platform platform = {.os = "linux", .architecture = "amd64"};
	struct oci_image image;
	struct error err = {0};

	if (oci_image_resolve(s, &platform, NULL, &image, &err) == 0) {
		for (size_t i = 0; i < image.manifest.n_layers; i++)
			read_layer(s, &image.manifest.layers[i]);
		oci_image_release(&image);
	} else if (err.kind == ERR_NONE) {
		abort();
	}
	source_close(s);
}

static void read_images(struct oci_archive *a)
{
	const struct oci_platform platform = {.os = "linux", .architecture = "amd64"};
	struct error err = {0};
	struct source *s;
	size_t n;
	const struct oci_archive_image *images = oci_archive_images(a, &n);

	for (size_t i = 0; i < n; i++) {
		struct place place = {.has_index = true, .index = images[i].index};

		if (oci_archive_source(a, &place, NULL, &s, NULL, &err) == 0)
			read_source(s);
		error_clear(&err);
	}
	if (oci_archive_kind(a) == OCI_ARCHIVE_TREE
	    && oci_archive_tree_source(a, &platform, &s, &err) == 0)
		read_source(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct oci_archive *a;
	struct error err = {0};
	int fd = memfd_create("archive", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size || lseek(fd, 0, SEEK_SET) != 0)
		abort();
	if (oci_archive_open(fd, "archive", OCI_ARCHIVE_ANY, "/dev/shm", &a, &err) < 0)
		return 0;
	read_images(a);
	oci_archive_close(a);
	return 0;
}
