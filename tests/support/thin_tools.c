/* SPDX-License-Identifier: Apache-2.0 */
/* Runs thin_check and thin_restore, makes and removes scratch folders for pools. */
#include "tests/support/thin_tools.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"

/* Spawned, not forked: tests have much memory, that of sanitizers above all, whose tables a fork
 * would copy. */
int thin_tools_run(const char *const argv[])
{
	posix_spawn_file_actions_t files;
	int status, rc;
	pid_t pid;

	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDWR, 0);
	posix_spawn_file_actions_adddup2(&files, STDIN_FILENO, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&files, STDIN_FILENO, STDERR_FILENO);
	rc = posix_spawnp(&pid, argv[0], &files, NULL, (char *const *)(uintptr_t)argv, environ);
	posix_spawn_file_actions_destroy(&files);
	if (rc == ENOENT)
		return 127;
	if (rc || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return 126;
	return WEXITSTATUS(status);
}

int thin_tools_check(const char *meta_path)
{
	return thin_tools_run((const char *const[]){"thin_check", "-q", meta_path, NULL});
}

int thin_tools_check_major(void)
{
	FILE *out = popen("thin_check --version", "re");
	int major = -1;

	if (out && fscanf(out, "%d.", &major) != 1)
		major = -1;
	if (out)
		pclose(out);
	return major;
}

bool thin_tools_restore(const char *xml_path, const char *meta_path, unsigned long meta_bytes)
{
	cleanup_fd int fd = open(meta_path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || ftruncate(fd, (off_t)meta_bytes) < 0)
		return false;
	return thin_tools_run(
		       (const char *const[]){"thin_restore", "-i", xml_path, "-o", meta_path, NULL})
	       == 0;
}

bool thin_tools_dump(const char *meta_path, const char *xml_path)
{
	return thin_tools_run((const char *const[]){"thin_dump", "-o", xml_path, meta_path, NULL})
	       == 0;
}

/* Memory is several times faster, but a container can have very little of it there, and thin_check
 * opens with O_DIRECT, which older kernels refuse on tmpfs. */
static bool memory_will_do(const char *path)
{
	int fd = open(path, O_TMPFILE | O_RDWR | O_DIRECT | O_CLOEXEC, 0600);
	struct statvfs st;

	if (fd < 0)
		return false;
	close(fd);
	return statvfs(path, &st) == 0 && st.f_bavail > (1ull << 30) / st.f_frsize;
}

char *thin_tools_folder(void)
{
	const char *base = getenv("TMPDIR");
	char *path;

	if (!base)
		base = memory_will_do("/dev/shm") ? "/dev/shm" : "/tmp";
	path = xasprintf("%s/thinpull-test-XXXXXX", base);
	if (!mkdtemp(path)) {
		perror(path);
		abort();
	}
	return path;
}

void thin_tools_remove(char **folder)
{
	DIR *dir = *folder ? opendir(*folder) : NULL;
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			unlinkat(dirfd(dir), entry->d_name, 0);
	if (dir)
		closedir(dir);
	if (*folder)
		rmdir(*folder);
	free(*folder);
	*folder = NULL;
}

void thin_tools_show(const struct thin_findings *findings)
{
	for (size_t i = 0; i < findings->n && i < 20; i++)
		fprintf(stderr, "%s: %s: %s\n", findings->items[i].kind, findings->items[i].where,
			findings->items[i].text);
	fprintf(stderr, "%llu findings\n", (unsigned long long)findings->total);
}
