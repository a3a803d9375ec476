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
	char *home; /* of passwd, owned; NULL when it names none */
};

/*
 * Digits are always ids, also where a name has the same digits. "" is 0:0. Without a group it is
 * that of passwd, and the groups of /etc/group that list the user are added; an id that is not in
 * passwd has group 0. With a group there are no others.
 *
 * @user: may be NULL, as "".  @passwd, @group: content of the files, NULL when missing. Lines that
 * are none are passed over, of several for one name or id the first counts.
 * Errors: ERR_INVALID (malformed, out of 0..2^31-1, a name that is not there).
 */
MUST_CHECK int oci_user_resolve(const char *user, const struct buffer *passwd,
				const struct buffer *group, struct oci_user *ret,
				struct error *err);
void oci_user_release(struct oci_user *u);
