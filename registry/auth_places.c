/* SPDX-License-Identifier: Apache-2.0 */
/* Makes paths of the environment, and reads what is there. */
#include "registry/auth_places.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/fdio.h"
#include "pkg/base/log.h"
#include "pkg/base/secret.h"

enum { FILE_MAX_BYTES = 1 << 20 };

#define TEXT_VARIABLE "DOCKER_AUTH_CONFIG"

/* --- the list --------------------------------------------------------------------------------- */

static struct auth_place *add(struct auth_places *p)
{
	assert(p->n < ARRAY_SIZE(p->items));
	p->items[p->n] = (struct auth_place){.format = AUTH_FILE_CURRENT};
	return &p->items[p->n++];
}

/* What a variable says, unless it says nothing. */
static const char *variable(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

static const char *folder_of(const char *name)
{
	const char *value = variable(name);

	return value && *value == '/' ? value : NULL;
}

static struct auth_place *add_path(struct auth_places *p, char *path)
{
	struct auth_place *place = add(p);

	place->path = path;
	return place;
}

/* FOLDER/NAME; without a folder FALLBACK/NAME below the home; NULL: without a home nothing. */
static struct auth_place *add_below(struct auth_places *p, const char *folder, const char *fallback,
				    const char *name)
{
	const char *home = folder_of("HOME");

	if (folder)
		return add_path(p, xasprintf("%s/%s", folder, name));
	return home ? add_path(p, xasprintf("%s/%s%s", home, fallback, name)) : NULL;
}

static void add_runtime(struct auth_places *p)
{
	const char *folder = folder_of("XDG_RUNTIME_DIR");

	if (folder)
		add_path(p, xasprintf("%s/containers/auth.json", folder));
	else
		add_path(p, xasprintf("/run/containers/%u/auth.json", getuid()));
}

static void add_usual(struct auth_places *p)
{
	struct auth_place *place;

	if (variable(TEXT_VARIABLE))
		add(p)->text = variable(TEXT_VARIABLE);
	add_runtime(p);
	add_below(p, folder_of("XDG_CONFIG_HOME"), ".config/", "containers/auth.json");
	place = add_below(p, folder_of("DOCKER_CONFIG"), ".docker/", "config.json");
	if (place)
		place->takes_new = true;
	place = add_below(p, NULL, "", ".dockercfg");
	if (place)
		place->format = AUTH_FILE_LEGACY;
}

void auth_places_list(const char *authfile, struct auth_places *ret)
{
	const char *named = authfile ? authfile : variable("REGISTRY_AUTH_FILE");

	*ret = (struct auth_places){0};
	if (named)
		add_path(ret, xstrdup(named))->is_named = true;
	else
		add_usual(ret);
}

void auth_places_release(struct auth_places *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->items[i].path);
	p->n = 0;
}

const char *auth_place_name(const struct auth_place *place)
{
	return place->path ? place->path : TEXT_VARIABLE;
}

/* --- reading ---------------------------------------------------------------------------------- */

/* 0 and a descriptor, 1 = nothing is there, -1. */
static int open_place(const struct auth_place *place, int *ret_fd, struct error *err)
{
	/* O_NONBLOCK: a FIFO must not hang us. */
	int fd = open(place->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	*ret_fd = fd;
	if (fd >= 0)
		return 0;
	if (place->is_named && (errno == ENOENT || errno == ENOTDIR))
		return error_set(err, ERR_USAGE, "there is no file %s", place->path);
	if (errno == ENOENT || errno == ENOTDIR)
		return 1;
	if (!place->is_named && errno == EACCES) {
		log_warning("credentials in %s are passed over: it may not be read", place->path);
		return 1;
	}
	return error_sys(err, "open %s", place->path);
}

static int read_place(const struct auth_place *place, struct buffer *ret, struct error *err)
{
	cleanup_fd int fd = -1;
	struct stat st;
	size_t len;
	int rc = open_place(place, &fd, err);

	if (rc != 0)
		return rc;
	if (fstat(fd, &st) < 0)
		return error_sys(err, "stat %s", place->path);
	if (!S_ISREG(st.st_mode))
		return error_set(err, ERR_INVALID, "%s is no regular file", place->path);
	if (st.st_size > FILE_MAX_BYTES)
		return error_set(err, ERR_INVALID, "%s has more than %d bytes", place->path,
				 FILE_MAX_BYTES);
	len = (size_t)st.st_size;
	if (fdio_pread(fd, buffer_reserve(ret, len), len, 0, place->path, err) < 0)
		return -1;
	buffer_grew(ret, len);
	return 0;
}

int auth_place_read(const struct auth_place *place, struct auth_file **ret, struct error *err)
{
	cleanup_secret_buffer struct buffer text = {0};
	cleanup_held bool held = secret_held();
	int rc = place->path ? read_place(place, &text, err) : 0;

	if (rc != 0)
		return rc;
	if (!place->path)
		buffer_add(&text, place->text, strlen(place->text));
	if (text.len == 0)
		return 1;
	if (auth_file_parse(text.data, text.len, place->format, ret, err) < 0)
		return error_wrap(err, "%s", auth_place_name(place));
	return 0;
}
