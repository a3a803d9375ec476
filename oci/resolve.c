/* SPDX-License-Identifier: Apache-2.0 */
/* In-root path walk over the nodes of the ext4 writer. */
#include "oci/resolve.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"

const struct ext4_meta resolve_implicit_meta = {.mode = S_IFDIR | 0755};

/* What is left to walk: a stack of texts, the link targets on top of the path itself. */
struct walk {
	struct ext4_writer *fs;
	enum resolve_mode mode;
	struct ext4_node *at;
	char **texts; /* owned copies of link targets */
	size_t n_texts, room;
	unsigned links;
};

static void walk_release(struct walk *w)
{
	for (size_t i = 0; i < w->n_texts; i++)
		free(w->texts[i]);
	free(w->texts);
}

/* The next component of a text, or 0 at its end; *text moves on. */
static struct tarpath_part next_part(const char **text)
{
	struct tarpath_part part;

	while (**text == '/')
		(*text)++;
	part.name = *text;
	part.len = strcspn(*text, "/");
	*text += part.len;
	return part;
}

static int step(struct walk *w, struct tarpath_part part, struct error *err);

/* Walk a link's target. Depth of this recursion is bounded by RESOLVE_LINKS_MAX. */
static int follow_link(struct walk *w, struct ext4_node *link, struct error *err)
{
	const char *text;
	char *target;

	if (++w->links > RESOLVE_LINKS_MAX)
		return error_set(err, ERR_INVALID, "more than %d symlinks on the way",
				 RESOLVE_LINKS_MAX);
	if (ext4_writer_readlink(w->fs, link, &target, err) < 0)
		return -1;
	ALLOC_GROW(w->texts, w->n_texts + 1, w->room);
	w->texts[w->n_texts++] = target;
	w->at = target[0] == '/' ? ext4_writer_root(w->fs) : ext4_node_parent(link);
	text = target;
	for (;;) {
		struct tarpath_part part = next_part(&text);

		if (part.len == 0 || !w->at)
			return 0;
		if (step(w, part, err) < 0)
			return -1;
	}
}

static int make_folder(struct walk *w, struct tarpath_part part, struct error *err)
{
	if (w->mode == RESOLVE_EXISTING) {
		w->at = NULL;
		return 0;
	}
	return ext4_writer_make(w->fs, w->at, part.name, part.len, &resolve_implicit_meta, &w->at,
				err);
}

/* One component from w->at; w->at is a folder, or NULL when the way ended, before and after. */
static int step(struct walk *w, struct tarpath_part part, struct error *err)
{
	struct ext4_node *child;
	uint32_t mode;

	if (part.len == 1 && part.name[0] == '.')
		return 0;
	if (part.len == 2 && part.name[0] == '.' && part.name[1] == '.') {
		struct ext4_node *parent = ext4_node_parent(w->at);

		w->at = parent ? parent : w->at;
		return 0;
	}
	if (ext4_writer_lookup(w->fs, w->at, part.name, part.len, &child, err) < 0)
		return -1;
	if (!child)
		return make_folder(w, part, err);
	if (ext4_writer_mode(w->fs, child, &mode, err) < 0)
		return -1;
	if (S_ISLNK(mode))
		return follow_link(w, child, err);
	if (S_ISDIR(mode)) {
		w->at = child;
		return 0;
	}
	if (w->mode == RESOLVE_CREATE)
		return error_set(err, ERR_INVALID, "its parent \"%.*s\" is not a folder",
				 (int)part.len, part.name);
	w->at = NULL;
	return 0;
}

int resolve_folder(struct ext4_writer *fs, const struct tarpath_part *parts, size_t n,
		   enum resolve_mode mode, struct ext4_node **ret, struct error *err)
{
	cleanup(walk_release) struct walk w = {.fs = fs, .mode = mode, .at = ext4_writer_root(fs)};

	for (size_t i = 0; i < n && w.at; i++)
		if (step(&w, parts[i], err) < 0)
			return -1;
	*ret = w.at;
	return 0;
}
