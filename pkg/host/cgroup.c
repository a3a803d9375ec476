/* SPDX-License-Identifier: Apache-2.0 */
/* A group goes by rmdir(2), from the leaves up; the files in it are the kernel's. */
#include "pkg/host/cgroup.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <mntent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"

enum { REMOVE_PAUSES = 100, REMOVE_PAUSE_MS = 10, WALK_FDS = 16 };

/* --- hierarchies ------------------------------------------------------------------------------ */

typedef int hierarchy_fn(const char *mount_point, void *arg, struct error *err);

static int each_hierarchy(hierarchy_fn *fn, void *arg, struct error *err)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	struct mntent *m;
	int failed = 0;

	if (!mounts)
		return error_sys(err, "open /proc/self/mounts");
	while (!failed && (m = getmntent(mounts)))
		if (strcmp(m->mnt_type, "cgroup") == 0 || strcmp(m->mnt_type, "cgroup2") == 0)
			failed = fn(m->mnt_dir, arg, err);
	endmntent(mounts);
	return failed;
}

/* --- find ------------------------------------------------------------------------------------- */

struct search {
	const char *prefix;
	struct cgroup_names *names;
};

static void add_once(struct cgroup_names *names, const char *name)
{
	for (size_t i = 0; i < names->n; i++)
		if (strcmp(names->items[i], name) == 0)
			return;
	ALLOC_GROW(names->items, names->n + 1, names->room);
	names->items[names->n++] = xstrdup(name);
}

static int find_in(const char *mount_point, void *arg, struct error *err)
{
	struct search *search = arg;
	DIR *dir = opendir(mount_point);
	struct dirent *entry;

	(void)err;
	/* One that is covered or closed to us holds nothing of ours that we could remove. */
	if (!dir)
		return 0;
	while ((entry = readdir(dir)))
		if (entry->d_type == DT_DIR
		    && strncmp(entry->d_name, search->prefix, strlen(search->prefix)) == 0)
			add_once(search->names, entry->d_name);
	closedir(dir);
	return 0;
}

int cgroup_find(const char *prefix, struct cgroup_names *ret, struct error *err)
{
	struct search search = {prefix, ret};

	return each_hierarchy(find_in, &search, err);
}

void cgroup_names_release(struct cgroup_names *names)
{
	for (size_t i = 0; i < names->n; i++)
		free(names->items[i]);
	free(names->items);
	memset(names, 0, sizeof(*names));
}

/* --- remove ----------------------------------------------------------------------------------- */

struct removal {
	const char *name;
	unsigned pauses; /* left, for all hierarchies together */
};

static int remove_group(const char *path, const struct stat *st, int type, struct FTW *walk)
{
	(void)st;
	(void)walk;
	if (type != FTW_DP || rmdir(path) == 0 || errno == ENOENT)
		return 0;
	return errno;
}

/* Of a group that goes while it is looked at, the walk fails without a reason. */
static bool may_go_later(int sys)
{
	return sys == EBUSY || sys == -1;
}

static int remove_in(const char *mount_point, void *arg, struct error *err)
{
	static const struct timespec pause = {.tv_nsec = REMOVE_PAUSE_MS * 1000000L};
	struct removal *removal = arg;
	cleanup_free char *path = xasprintf("%s/%s", mount_point, removal->name);
	int sys;

	for (;;) {
		if (access(path, F_OK) < 0)
			return 0;
		sys = nftw(path, remove_group, WALK_FDS, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
		if (sys == 0)
			return 0;
		if (!may_go_later(sys) || !removal->pauses)
			break;
		removal->pauses--;
		nanosleep(&pause, NULL);
	}
	if (sys > 0)
		errno = sys;
	error_sys(err, "remove cgroup %s", path);
	if (sys == EBUSY)
		err->kind = ERR_BUSY;
	return -1;
}

int cgroup_remove(const char *name, struct error *err)
{
	struct removal removal = {name, REMOVE_PAUSES};

	assert(!strchr(name, '/') && name[0] != '.');
	return each_hierarchy(remove_in, &removal, err);
}
