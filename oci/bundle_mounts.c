/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the runtime mounts in a container: the table of `runc spec`, and the image's volumes when
 * they are asked for. Nothing is mounted here.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "oci/bundle_internal.h"
#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/ext4/read_path.h"

struct mount {
	const char *destination, *type, *source;
	const char *options; /* separated by commas; NULL: none */
};

static const struct mount mounts[] = {
	{"/proc", "proc", "proc", NULL},
	{"/dev", "tmpfs", "tmpfs", "nosuid,strictatime,mode=755,size=65536k"},
	{"/dev/pts", "devpts", "devpts", "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5"},
	{"/dev/shm", "tmpfs", "shm", "nosuid,noexec,nodev,mode=1777,size=65536k"},
	{"/dev/mqueue", "mqueue", "mqueue", "nosuid,noexec,nodev"},
	{"/sys", "sysfs", "sysfs", "nosuid,noexec,nodev,ro"},
	{"/sys/fs/cgroup", "cgroup", "cgroup", "nosuid,noexec,nodev,relatime,ro"},
};

/* A sysfs shows a network namespace, and may be mounted only by who owns that one. */
static const struct mount rootless_sys = {"/sys", "none", "/sys", "rbind,nosuid,noexec,nodev,ro"};

static const char volume_options[] = "rw,nosuid,nodev,noexec,relatime";

/* --- volumes ---------------------------------------------------------------------------------- */

static bool climbs(const char *path)
{
	for (; *path; path += strcspn(path, "/"), path += *path == '/')
		if (!strncmp(path, "..", 2) && (!path[2] || path[2] == '/'))
			return true;
	return false;
}

/* What is mounted over must be a folder; the runtime makes one that is missing. */
static int check_folder(struct ext4_reader *fs, const char *path, struct error *err)
{
	struct ext4_stat st;
	uint32_t inode;

	if (ext4_reader_resolve(fs, path, &inode, err) < 0) {
		if (err->kind != ERR_NOT_FOUND)
			return -1;
		error_clear(err);
		return 0;
	}
	if (ext4_reader_stat(fs, inode, &st, err) < 0)
		return -1;
	if (!S_ISDIR(st.meta.mode))
		return error_set(err, ERR_INVALID, "not a folder");
	return 0;
}

static int check_volume(struct ext4_reader *fs, const char *key, const char *path,
			struct error *err)
{
	static const char *const taken[] = {"/proc", "/sys", "/dev"};

	if (key[0] != '/')
		return error_set(err, ERR_INVALID, "not an absolute path");
	if (climbs(key))
		return error_set(err, ERR_INVALID, "a path with '..'");
	if (!strcmp(path, "/"))
		return error_set(err, ERR_INVALID, "the whole container");
	for (size_t i = 0; i < ARRAY_SIZE(taken); i++)
		if (bundle_is_below(path, taken[i]))
			return error_set(err, ERR_INVALID, "%s is the runtime's", taken[i]);
	return check_folder(fs, path, err);
}

/* Sorted, so that a folder comes before what is in it, and the same only once. */
static void sort(struct oci_strings *s)
{
	size_t n = s->n;

	oci_strings_sort(s);
	s->n = 0;
	for (size_t i = 0; i < n; i++)
		if (s->n && !strcmp(s->items[s->n - 1], s->items[i]))
			free(s->items[i]);
		else
			s->items[s->n++] = s->items[i];
}

int bundle_volumes(const struct oci_runconfig *image, struct ext4_reader *fs,
		   struct oci_strings *ret, struct error *err)
{
	ret->items = xcalloc(image->volumes.n + 1, sizeof(*ret->items));
	for (size_t i = 0; i < image->volumes.n; i++) {
		const char *key = image->volumes.items[i];

		ret->items[ret->n] = bundle_clean_path(key);
		if (check_volume(fs, key, ret->items[ret->n++], err) < 0)
			return error_wrap(err, "volume %.100s", key);
	}
	sort(ret);
	return 0;
}

/* --- the list --------------------------------------------------------------------------------- */

/* Owners other than root are not mapped in a user namespace of one id. */
static bool is_owner(const char *option)
{
	return !strncmp(option, "uid=", 4) || !strncmp(option, "gid=", 4);
}

static void put_mount(struct jout *o, const struct mount *m, bool rootless)
{
	cleanup_free char *copy = m->options ? xstrdup(m->options) : NULL;
	char *rest = copy, *option;

	jout_object(o, NULL);
	jout_string(o, "destination", m->destination);
	if (rest) {
		jout_array(o, "options");
		while ((option = strsep(&rest, ",")))
			if (!rootless || !is_owner(option))
				jout_string(o, NULL, option);
		jout_end_array(o);
	}
	jout_string(o, "source", m->source);
	jout_string(o, "type", m->type);
	jout_end_object(o);
}

void bundle_put_mounts(struct jout *o, const struct bundle_options *options,
		       const struct oci_strings *volumes)
{
	jout_array(o, "mounts");
	for (size_t i = 0; i < ARRAY_SIZE(mounts); i++) {
		const struct mount *m = &mounts[i];

		if (options->rootless && !strcmp(m->destination, rootless_sys.destination))
			m = &rootless_sys;
		put_mount(o, m, options->rootless);
	}
	for (size_t i = 0; i < volumes->n; i++)
		put_mount(o, &(struct mount){volumes->items[i], "tmpfs", "none", volume_options},
			  options->rootless);
	jout_end_array(o);
}
