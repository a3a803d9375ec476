/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a file, changes it, and puts it in the place of the old one, one at a time. */
#include "registry/auth_store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/fdio.h"
#include "pkg/base/log.h"
#include "pkg/base/secret.h"
#include "registry/auth_helper.h"
#include "registry/auth_places.h"

/* --- one file at a time ------------------------------------------------------------------------ */

/* The file that is changed: where it really is, with its folder locked. */
struct change {
	char *path;
	int folder;
	struct auth_file *file; /* NULL: there is nothing in it yet */
};

static void change_release(struct change *c)
{
	free(c->path);
	if (c->file)
		auth_file_free(c->file);
	cleanup_fd_ptr(&c->folder);
}

static char *folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return xstrdup(".");
	return slash == path ? xstrdup("/") : xstrndup(path, (size_t)(slash - path));
}

/* A lock on the folder leaves nothing behind in it. */
static int lock_folder(const char *path, int *ret, struct error *err)
{
	cleanup_free char *folder = folder_of(path);
	cleanup_fd int fd = -1;

	if (fdio_mkdirs(folder, err) < 0)
		return -1;
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return error_sys(err, "open folder %s", folder);
	while (flock(fd, LOCK_EX) < 0)
		if (errno != EINTR)
			return error_sys(err, "lock folder %s", folder);
	*ret = steal_fd(&fd);
	return 0;
}

/* What the link at @path leads to, one step; NULL: it is none. */
static char *step(const char *path)
{
	cleanup_free char *folder = folder_of(path);
	char target[PATH_MAX];
	ssize_t n = readlink(path, target, sizeof(target));

	if (n <= 0 || (size_t)n == sizeof(target))
		return NULL;
	if (target[0] == '/')
		return xstrndup(target, (size_t)n);
	return xasprintf("%s/%.*s", folder, (int)n, target);
}

/* Behind a link is the file itself, also one that is yet to be made. */
static char *real_path(const char *path)
{
	enum { LINKS_MAX = 40 }; /* as the kernel has it: no more can be opened */
	char *at = realpath(path, NULL);

	if (at)
		return at;
	at = xstrdup(path);
	for (int i = 0; i < LINKS_MAX; i++) {
		char *next = step(at);

		if (!next)
			break;
		free(at);
		at = next;
	}
	return at;
}

static int change_begin(const struct auth_place *place, struct change *ret, struct error *err)
{
	struct auth_place there = *place;
	cleanup(change_release) struct change c = {.path = real_path(place->path), .folder = -1};

	there.is_named = false; /* it may be new */
	if (lock_folder(c.path, &c.folder, err) < 0 || auth_place_read(&there, &c.file, err) < 0)
		return -1;
	*ret = c;
	c = (struct change){.folder = -1};
	return 0;
}

/* What is written is read first: nobody can be locked out of their own file. */
static int check_readable(const struct change *c, enum auth_file_format format,
			  const struct buffer *text, struct error *err)
{
	struct auth_file *again;

	if (auth_file_parse(text->data, text->len, format, &again, err) < 0)
		return error_wrap(err, "%s", c->path);
	auth_file_free(again);
	return 0;
}

/* Root who changes the file of somebody leaves it theirs. */
static int replace(const struct change *c, const struct buffer *text, struct error *err)
{
	struct stat before;
	bool was_there = stat(c->path, &before) == 0;

	if (fdio_replace_file(c->path, text->data, text->len, err) < 0)
		return -1;
	if (was_there && geteuid() == 0 && chown(c->path, before.st_uid, before.st_gid) < 0)
		return error_sys(err, "give %s back to its owner", c->path);
	return 0;
}

/* 0, 1 = nothing was to be changed, -1. */
static int change_write(const struct change *change, enum auth_file_format format, const char *host,
			const struct credential *c, struct error *err)
{
	cleanup_secret_buffer struct buffer text = {0};

	if (!auth_file_write(change->file, host, c, &text))
		return 1;
	if (check_readable(change, format, &text, err) < 0)
		return -1;
	return replace(change, &text, err);
}

/* --- keeping ----------------------------------------------------------------------------------- */

static bool is_there(const struct auth_place *place)
{
	struct auth_file *f;
	struct error ignored = {0};
	int rc;

	if (!place->path || place->format == AUTH_FILE_LEGACY)
		return false;
	rc = auth_place_read(place, &f, &ignored);
	if (rc == 0)
		auth_file_free(f);
	return rc <= 0; /* one that is malformed is there */
}

static int choose_place(const struct auth_places *places, const struct auth_place **ret,
			struct error *err)
{
	const struct auth_place *new = NULL;

	for (size_t i = 0; i < places->n; i++) {
		const struct auth_place *p = &places->items[i];

		if (p->is_named || is_there(p)) {
			*ret = p;
			return 0;
		}
		if (p->takes_new)
			new = p;
	}
	if (!new)
		return error_set(err, ERR_USAGE,
				 "there is no place for credentials: HOME is not set");
	*ret = new;
	return 0;
}

