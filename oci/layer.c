/* SPDX-License-Identifier: Apache-2.0 */
/* One changeset onto one file system: what each entry and each whiteout does to the tree. */
#include "oci/layer.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "oci/resolve.h"
#include "oci/tarpath.h"
#include "oci/whiteout.h"
#include "oci/xattr.h"
#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/base/interrupt.h"
#include "pkg/base/log.h"

/*
 * What this layer did to a name. All ancestors of a marked name are marked, so an unmarked name is
 * lower content with all below it.
 */
enum mark {
	MARK_LOWER = 0,
	MARK_PARENT = 1, /* a folder on the way to an entry, without an entry of its own */
	MARK_ENTRY = 2,
};

enum { RDEV_MAJOR_MAX = 0xfff, RDEV_MINOR_MAX = 0xfffff };

struct layer {
	struct tar_reader *tar;
	struct ext4_writer *fs;
	struct tarpath path;
	struct tarpath link;
	struct xattr_list xattrs;
	struct layer_totals totals;
	uint64_t n_odd_times; /* that ext4 cannot hold */
	char *first_odd_time; /* the entry that has it */
};

static void layer_release(struct layer *l)
{
	tarpath_release(&l->path);
	tarpath_release(&l->link);
	xattr_list_release(&l->xattrs);
	free(l->first_odd_time);
}

/* --- marks ------------------------------------------------------------------------------------ */

static void mark_ancestors(struct layer *l, struct ext4_node *node)
{
	for (; node && ext4_node_mark(l->fs, node) == MARK_LOWER; node = ext4_node_parent(node))
		ext4_node_set_mark(l->fs, node, MARK_PARENT);
}

static void mark_entry(struct layer *l, struct ext4_node *node)
{
	ext4_node_set_mark(l->fs, node, MARK_ENTRY);
	mark_ancestors(l, ext4_node_parent(node));
}

/* --- whiteouts -------------------------------------------------------------------------------- */

static int is_folder(struct layer *l, struct ext4_node *node, bool *ret, struct error *err)
{
	uint32_t mode;

	if (ext4_writer_mode(l->fs, node, &mode, err) < 0)
		return -1;
	*ret = S_ISDIR(mode);
	return 0;
}

/*
 * A folder that stays only because this layer has something below it: the lower one is gone, so
 * it counts as new, with the attributes of a folder without an entry.
 */
static int reset_implicit(struct layer *l, struct ext4_node *folder, struct error *err)
{
	if (ext4_writer_set_meta(l->fs, folder, &resolve_implicit_meta, err) < 0)
		return -1;
	return ext4_writer_set_xattrs(l->fs, folder, NULL, 0, err);
}

/* The folders of this layer inside one whose lower content goes: a worklist, no recursion. */
struct worklist {
	struct ext4_node **items;
	size_t n, room;
};

static void worklist_release(struct worklist *w)
{
	free(w->items);
}

static int sweep_child(struct layer *l, struct worklist *work, struct ext4_node *child,
		       struct error *err)
{
	unsigned mark = ext4_node_mark(l->fs, child);
	bool folder;

	if (mark == MARK_LOWER)
		return ext4_writer_remove(l->fs, child, err);
	if (is_folder(l, child, &folder, err) < 0)
		return -1;
	if (!folder)
		return 0;
	if (mark == MARK_PARENT && reset_implicit(l, child, err) < 0)
		return -1;
	ALLOC_GROW(work->items, work->n + 1, work->room);
	work->items[work->n++] = child;
	return 0;
}

/* Remove everything below a folder that this layer did not bring. */
static int sweep_lower(struct layer *l, struct ext4_node *folder, struct error *err)
{
	cleanup(worklist_release) struct worklist work = {0};

	ALLOC_GROW(work.items, 1, work.room);
	work.items[work.n++] = folder;
	while (work.n > 0) {
		cleanup_free struct ext4_node **children = NULL;
		size_t n;

		if (ext4_writer_list(l->fs, work.items[--work.n], &children, &n, err) < 0)
			return -1;
		for (size_t i = 0; i < n; i++)
			if (sweep_child(l, &work, children[i], err) < 0)
				return -1;
	}
	return 0;
}

static int apply_opaque(struct layer *l, struct error *err)
{
	struct ext4_node *folder;

	if (resolve_folder(l->fs, l->path.parts, l->path.n - 1, RESOLVE_EXISTING, &folder, err) < 0)
		return -1;
	return folder ? sweep_lower(l, folder, err) : 0;
}

static int apply_whiteout(struct layer *l, const struct tarpath_part *name, struct error *err)
{
	struct ext4_node *folder, *node;
	bool is_dir;
	unsigned mark;

	if (resolve_folder(l->fs, l->path.parts, l->path.n - 1, RESOLVE_EXISTING, &folder, err) < 0)
		return -1;
	if (!folder)
		return 0;
	if (ext4_writer_lookup(l->fs, folder, name->name, name->len, &node, err) < 0)
		return -1;
	if (!node)
		return 0;
	mark = ext4_node_mark(l->fs, node);
	if (mark == MARK_LOWER)
		return ext4_writer_remove(l->fs, node, err);
	if (is_folder(l, node, &is_dir, err) < 0)
		return -1;
	if (!is_dir)
		return 0;
	if (mark == MARK_PARENT && reset_implicit(l, node, err) < 0)
		return -1;
	return sweep_lower(l, node, err);
}

