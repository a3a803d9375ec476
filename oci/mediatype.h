/* SPDX-License-Identifier: Apache-2.0 */
/* Media types of the field, both families, and what each means for us. */
#pragma once

#include <stdbool.h>

#include "pkg/stream/stream.h"

enum oci_media_type {
	MEDIA_UNKNOWN,
	MEDIA_INDEX,	/* OCI image index, docker manifest list */
	MEDIA_MANIFEST, /* OCI image manifest, docker schema 2 */
	MEDIA_CONFIG,	/* OCI image config, docker container config */
	MEDIA_LAYER,	/* tar, tar+gzip, tar+zstd of both families: the bytes say which */
	MEDIA_LAYER_FOREIGN,
	MEDIA_LAYER_ENCRYPTED,
	MEDIA_SCHEMA1, /* docker schema 1, refused by name */
};

/* Parameters after ';' and case are ignored, as in a Content-Type. */
enum oci_media_type oci_media_type_parse(const char *text);

/*
 * The compression that a layer's type speaks of. False if it says nothing of it: docker's plain
 * type is found on compressed layers, too. What the bytes are decides (rule A70).
 */
bool oci_media_type_codec(const char *text, enum stream_codec *ret);

/* The four manifest types a registry is asked for, comma separated. */
const char *oci_media_type_accept(void);
