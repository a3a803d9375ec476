/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The User of an image: "", user, uid, user:group, uid:gid and the mixed forms, looked up in the
 * image's own passwd and group. Spec: image-spec v1.1 conversion.md, rules of part D.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "pkg/base/buffer.h"
#include "pkg/base/error.h"

struct oci_user {
	uint32_t uid, gid;
	uint32_t *groups; /* supplementary, owned, sorted */
	size_t n_groups;
	char *home; /* of passwd, owned; NULL when the user is not in it */
};

/*
 * @passwd, @group: content of the files, NULL when missing. Lines that are none are passed over.
 * Digits are always ids. Errors: ERR_INVALID (malformed, out of 0..2^31-1, a name that is not
 * there).
 */
MUST_CHECK int oci_user_resolve(const char *user, const struct buffer *passwd,
				const struct buffer *group, struct oci_user *ret,
				struct error *err);
void oci_user_release(struct oci_user *u);
