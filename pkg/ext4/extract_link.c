/* SPDX-License-Identifier: Apache-2.0 */
/* Hard links of an extraction: where the first name of an inode is, until all its names are made. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/ext4/extract_internal.h"

enum { FIRST_ROOM = 64 };

/* The slot of an inode, or the empty one where it belongs. */
static struct extract_link *slot_of(const struct extract *x, uint32_t inode)
{
	size_t mask = x->links_room - 1, at = inode * 2654435761U & mask;

	while (x->links[at].inode && x->links[at].inode != inode)
		at = (at + 1) & mask;
	return &x->links[at];
}

/* At most half full. */
static void make_room(struct extract *x)
{
	struct extract_link *old = x->links;
	size_t n = x->links_room;

	if (x->n_links * 2 < n)
		return;
	x->links_room = n ? n * 2 : FIRST_ROOM;
	x->links = xcalloc(x->links_room, sizeof(*x->links));
	for (size_t i = 0; i < n; i++)
		if (old[i].inode)
			*slot_of(x, old[i].inode) = old[i];
	free(old);
}

static void forget(struct extract *x, struct extract_link *l)
{
	if (!l->name)
		return;
	x->names_bytes -= strlen(l->name) + sizeof(*l);
	free(steal(&l->name));
	extract_folder_drop(x, steal(&l->folder));
}

void extract_links_release(struct extract *x)
{
	for (size_t i = 0; i < x->links_room; i++)
		forget(x, &x->links[i]);
	free(x->links);
}

int extract_link_note(struct extract *x, const char *name, const struct ext4_stat *st,
		      struct error *err)
{
	make_room(x);
	*slot_of(x, st->inode) = (struct extract_link){
		.inode = st->inode,
		.left = st->links - 1,
		.folder = extract_folder_hold(extract_level(x)->folder),
		.name = xstrdup(name),
	};
	x->n_links++;
	return extract_count_name(x, strlen(name) + sizeof(struct extract_link), err);
}

int extract_link_make(struct extract *x, const char *name, const struct ext4_stat *st,
		      struct error *err)
{
	struct extract_link *l = x->links_room ? slot_of(x, st->inode) : NULL;
	cleanup_fd int fd = -1;

	if (!l || !l->name)
		return error_set(err, ERR_INCONSISTENT,
				 "inode %" PRIu32 " has more names than it counts", st->inode);
	if (l->folder != extract_level(x)->folder
	    && extract_folder_open(x, l->folder, O_PATH, &fd, err) < 0)
		return -1;
	/* a link to a symlink is a second name of the symlink */
	if (linkat(fd < 0 ? x->fd : fd, l->name, x->fd, name, 0) < 0)
		return extract_refused(err, "make a hard link");
	if (--l->left == 0)
		forget(x, l);
	return 0;
}
