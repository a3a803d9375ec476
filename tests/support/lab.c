/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/lab.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/host/loop.h"
#include "pkg/thin/kernel/devmap.h"
#include "pkg/thin/kernel/engine.h"
#include "tests/support/cmocka.h"

bool lab_may_skip(void)
{
	return !getenv("THINPULL_LAB") && thin_kernel_obstacle();
}

void lab_need(const char *target)
{
	struct error err = {0};

	if (lab_may_skip())
		skip();
	assert_ok(devmap_check(target, &err), &err);
}

char *lab_loop_new(uint64_t bytes)
{
	char file[] = "/tmp/thinpull-lab.XXXXXX", path[LOOP_PATH_BYTES];
	int loop, fd = mkostemp(file, O_CLOEXEC);
	struct error err = {0};

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
	assert_ok(loop_attach(file, 0, &loop, path, &err), &err);
	close(loop);
	close(fd);
	unlink(file);
	return xstrdup(path);
}

void lab_loop_free(char *device)
{
	struct error err = {0};

	assert_ok(loop_detach(device, &err), &err);
	free(device);
}

unsigned lab_semaphores(void)
{
	FILE *f = fopen("/proc/sysvipc/sem", "re");
	unsigned lines = 0;
	int c;

	assert_non_null(f);
	while ((c = getc(f)) != EOF)
		lines += c == '\n';
	fclose(f);
	return lines - 1; /* its heading */
}
