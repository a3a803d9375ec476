/* SPDX-License-Identifier: Apache-2.0 */
/* The table of media types (rules B1 to B5). */
#include "oci/mediatype.h"

#include <string.h>
#include <strings.h>

#include "pkg/base/alloc.h"

#define OCI	 "application/vnd.oci.image."
#define OCI_TAR	 OCI "layer.v1.tar"
#define OCI_KEEP OCI "layer.nondistributable.v1.tar"
#define DOCKER	 "application/vnd.docker."
#define ROOTFS	 DOCKER "image.rootfs."

static const struct {
	const char *text;
	enum oci_media_type type;
} types[] = {
	{OCI "index.v1+json", MEDIA_INDEX},
	{DOCKER "distribution.manifest.list.v2+json", MEDIA_INDEX},
	{OCI "manifest.v1+json", MEDIA_MANIFEST},
	{DOCKER "distribution.manifest.v2+json", MEDIA_MANIFEST},
	{OCI "config.v1+json", MEDIA_CONFIG},
	{DOCKER "container.image.v1+json", MEDIA_CONFIG},
	{OCI_TAR, MEDIA_LAYER},
	{OCI_TAR "+gzip", MEDIA_LAYER},
	{OCI_TAR "+zstd", MEDIA_LAYER},
	{ROOTFS "diff.tar", MEDIA_LAYER},
	{ROOTFS "diff.tar.gzip", MEDIA_LAYER},
	{ROOTFS "diff.tar.zstd", MEDIA_LAYER},
	{OCI_KEEP, MEDIA_LAYER_FOREIGN},
	{OCI_KEEP "+gzip", MEDIA_LAYER_FOREIGN},
	{OCI_KEEP "+zstd", MEDIA_LAYER_FOREIGN},
	{ROOTFS "foreign.diff.tar", MEDIA_LAYER_FOREIGN},
	{ROOTFS "foreign.diff.tar.gzip", MEDIA_LAYER_FOREIGN},
	{DOCKER "distribution.manifest.v1+json", MEDIA_SCHEMA1},
	{DOCKER "distribution.manifest.v1+prettyjws", MEDIA_SCHEMA1},
};

static bool is_encrypted_layer(const char *text, size_t len)
{
	static const char prefix[] = OCI "layer.", suffix[] = "+encrypted";

	return len > sizeof(prefix) + sizeof(suffix)
	       && !strncasecmp(text, prefix, sizeof(prefix) - 1)
	       && !strncasecmp(text + len - (sizeof(suffix) - 1), suffix, sizeof(suffix) - 1);
}

enum oci_media_type oci_media_type_parse(const char *text)
{
	size_t len;

	text += strspn(text, " \t");
	len = strcspn(text, "; \t");
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (strlen(types[i].text) == len && !strncasecmp(types[i].text, text, len))
			return types[i].type;
	return is_encrypted_layer(text, len) ? MEDIA_LAYER_ENCRYPTED : MEDIA_UNKNOWN;
}

const char *oci_media_type_accept(void)
{
	return OCI "index.v1+json, " OCI "manifest.v1+json, " DOCKER
		   "distribution.manifest.list.v2+json, " DOCKER "distribution.manifest.v2+json";
}