/* 0, 1 = there is no helper for the host, -1. What is left in the file is what docker leaves. */
static int put_into_helper(const struct change *change, const char *host,
			   const struct credential *c, char **ret_where, struct error *err)
{
	struct credential nothing = {0};
	struct auth_file_helper h;
	int rc = change->file ? auth_file_helper(change->file, host, &h, err) : 1;

	if (rc != 0)
		return rc;
	if (auth_helper_store(h.name, h.servers[0], c, err) < 0
	    || change_write(change, AUTH_FILE_CURRENT, host, &nothing, err) < 0)
		return -1;
	*ret_where = xasprintf("docker-credential-%s", h.name);
	return 0;
}

static int put_into(const struct auth_place *place, const char *host, const struct credential *c,
		    char **ret_where, struct error *err)
{
	cleanup(change_release) struct change change = {.folder = -1};
	int rc;

	if (change_begin(place, &change, err) < 0)
		return -1;
	rc = put_into_helper(&change, host, c, ret_where, err);
	if (rc <= 0)
		return rc;
	if (change_write(&change, AUTH_FILE_CURRENT, host, c, err) < 0)
		return -1;
	*ret_where = xstrdup(place->path);
	return 0;
}

static int blame_file(struct error *err, const char *verb, const char *host)
{
	if (err->kind != ERR_INTERRUPTED)
		error_set_detail(err, ERR_DETAIL_AUTH_FILE);
	return error_wrap(err, "%s credentials for %s", verb, host);
}

/* What the environment holds cannot be changed here, and comes first. */
static void warn_of_environment(const struct auth_places *places, const char *host)
{
	cleanup(credential_release) struct credential c = {0};
	cleanup(auth_file_free_ptr) struct auth_file *f = NULL;
	struct error ignored = {0};

	if (places->n > 0 && !places->items[0].path
	    && auth_place_read(&places->items[0], &f, &ignored) == 0
	    && auth_file_find(f, host, NULL, &c, &ignored) == 0)
		log_warning("the credentials for %s in %s come first, and stay", host,
			    auth_place_name(&places->items[0]));
}

int auth_store_put(const char *host, const struct credential *c, const char *authfile,
		   char **ret_where, struct error *err)
{
	cleanup(auth_places_release) struct auth_places places = {0};
	cleanup_held bool held = secret_held();
	const struct auth_place *place = NULL;

	auth_places_list(authfile, &places);
	if (choose_place(&places, &place, err) < 0)
		return error_wrap(err, "keep credentials for %s", host);
	if (put_into(place, host, c, ret_where, err) < 0)
		return blame_file(err, "keep", host);
	warn_of_environment(&places, host);
	return 0;
}

/* --- forgetting -------------------------------------------------------------------------------- */

void auth_store_list_release(struct auth_store_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->items[i]);
	free(l->items);
	*l = (struct auth_store_list){0};
}

/* Takes the name. A helper may be named by several files. */
static void add(struct auth_store_list *l, char *name)
{
	for (size_t i = 0; i < l->n; i++)
		if (!strcmp(l->items[i], name)) {
			free(name);
			return;
		}
	ALLOC_GROW(l->items, l->n + 1, l->room);
	l->items[l->n++] = name;
}

static int remove_from_helper(const struct auth_file *f, const char *host,
			      struct auth_store_list *ret, struct error *err)
{
	struct auth_file_helper h;
	int rc = auth_file_helper(f, host, &h, err);

	if (rc != 0)
		return rc < 0 ? -1 : 0;
	for (size_t i = 0; i < h.n_servers; i++) {
		cleanup(credential_release) struct credential had = {0};

		/* Asked first: of what they do not have, some say that it cannot be erased. */
		rc = auth_helper_get(h.name, h.servers[i], &had, err);
		if (rc == 0)
			rc = auth_helper_erase(h.name, h.servers[i], err);
		if (rc < 0)
			return -1;
		if (rc == 0)
			add(ret, xasprintf("docker-credential-%s", h.name));
	}
	return 0;
}

static int remove_from(const struct auth_place *place, const char *host,
		       struct auth_store_list *ret, struct error *err)
{
	cleanup(change_release) struct change change = {.folder = -1};
	struct auth_file *f;
	int rc = auth_place_read(place, &f, err);

	if (rc != 0) /* no folder is made for what is not there */
		return rc < 0 ? -1 : 0;
	auth_file_free(f);
	if (change_begin(place, &change, err) < 0)
		return -1;
	if (!change.file)
		return 0;
	if (remove_from_helper(change.file, host, ret, err) < 0)
		return error_wrap(err, "%s", place->path);
	rc = change_write(&change, place->format, host, NULL, err);
	if (rc == 0)
		add(ret, xstrdup(place->path));
	return rc < 0 ? -1 : 0;
}

int auth_store_remove(const char *host, const char *authfile, struct auth_store_list *ret,
		      struct error *err)
{
	cleanup(auth_places_release) struct auth_places places = {0};
	cleanup_held bool held = secret_held();

	auth_places_list(authfile, &places);
	for (size_t i = 0; i < places.n; i++)
		if (places.items[i].path && remove_from(&places.items[i], host, ret, err) < 0)
			return blame_file(err, "forget", host);
	warn_of_environment(&places, host);
	return 0;
}