/* --- attributes ------------------------------------------------------------------------------- */

static uint32_t type_bits(enum tar_type type)
{
	switch (type) {
	case TAR_DIRECTORY:
		return S_IFDIR;
	case TAR_SYMLINK:
		return S_IFLNK;
	case TAR_CHAR:
		return S_IFCHR;
	case TAR_BLOCK:
		return S_IFBLK;
	case TAR_FIFO:
		return S_IFIFO;
	case TAR_REGULAR:
	case TAR_HARDLINK:
		break;
	}
	return S_IFREG;
}

/* Images with such times have many of them: one warning for all. */
static void note_time(struct layer *l, const struct tar_entry *e)
{
	struct ext4_time mtime = {.sec = e->mtime.sec, .nsec = e->mtime.nsec};

	if (e->type == TAR_HARDLINK || ext4_time_fits(&mtime))
		return;
	if (l->n_odd_times++ == 0)
		l->first_odd_time = xstrdup(e->path);
}

static void warn_of_times(const struct layer *l)
{
	if (l->n_odd_times)
		log_warning(
			"%llu entries have a time that ext4 cannot hold (1901 to 2446), and get "
			"the nearest that it can: %s",
			(unsigned long long)l->n_odd_times, l->first_odd_time);
}

/* ctime is not in the archive; it is the mtime, so that no clock is needed. */
static struct ext4_meta meta_of(const struct tar_entry *e)
{
	struct ext4_time mtime = {.sec = e->mtime.sec, .nsec = e->mtime.nsec};
	struct ext4_time atime = {.sec = e->atime.sec, .nsec = e->atime.nsec};

	return (struct ext4_meta){
		.mode = type_bits(e->type) | (e->type == TAR_SYMLINK ? 0777 : e->mode & 07777),
		.uid = e->uid,
		.gid = e->gid,
		.mtime = mtime,
		.atime = atime,
		.ctime = mtime,
		.rdev_major = e->rdev_major,
		.rdev_minor = e->rdev_minor,
	};
}

static int set_xattrs(struct layer *l, const struct tar_entry *e, struct ext4_node *node,
		      struct error *err)
{
	if (xattr_select(e, &l->xattrs, err) < 0)
		return -1;
	return ext4_writer_set_xattrs(l->fs, node, l->xattrs.items, l->xattrs.n, err);
}

/* --- entries ---------------------------------------------------------------------------------- */

static int copy_content(struct layer *l, const struct tar_entry *e, struct ext4_node *file,
			struct error *err)
{
	uint64_t size_bytes = e->size_bytes;
	const uint8_t *data;
	uint64_t offset;
	size_t len;
	int status;

	while ((status = tar_reader_data(l->tar, &data, &len, &offset, err)) == 0)
		if (ext4_writer_data(l->fs, file, data, len, offset, err) < 0)
			return -1;
	if (status < 0)
		return -1;
	l->totals.content_bytes += size_bytes;
	return ext4_writer_data_end(l->fs, file, size_bytes, err);
}

static int make_node(struct layer *l, const struct tar_entry *e, struct ext4_node *folder,
		     const struct tarpath_part *name, struct ext4_node **ret, struct error *err)
{
	struct ext4_meta meta = meta_of(e);

	if (e->type == TAR_SYMLINK)
		return ext4_writer_symlink(l->fs, folder, name->name, name->len, e->link,
					   e->link_len, &meta, ret, err);
	if ((e->type == TAR_CHAR || e->type == TAR_BLOCK)
	    && (e->rdev_major > RDEV_MAJOR_MAX || e->rdev_minor > RDEV_MINOR_MAX))
		return error_set(err, ERR_INVALID, "device number %u:%u is out of range",
				 e->rdev_major, e->rdev_minor);
	return ext4_writer_make(l->fs, folder, name->name, name->len, &meta, ret, err);
}

/* A folder over a folder: its children stay, its attributes are replaced. */
static int merge_folder(struct layer *l, const struct tar_entry *e, struct ext4_node *node,
			struct error *err)
{
	struct ext4_meta meta = meta_of(e);

	if (ext4_writer_set_meta(l->fs, node, &meta, err) < 0 || set_xattrs(l, e, node, err) < 0)
		return -1;
	mark_entry(l, node);
	return 0;
}

static int apply_root(struct layer *l, const struct tar_entry *e, struct error *err)
{
	if (e->type != TAR_DIRECTORY)
		return error_set(err, ERR_INVALID,
				 "the root can only be a folder, the entry is something else");
	return merge_folder(l, e, ext4_writer_root(l->fs), err);
}

