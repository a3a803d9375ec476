/* SPDX-License-Identifier: Apache-2.0 */
/* Runs programs through the shell on a sparse dump of the volume in a folder of its own. */
#include "tests/support/e2fsprogs.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/buffer.h"

int command_run(char **ret_output, const char *fmt, ...)
{
	cleanup_buffer struct buffer out = {0};
	cleanup_free char *command = NULL, *whole = NULL;
	va_list ap;
	FILE *pipe;
	size_t n;
	int status;

	va_start(ap, fmt);
	command = xvasprintf(fmt, ap);
	va_end(ap);
	/* e2fsprogs lives where a user's PATH may not look */
	whole = xasprintf("exec 2>&1; PATH=$PATH:/sbin:/usr/sbin; LC_ALL=C; export PATH LC_ALL; %s",
			  command);
	pipe = popen(whole, "r");
	if (!pipe)
		abort();
	while ((n = fread(buffer_reserve(&out, 4096), 1, 4096, pipe)) > 0)
		buffer_grew(&out, n);
	status = pclose(pipe);
	if (ret_output)
		*ret_output = buffer_detach(&out);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

bool e2fsck_is_clean(const struct memory_volume *v)
{
	char *dir = scratch_new();
	cleanup_free char *image = xasprintf("%s/image", dir), *output = NULL;
	int status;

	memory_volume_dump(v, image);
	status = command_run(&output, "e2fsck -fn '%s'", image);
	if (status != 0)
		fprintf(stderr, "e2fsck -fn: exit status %d\n%s\n", status, output);
	scratch_free(dir);
	return status == 0;
}

char *debugfs_output(const struct memory_volume *v, const char *request)
{
	char *dir = scratch_new(), *output = NULL;
	cleanup_free char *image = xasprintf("%s/image", dir);

	memory_volume_dump(v, image);
	command_run(&output, "debugfs -R '%s' '%s'", request, image);
	scratch_free(dir);
	return output;
}

bool can_loop_mount(void)
{
	static int answer = -1; /* asked once: containers have root, but not always mount */
	struct stat st;
	char *dir;

	if (answer < 0 && (geteuid() != 0 || stat("/dev/loop-control", &st) < 0))
		answer = 0;
	if (answer < 0) {
		dir = scratch_new();
		answer = command_run(NULL,
				     "cd '%s' && truncate -s 8M image && mke2fs -q -t ext4 image "
				     "&& mkdir m && mount -o loop,ro image m && umount m",
				     dir)
			 == 0;
		scratch_free(dir);
	}
	return answer;
}
