/* SPDX-License-Identifier: Apache-2.0 */
/* Reads configuration of other tools, as forgiving as they are about links and missing files. */
#include "registry/config_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/fdio.h"
#include "pkg/base/log.h"
#include "pkg/toml/toml.h"

char *config_file_of_user(const char *name)
{
	const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");

	if (config && *config == '/')
		return xasprintf("%s/%s", config, name);
	if (home && *home == '/')
		return xasprintf("%s/.config/%s", home, name);
	return NULL;
}

/* --- one file --------------------------------------------------------------------------------- */

static int read_open(int fd, const char *path, struct buffer *ret, struct error *err)
{
	struct stat st;
	size_t len;

	if (fstat(fd, &st) < 0)
		return error_sys(err, "stat %s", path);
	if (!S_ISREG(st.st_mode))
		return error_set(err, ERR_INVALID, "%s is no regular file", path);
	if (st.st_size > CONFIG_FILE_MAX_BYTES)
		return error_set(err, ERR_INVALID, "%s: %lld bytes, at most %d are allowed", path,
				 (long long)st.st_size, CONFIG_FILE_MAX_BYTES);
	len = (size_t)st.st_size;
	if (fdio_pread(fd, buffer_reserve(ret, len), len, 0, path, err) < 0)
		return -1;
	buffer_grew(ret, len);
	return 0;
}

int config_file_read(const char *path, struct buffer *ret, struct error *err)
{
	/* O_NONBLOCK: a FIFO would wait for a writer. */
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 1;
	if (fd < 0)
		return error_sys(err, "open %s", path);
	return read_open(fd, path, ret, err);
}

static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

int config_file_read_toml(const char *path, struct jdoc **ret, struct error *err)
{
	cleanup_buffer struct buffer text = {0};
	int rc = config_file_read(path, &text, err);

	if (rc != 0)
		return rc;
	if (toml_parse(text.data, text.len, last_part(path), ret, err) < 0)
		return error_wrap(err, "%s", path);
	return 0;
}

/* --- folders ---------------------------------------------------------------------------------- */

static bool ends_with(const char *name, const char *suffix)
{
	size_t len = strlen(name), n = strlen(suffix);

	return len > n && !strcmp(name + len - n, suffix);
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int config_files_list(const char *folder, const char *suffix, struct config_files *ret,
		      struct error *err)
{
	DIR *dir = opendir(folder);
	const struct dirent *entry;

	*ret = (struct config_files){0};
	if (!dir && errno == EACCES)
		log_warning("%s may not be read: left aside", folder);
	if (!dir && (errno == ENOENT || errno == ENOTDIR || errno == EACCES))
		return 0;
	if (!dir)
		return error_sys(err, "open %s", folder);
	while ((entry = readdir(dir))) {
		if (!ends_with(entry->d_name, suffix))
			continue;
		ALLOC_GROW(ret->names, ret->n + 1, ret->room);
		ret->names[ret->n++] = xstrdup(entry->d_name);
	}
	closedir(dir);
	if (ret->n > 0)
		qsort(ret->names, ret->n, sizeof(*ret->names), compare);
	return 0;
}

void config_files_release(struct config_files *files)
{
	for (size_t i = 0; i < files->n; i++)
		free(files->names[i]);
	free(files->names);
	*files = (struct config_files){0};
}

/* --- values ----------------------------------------------------------------------------------- */

struct jval config_member(struct jval table, const char *key)
{
	void *iter = NULL;
	const char *name;
	struct jval value;

	while (jdoc_each(table, &iter, &name, &value))
		if (!strcmp(name, key))
			return value;
	return (struct jval){0};
}

int config_each_string(struct jval value,
		       int (*use)(void *arg, const char *text, struct error *err), void *arg,
		       struct error *err)
{
	const char *text;

	if (!jdoc_present(value))
		return 0;
	if (!jdoc_is_array(value))
		return jdoc_string_value(value, &text, err) < 0 ? -1 : use(arg, text, err);
	for (size_t i = 0; i < jdoc_length(value); i++)
		if (jdoc_string_value(jdoc_at(value, i), &text, err) < 0 || use(arg, text, err) < 0)
			return -1;
	return 0;
}

/* --- keys ------------------------------------------------------------------------------------- */

/* The key that it is, but for its case; NULL if it is none. */
static const char *find_known(const char *key, const char *const *known)
{
	for (; *known; known++)
		if (!strcasecmp(key, *known))
			return *known;
	return NULL;
}

int config_check_keys(struct jval table, const char *const *known, struct error *err)
{
	void *iter = NULL;
	const char *key, *meant;
	struct jval value;

	while (jdoc_each(table, &iter, &key, &value)) {
		meant = find_known(key, known);
		if (!meant)
			log_warning("%s: not known, left aside", value.path);
		else if (strcmp(key, meant) != 0)
			return error_set(err, ERR_INVALID, "%s: is '%s' meant?", value.path, meant);
	}
	return 0;
}
