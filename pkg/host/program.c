/* SPDX-License-Identifier: Apache-2.0 */
/* Looks through PATH; runs nothing. */
#include "pkg/host/program.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"

#define SYSTEM_PATH "/usr/local/sbin:/usr/sbin:/sbin"

static bool is_program(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

/* Its absolute path in the first of these folders that has it, or NULL. An empty one is passed
 * over: the current folder is nothing to run programs from. */
static char *find_in(const char *folders, const char *name)
{
	while (*folders) {
		size_t len = strcspn(folders, ":");
		char *path = xasprintf("%.*s/%s", (int)len, folders, name);

		if (folders[0] == '/' && is_program(path))
			return path;
		free(path);
		folders += len + (folders[len] == ':');
	}
	return NULL;
}

static int find_path(const char *name, char **ret, struct error *err)
{
	cleanup_free char *folder = name[0] == '/' ? xstrdup("") : getcwd(NULL, 0);
	cleanup_free char *path = NULL;

	if (!folder)
		return error_sys(err, "find the current folder");
	path = xasprintf("%s%s%s", folder, name[0] == '/' ? "" : "/", name);
	if (!is_program(path))
		return error_set(err, ERR_NOT_FOUND, "%.200s is not a program", name);
	*ret = steal(&path);
	return 0;
}

int program_find(const char *name, char **ret, struct error *err)
{
	const char *folders = getenv("PATH");
	char *path;

	if (strchr(name, '/'))
		return find_path(name, ret, err);
	path = find_in(folders ? folders : "", name);
	if (!path)
		path = find_in(SYSTEM_PATH, name);
	if (!path)
		return error_set(err, ERR_NOT_FOUND, "there is no program '%.100s' in PATH", name);
	*ret = path;
	return 0;
}
