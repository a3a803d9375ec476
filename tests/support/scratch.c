/* SPDX-License-Identifier: Apache-2.0 */
/* The folder is made by mkdtemp and removed by rm, which knows nothing of our code. */
#include "tests/support/scratch.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/buffer.h"
#include "pkg/base/cleanup.h"
#include "pkg/base/fdio.h"
#include "tests/support/cmocka.h"

enum { NOBODY = 65534 };

char *scratch_new(void)
{
	const char *tmp = getenv("TMPDIR");
	char *path = xasprintf("%s/thinpull-unit.XXXXXX", tmp && *tmp ? tmp : "/tmp");

	if (!mkdtemp(path)) {
		perror(path);
		abort();
	}
	return path;
}

static int remove_tree(const char *dir)
{
	cleanup_free char *command = xasprintf("chmod -R u+rwX '%s'; rm -rf '%s'", dir, dir);

	return system(command) == 0 ? 0 : -1;
}

void scratch_free(char *dir)
{
	if (remove_tree(dir) < 0)
		fprintf(stderr, "left behind: %s\n", dir);
	free(dir);
}

int scratch_set_up(void **state)
{
	*state = scratch_new();
	return chdir(*state);
}

void scratch_drop_root(const char *dir)
{
	if (geteuid() != 0)
		return;
	assert_int_equal(chown(dir, NOBODY, NOBODY), 0);
	assert_int_equal(setegid(NOBODY), 0);
	assert_int_equal(seteuid(NOBODY), 0);
}

int scratch_tear_down(void **state)
{
	int rc = getuid() == 0 ? seteuid(0) | setegid(0) : 0;

	rc |= chdir("/");

	if (remove_tree(*state) < 0)
		rc = -1;
	free(*state);
	return rc;
}

void scratch_mkdir(const char *path, unsigned mode)
{
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(chmod(path, mode), 0);
}

void scratch_write(const char *path, const char *text)
{
	cleanup_fd int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

bool scratch_exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

void scratch_deep(const char *name, size_t depth)
{
	int at = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), below;

	for (size_t i = 0; i < depth; i++) {
		assert_int_equal(mkdirat(at, name, 0700), 0);
		below = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(below >= 0);
		close(at);
		at = below;
	}
	below = openat(at, "leaf", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(below >= 0);
	close(below);
	close(at);
}

char *scratch_read(const char *path, size_t *ret_len)
{
	cleanup_buffer struct buffer content = {0};
	struct error err = {0};

	assert_ok(fdio_read_file(path, SIZE_MAX, &content, &err), &err);
	if (ret_len)
		*ret_len = content.len;
	buffer_add(&content, "", 0);
	return buffer_detach(&content);
}

unsigned scratch_mode(const char *path)
{
	struct stat st;

	assert_int_equal(lstat(path, &st), 0);
	return st.st_mode;
}
