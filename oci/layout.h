/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An OCI image layout folder as a source. Spec: image-spec v1.1 image-layout.md, rule B22.
 */
#pragma once

#include "oci/index.h"
#include "oci/source.h"

/*
 * @text: what follows "oci:": DIR[:REF|@INDEX][@DIGEST]; INDEX is digits only. A DIR with ':' in it
 *        is found by trying the longest existing folder first.
 * The recorded name is "oci:" + absolute DIR + the rest.
 * Errors: ERR_NOT_FOUND (folder, ref, digest), ERR_INVALID, ERR_USAGE.
 */
MUST_CHECK int oci_layout_open(const char *text, struct source **ret, struct error *err);

/* Whether a folder is a layout. Errors: ERR_NOT_FOUND, ERR_INVALID (of another version). */
MUST_CHECK int oci_layout_check(const char *dir, struct error *err);

/* The bytes of oci-layout. Errors: ERR_INVALID (of another version). */
MUST_CHECK int oci_layout_check_mark(const void *json, size_t len, struct error *err);

/* What is in a layout folder. Errors: as above, ERR_INVALID. */
MUST_CHECK int oci_layout_read_index(const char *dir, struct oci_index *ret, struct error *err);

/*
 * A folder to write to, and a name in it: DIR[:NAME]. The longest beginning that is a folder is
 * DIR; when there is none, DIR ends at the first ':'.
 * @ret_dir: absolute, owned.   @ret_name: owned, NULL when none is given. Errors: ERR_USAGE.
 */
MUST_CHECK int oci_layout_split(const char *text, char **ret_dir, char **ret_name,
				struct error *err);
