/* SPDX-License-Identifier: Apache-2.0 */
/* Writes layouts for tests. */
#include "tests/support/layout_folder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/buffer.h"
#include "pkg/base/cleanup.h"
#include "pkg/base/fdio.h"
#include "tests/support/cmocka.h"
#include "tests/support/scratch.h"

char *make_folder(void)
{
	return scratch_new();
}

void remove_folder(char *path)
{
	scratch_free(path);
}

void put_file(const char *folder, const char *name, const char *text)
{
	cleanup_free char *path = xasprintf("%s/%s", folder, name);
	struct error err = {0};
	char *slash = strrchr(path, '/');

	*slash = '\0';
	assert_ok(fdio_mkdirs(path, &err), &err);
	*slash = '/';
	assert_ok(fdio_replace_file(path, text, strlen(text), &err), &err);
}

void layout_begin(const char *folder)
{
	put_file(folder, "oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}");
	put_file(folder, "blobs/sha256/README", "not a blob");
}

const char *layout_blob(const char *folder, const char *text)
{
	static char texts[8][DIGEST_TEXT_BYTES];
	static unsigned next;
	char hex[DIGEST_TEXT_BYTES], *ret = texts[next++ % 8];
	cleanup_free char *name = NULL;
	struct digest d;

	digest_of(DIGEST_SHA256, text, strlen(text), &d);
	name = xasprintf("blobs/sha256/%s", digest_hex(&d, hex));
	put_file(folder, name, text);
	return digest_format(&d, ret);
}

void layout_index(const char *folder, const char *entries)
{
	cleanup_free char *text = xasprintf("{\"schemaVersion\":2,\"manifests\":[%s]}", entries);

	put_file(folder, "index.json", text);
}

static size_t size_of(const char *folder, const char *digest)
{
	cleanup_free char *path = xasprintf("%s/blobs/sha256/%s", folder, strchr(digest, ':') + 1);
	struct stat st;

	if (stat(path, &st) < 0)
		fail_msg("no %s", path);
	return (size_t)st.st_size;
}

char *layout_entry(const char *folder, const char *digest, const char *type, const char *more)
{
	return xasprintf("{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%zu%s}", type, digest,
			 size_of(folder, digest), more);
}

const char *layout_image(const char *folder, const char *marker)
{
	cleanup_free char *config_text = NULL, *config = NULL, *layer = NULL, *text = NULL;

	/* The layer is the text of its marker: enough for who does not unpack. */
	layer = layout_entry(folder, layout_blob(folder, marker),
			     "application/vnd.oci.image.layer.v1.tar", "");
	config_text = xasprintf("{\"os\":\"linux\",\"architecture\":\"amd64\",\"author\":\"%s\","
				"\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"%s\"]}}",
				marker, layout_blob(folder, marker));
	config = layout_entry(folder, layout_blob(folder, config_text),
			      "application/vnd.oci.image.config.v1+json", "");
	text = xasprintf("{\"schemaVersion\":2,\"mediaType\":\"%s\",\"config\":%s,\"layers\":[%s]}",
			 LAYOUT_MANIFEST, config, layer);
	return layout_blob(folder, text);
}
