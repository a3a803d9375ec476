/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks users up in the text of /etc/passwd and /etc/group. Not by getpwnam(3): the files are those
 * of an image, and what they hold may be anything. An id that is no number, or too large, makes the
 * line none at all: reading it as 0 would make anybody root (CVE-2024-40635).
 */
#include "oci/user.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "pkg/base/alloc.h"

static const uint32_t ID_MAX = 0x7fffffff;

struct span {
	const char *text;
	size_t len;
};

static struct span span_of(const char *text, size_t len)
{
	return (struct span){text, len};
}

static bool is_same(struct span a, struct span b)
{
	return a.len == b.len && memcmp(a.text, b.text, a.len) == 0;
}

/* Take what stands before a separator off the front; what is left starts behind it. */
static struct span take(struct span *rest, char separator)
{
	const char *end = rest->len ? memchr(rest->text, separator, rest->len) : NULL;
	struct span taken = span_of(rest->text, end ? (size_t)(end - rest->text) : rest->len);
	size_t used = taken.len + (end != NULL);

	*rest = span_of(rest->text + used, rest->len - used);
	return taken;
}

static bool is_digits(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!isdigit((unsigned char)s.text[i]))
			return false;
	return s.len > 0;
}

static bool parse_id(struct span s, uint32_t *ret)
{
	uint64_t id = 0;

	if (!is_digits(s))
		return false;
	for (size_t i = 0; i < s.len; i++) {
		id = id * 10 + (uint64_t)(s.text[i] - '0');
		if (id > ID_MAX)
			return false;
	}
	*ret = (uint32_t)id;
	return true;
}

/* --- lines ------------------------------------------------------------------------------------ */

static struct span text_of(const struct buffer *file)
{
	return file && file->data ? span_of((const char *)file->data, file->len) : span_of("", 0);
}

static struct span trim(struct span s)
{
	while (s.len && isspace((unsigned char)s.text[0]))
		s = span_of(s.text + 1, s.len - 1);
	while (s.len && isspace((unsigned char)s.text[s.len - 1]))
		s.len--;
	return s;
}

/* A line that may be one: no comment, nothing for NIS, no NUL. False at the end. */
static bool next_line(struct span *rest, struct span *ret)
{
	while (rest->len) {
		struct span line = trim(take(rest, '\n'));

		if (line.len == 0 || strchr("#+-:", line.text[0])
		    || memchr(line.text, '\0', line.len))
			continue;
		*ret = line;
		return true;
	}
	return false;
}

struct passwd_line {
	struct span name, home;
	uint32_t uid, gid;
};

/* name:password:uid:gid:comment:home:shell */
static bool next_user(struct span *rest, struct passwd_line *ret)
{
	struct span line;

	while (next_line(rest, &line)) {
		ret->name = take(&line, ':');
		take(&line, ':');
		if (!parse_id(take(&line, ':'), &ret->uid)
		    || !parse_id(take(&line, ':'), &ret->gid))
			continue;
		take(&line, ':');
		ret->home = take(&line, ':');
		return true;
	}
	return false;
}

struct group_line {
	struct span name, members;
	uint32_t gid;
};

/* name:password:gid:member,member,... */
static bool next_group(struct span *rest, struct group_line *ret)
{
	struct span line;

	while (next_line(rest, &line)) {
		ret->name = take(&line, ':');
		take(&line, ':');
		if (!parse_id(take(&line, ':'), &ret->gid))
			continue;
		ret->members = take(&line, ':');
		return true;
	}
	return false;
}

/* --- lookups ---------------------------------------------------------------------------------- */

static bool find_name(const struct buffer *passwd, struct span name, struct passwd_line *ret)
{
	struct span rest = text_of(passwd);

	while (next_user(&rest, ret))
		if (is_same(ret->name, name))
			return true;
	return false;
}

static bool find_uid(const struct buffer *passwd, uint32_t uid, struct passwd_line *ret)
{
	struct span rest = text_of(passwd);

	while (next_user(&rest, ret))
		if (ret->uid == uid)
			return true;
	return false;
}

