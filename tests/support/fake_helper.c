/* SPDX-License-Identifier: Apache-2.0 */
/* Links with the names of helpers, and PATH. */
#include "tests/support/fake_helper.h"

#include <stdlib.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "tests/support/cmocka.h"
#include "tests/support/scratch.h"

#define PROGRAM "tests/support/docker-credential-fake.sh"

void fake_helper_start(struct fake_helper *h)
{
	static const char *const names[] = {"good",  "none",   "quiet", "token",  "fails",
					    "leaks", "junk",   "hangs", "silent", "floods",
					    "deaf",  "killed", "child"};
	cleanup_free char *program = realpath(PROGRAM, NULL);
	cleanup_free char *path = NULL;

	if (!program)
		fail_msg("no " PROGRAM);
	h->folder = scratch_new();
	h->path = xstrdup(getenv("PATH"));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		cleanup_free char *link = xasprintf("%s/docker-credential-%s", h->folder, names[i]);

		assert_int_equal(symlink(program, link), 0);
	}
	path = xasprintf("%s:%s", h->folder, h->path);
	setenv("PATH", path, 1);
	setenv("FAKE_STORE", h->folder, 1);
}

void fake_helper_stop(struct fake_helper *h)
{
	setenv("PATH", h->path, 1);
	unsetenv("FAKE_STORE");
	free(h->path);
	scratch_free(h->folder);
}

char *fake_helper_read(const struct fake_helper *h, const char *name)
{
	cleanup_free char *path = xasprintf("%s/%s", h->folder, name);
	size_t len;

	return scratch_exists(path) ? scratch_read(path, &len) : xstrdup("");
}

void fake_helper_forget(const struct fake_helper *h, const char *name)
{
	cleanup_free char *path = xasprintf("%s/%s", h->folder, name);

	unlink(path);
}
