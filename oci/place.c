/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the end of the path by asking what is there, and makes it absolute. */
#include "oci/place.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/buffer.h"
#include "pkg/json/jdoc.h"

/* --- the reference ---------------------------------------------------------------------------- */

static bool is_there(const char *path, enum place_kind kind)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode) == (kind == PLACE_FOLDER);
}

size_t place_path_length(const char *text, enum place_kind kind)
{
	cleanup_free char *path = xstrdup(text);

	for (size_t len = strlen(text); len > 0; len--) {
		if (text[len] && text[len] != ':' && text[len] != '@')
			continue;
		path[len] = '\0';
		if (is_there(path, kind))
			return len;
	}
	return 0;
}

int place_check(const char *text, const char *prefix, struct error *err)
{
	for (const char *p = text; *p; p++)
		if (isspace((unsigned char)*p) || iscntrl((unsigned char)*p))
			return error_set(err, ERR_USAGE,
					 "a reference has no spaces or control characters");
	if (!*text || *text == '-')
		return error_set(err, ERR_USAGE, "%s%s[:REF] is expected", prefix,
				 strcmp(prefix, "oci:") == 0 ? "DIR" : "FILE");
	return 0;
}

static int parse_index(const char *digits, struct place *ret, struct error *err)
{
	char *end;

	errno = 0;
	ret->index = strtoul(digits, &end, 10);
	if (!isdigit((unsigned char)*digits) || *end || errno)
		return error_set(err, ERR_USAGE, "'@%.80s' is neither an index nor a digest",
				 digits);
	ret->has_index = true;
	return 0;
}

int place_parse_selection(const char *text, struct place *ret, struct error *err)
{
	cleanup_free char *rest = xstrdup(text);
	char *at = strrchr(rest, '@');

	if (at && strchr(at, ':')) {
		if (digest_parse(at + 1, &ret->digest, err) < 0) {
			err->kind = ERR_USAGE;
			return -1;
		}
		*at = '\0';
	}
	if (!*rest)
		return 0;
	if (rest[0] == '@')
		return parse_index(rest + 1, ret, err);
	if (rest[1] == '@')
		return parse_index(rest + 2, ret, err);
	if (!rest[1])
		return error_set(err, ERR_USAGE, "nothing follows the ':' after the path");
	ret->ref = xstrdup(rest + 1);
	return 0;
}

/* --- the recorded name ------------------------------------------------------------------------ */

static bool has_parent_part(const char *path)
{
	for (const char *p = path; (p = strstr(p, "..")); p += 2)
		if ((p == path || p[-1] == '/') && (p[2] == '/' || !p[2]))
			return true;
	return false;
}

/* Drop empty and "." parts of an absolute path, in place. */
static void tidy_path(char *path)
{
	char *to = path;

	for (const char *p = path; *p;) {
		size_t len;

		p += strspn(p, "/");
		len = strcspn(p, "/");
		if (len > 0 && !(len == 1 && *p == '.')) {
			*to++ = '/';
			memmove(to, p, len);
			to += len;
		}
		p += len;
	}
	if (to == path)
		*to++ = '/';
	*to = '\0';
}

int place_absolute(const char *given, char **ret, struct error *err)
{
	cleanup_free char *path = NULL;

	if (has_parent_part(given)) {
		path = realpath(given, NULL);
		if (!path)
			return error_sys(err, "resolve %s", given);
	} else if (given[0] == '/') {
		path = xstrdup(given);
	} else {
		cleanup_free char *cwd = getcwd(NULL, 0);

		if (!cwd)
			return error_sys(err, "get the current folder");
		path = xasprintf("%s/%s", cwd, given);
	}
	tidy_path(path);
	*ret = steal(&path);
	return 0;
}

/* --- the whole -------------------------------------------------------------------------------- */

char *place_name(const struct place *p, const char *prefix)
{
	struct buffer name = {0};
	char text[DIGEST_TEXT_BYTES];

	buffer_printf(&name, "%s%s", prefix, p->path);
	if (p->ref)
		buffer_printf(&name, ":%s", p->ref);
	if (p->has_index)
		buffer_printf(&name, "@%zu", p->index);
	if (p->digest.algorithm != DIGEST_NONE)
		buffer_printf(&name, "@%s", digest_format(&p->digest, text));
	return buffer_detach(&name);
}

int place_parse(const char *text, const char *prefix, enum place_kind kind, struct place *ret,
		struct error *err)
{
	cleanup(place_release) struct place p = {0};
	cleanup_free char *given = NULL;
	size_t len;

	if (place_check(text, prefix, err) < 0)
		return -1;
	len = place_path_length(text, kind);
	if (len == 0)
		return error_set(err, ERR_NOT_FOUND, "no such %s",
				 kind == PLACE_FOLDER ? "folder" : "file");
	given = xstrndup(text, len);
	if (place_parse_selection(text + len, &p, err) < 0
	    || place_absolute(given, &p.path, err) < 0)
		return -1;
	/* Its name is recorded as JSON, and must come back from there as it is. */
	if (!jout_is_text(p.path))
		return error_set(err, ERR_UNSUPPORTED, "the name is not UTF-8");
	*ret = p;
	p = (struct place){0};
	return 0;
}

void place_release(struct place *p)
{
	free(p->path);
	free(p->ref);
	*p = (struct place){0};
}
