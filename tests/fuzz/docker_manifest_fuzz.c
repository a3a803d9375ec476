/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as the manifest.json of an archive of docker's. */
#include <stdint.h>
#include <stdlib.h>

#include "oci/archive_images.h"
#include "oci/docker_manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct oci_archive_images images;
	struct docker_manifest m;
	struct error err = {0};

	if (docker_manifest_parse(data, size, &m, &err) < 0)
		return 0;
	oci_archive_images_of_docker(&m, &images);
	for (size_t i = 0; i < m.n; i++)
		if (!m.images[i].config || images.items[i].names.n > m.images[i].tags.n)
			abort();
	oci_archive_images_release(&images);
	docker_manifest_release(&m);
	return 0;
}
