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

static bool ends_with(const char *text, size_t len, const char *end)
{
	size_t n = strlen(end);

	return len > n && !strncasecmp(text + len - n, end, n);
}

/* "+encrypted" by ocicrypt, "+enc" by what was before it and for docker's types. */
static bool is_encrypted_layer(const char *text, size_t len)
{
	return (!strncasecmp(text, OCI "layer.", sizeof(OCI "layer.") - 1)
		|| !strncasecmp(text, ROOTFS, sizeof(ROOTFS) - 1))
	       && (ends_with(text, len, "+encrypted") || ends_with(text, len, "+enc"));
}

/* The type without what may stand around it; returns its length. */
static size_t strip(const char **text)
{
	*text += strspn(*text, " \t");
	return strcspn(*text, "; \t");
}

enum oci_media_type oci_media_type_parse(const char *text)
{
	size_t len = strip(&text);

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (strlen(types[i].text) == len && !strncasecmp(types[i].text, text, len))
			return types[i].type;
	return is_encrypted_layer(text, len) ? MEDIA_LAYER_ENCRYPTED : MEDIA_UNKNOWN;
}

bool oci_media_type_codec(const char *text, enum stream_codec *ret)
{
	size_t len = strip(&text);

	if (ends_with(text, len, "+gzip") || ends_with(text, len, ".gzip"))
		*ret = STREAM_GZIP;
	else if (ends_with(text, len, "+zstd") || ends_with(text, len, ".zstd"))
		*ret = STREAM_ZSTD;
	else if (!strncasecmp(text, OCI, sizeof(OCI) - 1))
		*ret = STREAM_PLAIN;
	else
		return false;
	return true;
}

const char *oci_media_type_accept(void)
{
	return OCI "index.v1+json, " OCI "manifest.v1+json, " DOCKER
		   "distribution.manifest.list.v2+json, " DOCKER "distribution.manifest.v2+json";
}
