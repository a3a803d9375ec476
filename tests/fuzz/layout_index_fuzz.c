/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as the index.json of a layout folder that an image is added to. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "oci/index.h"
#include "oci/layout_writer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char name[] = "a name";
	struct oci_descriptor d = {.media_type = MEDIA_MANIFEST, .size_bytes = 1};
	struct buffer once = {0}, twice = {0};
	struct oci_index index;
	struct error err = {0};

	strcpy(d.media_type_text, "application/vnd.oci.image.manifest.v1+json");
	digest_of(DIGEST_SHA256, "x", 1, &d.digest);
	if (layout_index_add(data, size, &d, name, &once, &err) < 0)
		return 0;
	/* It can be added again, and then nothing changes any more. */
	if (layout_index_add(once.data, once.len, &d, name, &twice, &err) < 0
	    || once.len != twice.len || memcmp(once.data, twice.data, once.len) != 0)
		abort();
	/* Entries of others may be nonsense; where they are not, ours is there. */
	if (oci_index_parse(once.data, once.len, "index.json", &index, &err) == 0) {
		if (!index.n || !index.ref_names[index.n - 1]
		    || strcmp(index.ref_names[index.n - 1], name) != 0)
			abort();
		oci_index_release(&index);
	}
	buffer_release(&once);
	buffer_release(&twice);
	return 0;
}