static int not_there(struct span name, const char *path, const struct buffer *file,
		     struct error *err)
{
	return error_set(err, ERR_INVALID, "'%.*s' is not in the image's %s%s",
			 name.len < 60 ? (int)name.len : 60, name.text, path,
			 file ? "" : ", which is missing");
}

static int out_of_range(struct span id, struct error *err)
{
	return error_set(err, ERR_INVALID, "id %.*s is not within 0 and %u",
			 id.len < 60 ? (int)id.len : 60, id.text, ID_MAX);
}

static int resolve_group(struct span text, const struct buffer *group, uint32_t *ret,
			 struct error *err)
{
	struct span rest = text_of(group);
	struct group_line line;

	if (is_digits(text))
		return parse_id(text, ret) ? 0 : out_of_range(text, err);
	while (next_group(&rest, &line))
		if (is_same(line.name, text)) {
			*ret = line.gid;
			return 0;
		}
	return not_there(text, "/etc/group", group, err);
}

static bool has_member(struct span members, struct span name)
{
	while (members.len)
		if (is_same(trim(take(&members, ',')), name))
			return true;
	return false;
}

static int compare_ids(const void *pa, const void *pb)
{
	uint32_t a = *(const uint32_t *)pa, b = *(const uint32_t *)pb;

	return a < b ? -1 : a > b;
}

static void add_groups(const struct buffer *group, struct span name, struct oci_user *u)
{
	struct span rest = text_of(group);
	size_t n = 0, room = 0;
	struct group_line line;

	while (next_group(&rest, &line)) {
		if (!has_member(line.members, name))
			continue;
		ALLOC_GROW(u->groups, n + 1, room);
		u->groups[n++] = line.gid;
	}
	if (n)
		qsort(u->groups, n, sizeof(u->groups[0]), compare_ids);
	for (size_t i = 0; i < n; i++)
		if (i == 0 || u->groups[i] != u->groups[i - 1])
			u->groups[u->n_groups++] = u->groups[i];
}

/* --- the forms -------------------------------------------------------------------------------- */

/* "user" or "user:group"; neither part may be empty. */
static int split(const char *user, struct span *ret_user, struct span *ret_group, bool *ret_has,
		 struct error *err)
{
	struct span rest = span_of(user, strlen(user));

	*ret_user = take(&rest, ':');
	*ret_group = rest;
	*ret_has = user[ret_user->len] == ':';
	if (ret_user->len == 0 || (*ret_has && (rest.len == 0 || memchr(rest.text, ':', rest.len))))
		return error_set(err, ERR_INVALID, "neither USER nor USER:GROUP");
	return 0;
}

static int resolve(const char *user, const struct buffer *passwd, const struct buffer *group,
		   struct oci_user *u, struct error *err)
{
	struct span name, group_name;
	struct passwd_line line;
	bool has_group, found;

	if (split(user, &name, &group_name, &has_group, err) < 0)
		return -1;
	if (is_digits(name) && !parse_id(name, &u->uid))
		return out_of_range(name, err);
	found = is_digits(name) ? find_uid(passwd, u->uid, &line) : find_name(passwd, name, &line);
	if (!found && !is_digits(name))
		return not_there(name, "/etc/passwd", passwd, err);
	if (has_group && resolve_group(group_name, group, &u->gid, err) < 0)
		return -1;
	if (!found)
		return 0;
	u->uid = line.uid;
	u->home = line.home.len ? xstrndup(line.home.text, line.home.len) : NULL;
	if (has_group)
		return 0;
	u->gid = line.gid;
	add_groups(group, line.name, u);
	return 0;
}

int oci_user_resolve(const char *user, const struct buffer *passwd, const struct buffer *group,
		     struct oci_user *ret, struct error *err)
{
	struct oci_user u = {0};
	bool is_default = !user || !*user;

	if (resolve(is_default ? "0" : user, passwd, group, &u, err) < 0)
		return error_wrap(err, "user '%.60s'", user);
	if (is_default)
		u.gid = 0;
	*ret = u;
	return 0;
}

void oci_user_release(struct oci_user *u)
{
	free(u->groups);
	free(u->home);
	*u = (struct oci_user){0};
}
