/* SPDX-License-Identifier: Apache-2.0 */
/* Puts tars together by the maker of tars. */
#include "tests/support/docker_save.h"

#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/fdio.h"
#include "tests/support/cmocka.h"
#include "tests/support/tar_maker.h"
#include "tests/support/tarball.h"

void save_file(struct buffer *tar, const char *name, const void *data, size_t len)
{
	struct tar_maker m = {.name = name, .data = data, .data_len = len};

	tar_make(tar, &m);
}

void save_link(struct buffer *tar, char type, const char *name, const char *target)
{
	struct tar_maker m = {.name = name, .type = type, .link = target};

	tar_make(tar, &m);
}

void save_layer(const char *content, struct buffer *ret, struct digest *ret_diff_id)
{
	tarball_add(ret, '0', "file", 0644, content);
	tarball_end(ret);
	digest_of(DIGEST_SHA256, ret->data, ret->len, ret_diff_id);
}

void save_config(const struct digest *diff_ids, size_t n, struct buffer *ret)
{
	char text[DIGEST_TEXT_BYTES];

	buffer_printf(ret, "{\"os\":\"linux\",\"architecture\":\"amd64\","
			   "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[");
	for (size_t i = 0; i < n; i++)
		buffer_printf(ret, "%s\"%s\"", i ? "," : "", digest_format(&diff_ids[i], text));
	buffer_printf(ret, "]}}");
}

char *save_name(const struct buffer *bytes, const char *before, const char *after)
{
	char hex[DIGEST_TEXT_BYTES];
	struct digest d;

	digest_of(DIGEST_SHA256, bytes->data, bytes->len, &d);
	return xasprintf("%s%s%s", before, digest_hex(&d, hex), after);
}

int save_fd(const struct buffer *bytes)
{
	struct error err = {0};
	int fd;

	assert_ok(fdio_open_nameless("/tmp", &fd, &err), &err);
	assert_ok(fdio_pwrite(fd, bytes->data, bytes->len, 0, "archive", &err), &err);
	return fd;
}
