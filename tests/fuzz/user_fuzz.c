/* SPDX-License-Identifier: Apache-2.0 */
/* Any User in any passwd and group: "USER", "PASSWD", "GROUP" with a byte 0xfe between them. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "oci/user.h"
#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"

enum { SEPARATOR = 0xfe, ID_MAX = 0x7fffffff };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What stands before the next separator. */
static struct buffer take(const uint8_t **data, size_t *size)
{
	const uint8_t *end = *size ? memchr(*data, SEPARATOR, *size) : NULL;
	size_t len = end ? (size_t)(end - *data) : *size;
	struct buffer b = {0};

	buffer_add(&b, *data, len);
	*data += len + (end != NULL);
	*size -= len + (end != NULL);
	return b;
}

static void check(const struct oci_user *u)
{
	if (u->uid > ID_MAX || u->gid > ID_MAX)
		abort();
	for (size_t i = 0; i < u->n_groups; i++)
		if (u->groups[i] > ID_MAX || (i && u->groups[i] <= u->groups[i - 1]))
			abort();
	if (u->home && !*u->home)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_buffer struct buffer user = take(&data, &size);
	cleanup_buffer struct buffer passwd = take(&data, &size);
	cleanup_buffer struct buffer group = take(&data, &size);
	cleanup_free char *text = xstrndup((const char *)user.data, user.len);
	struct error err = {0};
	struct oci_user u;

	if (oci_user_resolve(text, &passwd, &group, &u, &err) < 0) {
		if (err.kind != ERR_INVALID)
			abort();
		return 0;
	}
	check(&u);
	oci_user_release(&u);
	return 0;
}
