/* SPDX-License-Identifier: Apache-2.0 */
/* An image layout in a temporary folder, piece by piece. Every failure fails the test. */
#pragma once

#include <stddef.h>

#include "pkg/digest/digest.h"

/* A new folder, see scratch_new(), owned text; remove_folder() takes it away. */
char *make_folder(void);
void remove_folder(char *path);

/* Write text to folder/name, making the folders in between. */
void put_file(const char *folder, const char *name, const char *text);

/* oci-layout and blobs/sha256. */
void layout_begin(const char *folder);
/* Store a blob. Returns its digest as text, in one of a few static buffers. */
const char *layout_blob(const char *folder, const char *text);
/* index.json with these entries, comma separated. */
void layout_index(const char *folder, const char *entries);
/* A manifest with a config and one layer, all stored; its digest as above. @marker: goes into the
 * config, so that images differ. */
const char *layout_image(const char *folder, const char *marker);
/* An index entry for a stored document. @more: further members, starting with a comma, or "".
 * Owned. */
char *layout_entry(const char *folder, const char *digest, const char *type, const char *more);

#define LAYOUT_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define LAYOUT_INDEX	"application/vnd.oci.image.index.v1+json"