static int apply_node(struct layer *l, const struct tar_entry *e, struct ext4_node *folder,
		      const struct tarpath_part *name, struct ext4_node *existing,
		      struct error *err)
{
	struct ext4_node *node;
	bool is_dir = false;

	if (existing && is_folder(l, existing, &is_dir, err) < 0)
		return -1;
	if (is_dir && e->type == TAR_DIRECTORY)
		return merge_folder(l, e, existing, err);
	if (existing && ext4_writer_remove(l->fs, existing, err) < 0)
		return -1;
	if (make_node(l, e, folder, name, &node, err) < 0 || set_xattrs(l, e, node, err) < 0)
		return -1;
	mark_entry(l, node);
	return e->type == TAR_REGULAR ? copy_content(l, e, node, err) : 0;
}

/* --- hard links ------------------------------------------------------------------------------- */

static bool is_inside(const struct ext4_node *node, const struct ext4_node *folder)
{
	for (; node; node = ext4_node_parent(node))
		if (node == folder)
			return true;
	return false;
}

/* The target, its last component not followed (rules A23 to A26). */
static int find_target(struct layer *l, const struct tar_entry *e, struct ext4_node **ret,
		       struct error *err)
{
	struct ext4_node *folder = NULL, *target = NULL;
	struct tarpath *p = &l->link;
	bool is_dir;

	if (tarpath_split(p, e->link, e->link_len, err) < 0)
		return error_wrap(err, "hard link to %s", e->link);
	if (p->n > 0
	    && resolve_folder(l->fs, p->parts, p->n - 1, RESOLVE_EXISTING, &folder, err) < 0)
		return -1;
	if (folder
	    && ext4_writer_lookup(l->fs, folder, p->parts[p->n - 1].name, p->parts[p->n - 1].len,
				  &target, err)
		       < 0)
		return -1;
	if (!target)
		return error_set(err, ERR_INVALID, "hard link to %s, which is not there", e->link);
	if (is_folder(l, target, &is_dir, err) < 0)
		return -1;
	if (is_dir)
		return error_set(err, ERR_INVALID, "hard link to %s, which is a folder", e->link);
	*ret = target;
	return 0;
}

static int apply_hardlink(struct layer *l, const struct tar_entry *e, struct ext4_node *folder,
			  const struct tarpath_part *name, struct ext4_node *existing,
			  struct error *err)
{
	struct ext4_node *target = NULL, *node;

	if (find_target(l, e, &target, err) < 0)
		return -1;
	if (target == existing)
		return error_set(err, ERR_INVALID, "hard link to %s, which is itself", e->link);
	if (existing && is_inside(target, existing))
		return error_set(err, ERR_INVALID, "hard link to %s, which it would replace",
				 e->link);
	if (existing && ext4_writer_remove(l->fs, existing, err) < 0)
		return -1;
	if (ext4_writer_link(l->fs, folder, name->name, name->len, target, &node, err) < 0)
		return -1;
	mark_entry(l, node);
	return 0;
}

/* --- all -------------------------------------------------------------------------------------- */

static int apply_ordinary(struct layer *l, const struct tar_entry *e, struct error *err)
{
	const struct tarpath_part *name;
	struct ext4_node *folder, *existing;

	note_time(l, e);
	if (l->path.n == 0)
		return apply_root(l, e, err);
	name = &l->path.parts[l->path.n - 1];
	if (resolve_folder(l->fs, l->path.parts, l->path.n - 1, RESOLVE_CREATE, &folder, err) < 0
	    || ext4_writer_lookup(l->fs, folder, name->name, name->len, &existing, err) < 0)
		return -1;
	if (e->type == TAR_HARDLINK)
		return apply_hardlink(l, e, folder, name, existing, err);
	return apply_node(l, e, folder, name, existing, err);
}

static int apply_entry(struct layer *l, const struct tar_entry *e, struct error *err)
{
	struct tarpath_part name;
	enum whiteout whiteout;

	if (tarpath_split(&l->path, e->path, e->path_len, err) < 0
	    || whiteout_classify(&l->path, &whiteout, &name, err) < 0)
		return -1;
	switch (whiteout) {
	case WHITEOUT_SKIP:
		return 0;
	case WHITEOUT_OPAQUE:
		return apply_opaque(l, err);
	case WHITEOUT_NAME:
		return apply_whiteout(l, &name, err);
	case WHITEOUT_NONE:
		break;
	}
	return apply_ordinary(l, e, err);
}

int layer_apply(struct tar_reader *tar, struct ext4_writer *fs, struct layer_totals *ret,
		struct error *err)
{
	cleanup(layer_release) struct layer l = {.tar = tar, .fs = fs};
	const struct tar_entry *e;
	int status;

	while ((status = tar_reader_next(tar, &e, err)) == 0) {
		if (interrupt_check(err) < 0)
			return -1;
		l.totals.entries++;
		if (apply_entry(&l, e, err) < 0)
			return error_wrap(err, "entry %s", e->path);
	}
	if (status < 0)
		return -1;
	warn_of_times(&l);
	*ret = l.totals;
	return 0;
}
