/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Extraction: the tree of a container becomes a folder that an ordinary user can work with.
 *
 *   tree to the folder ─▶ syncfs ─▶ record: "in its folder"
 *
 * The volume in the pool stays as it is; what is written to the folder does not come back to it.
 * One that was checked out before stays in its file, and the folder is a copy that nobody knows of.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "oci/container_internal.h"
#include "pkg/base/alloc.h"
#include "pkg/base/log.h"
#include "pkg/ext4/extract.h"

/* --- what is said ----------------------------------------------------------------------------- */

/* One line, since nearly every image has files that are not root's. */
static void warn_of_losses(const struct container *c, const struct ext4_extract_lost *lost)
{
	static const char *const texts[EXT4_LOST_KINDS] = {
		[EXT4_LOST_OWNER] = "owners",
		[EXT4_LOST_DEVICE] = "devices",
		[EXT4_LOST_CAPABILITY] = "file capabilities",
		[EXT4_LOST_ACL] = "ACLs",
		[EXT4_LOST_XATTR] = "extended attributes",
		[EXT4_LOST_SETGID] = "setgid bits",
	};
	cleanup_buffer struct buffer list = {0};

	for (size_t i = 0; i < EXT4_LOST_KINDS; i++)
		if (lost->of[i].n > 0)
			buffer_printf(&list, "%s %s %llu (%s)", list.len ? "," : "", texts[i],
				      (unsigned long long)lost->of[i].n, lost->of[i].first);
	if (list.len)
		log_warning("container %s, not kept without root:%s", c->entry.name,
			    (const char *)list.data);
}

/* @before: its folder until now, or NULL. */
static void warn_of_copies(const struct container *c, const char *before, const char *dir)
{
	if (c->entry.place == RECORD_IN_FILE)
		log_warning("container %s stays in %s: %s is a copy of it", c->entry.name, c->file,
			    dir);
	if (before && strcmp(before, dir) != 0)
		log_warning("container %s was extracted into %s before: what was written there is "
			    "not in %s, which is its folder from now on",
			    c->entry.name, before, dir);
}

/* --- the tree --------------------------------------------------------------------------------- */

static int check_empty(int fd, const char *path, struct error *err)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	const struct dirent *e;

	if (!dir) {
		error_sys(err, "read folder %s", path);
		if (copy >= 0)
			close(copy);
		return -1;
	}
	do
		e = readdir(dir);
	while (e && (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0));
	closedir(dir);
	return e ? error_set(err, ERR_USAGE, "%s is not empty", path) : 0;
}

/* What a kernel has mounted is not whole on the disk; the reader would say so less clearly. */
static int check_not_mounted(const struct container *c, struct error *err)
{
	cleanup(container_state_release) struct container_state st = {0};

	if (container_state(c->store, &c->entry, &st, err) < 0)
		return -1;
	if (st.mount_point)
		return error_set(err, ERR_BUSY, "mounted on %s", st.mount_point);
	return 0;
}

static int extract_tree(struct container *c, int fd, struct ext4_extract_lost *ret,
			struct error *err)
{
	cleanup(snapshots_close_ptr) struct snapshots *session = NULL;
	cleanup(thin_volume_close_ptr) struct thin_volume *volume = NULL;
	cleanup(ext4_reader_close_ptr) struct ext4_reader *fs = NULL;

	if (check_not_mounted(c, err) < 0 || container_open_volume(c, &session, &volume, err) < 0
	    || ext4_reader_open(volume, &fs, err) < 0)
		return -1;
	return ext4_extract(fs, fd, ret, err);
}

int container_extract(struct container *c, const char *dir, struct error *err)
{
	cleanup_free char *before = c->entry.folder ? xstrdup(c->entry.folder) : NULL;
	struct ext4_extract_lost lost;
	cleanup_fd int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return error_sys(err, "open folder %s", dir);
	if (check_empty(fd, dir, err) < 0)
		return -1;
	if (extract_tree(c, fd, &lost, err) < 0)
		return error_wrap(err, "extract into %s", dir);
	/* what the record names is there after a power cut, too */
	if (!c->entry.temporary && syncfs(fd) < 0)
		return error_sys(err, "sync %s", dir);
	if (c->entry.place != RECORD_IN_FILE
	    && container_set_place(c, RECORD_IN_FOLDER, dir, err) < 0)
		return -1;
	warn_of_copies(c, before, dir);
	warn_of_losses(c, &lost);
	return 0;
}
