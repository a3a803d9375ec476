/* SPDX-License-Identifier: Apache-2.0 */
/* Finds an entry among keys of several generations, and decodes it. */
#include "registry/auth_file.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "pkg/base/alloc.h"
#include "pkg/base/base64.h"
#include "pkg/base/secret.h"
#include "pkg/json/jdoc.h"
#include "registry/auth_helper.h"

#define HUB_KEY "https://index.docker.io/v1/"

struct auth_file {
	struct jdoc *doc;
	enum auth_file_format format;
	size_t len;
	struct jval auths; /* absent if there are none */
};

/* --- life -------------------------------------------------------------------------------------- */

int auth_file_parse(const void *json, size_t len, enum auth_file_format format,
		    struct auth_file **ret, struct error *err)
{
	cleanup(auth_file_free_ptr) struct auth_file *f = xcalloc(1, sizeof(*f));
	struct jval root;

	f->format = format;
	f->len = len;
	if (jdoc_parse_secret(json, len, "config", &f->doc, err) < 0)
		return -1;
	root = jdoc_root(f->doc);
	if (!jdoc_is_object(root))
		return error_set(err, ERR_INVALID, "config: not an object");
	f->auths = root;
	if (format == AUTH_FILE_CURRENT
	    && jdoc_object(root, "auths", JDOC_OPTIONAL, &f->auths, err) < 0)
		return -1;
	*ret = steal(&f);
	return 0;
}

void auth_file_free(struct auth_file *f)
{
	if (f->doc)
		jdoc_free(f->doc);
	free(f);
}

/* --- keys -------------------------------------------------------------------------------------- */

static bool is_hub(const char *host, size_t len)
{
	static const char *const names[] = {"index.docker.io", "docker.io", "registry-1.docker.io"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strlen(names[i]) == len && !strncasecmp(host, names[i], len))
			return true;
	return false;
}

static bool is_same_host(const char *key, size_t len, const char *host)
{
	if (is_hub(key, len))
		return is_hub(host, strlen(host));
	return strlen(host) == len && !strncasecmp(key, host, len);
}

static bool is_one_of(const char *text, const char *const *list)
{
	for (; *list; list++)
		if (!strcmp(text, *list))
			return true;
	return false;
}

/* Is a path that, but for slashes at its end, starts with these whole components? */
static bool is_below(const char *path, const char *above)
{
	size_t len = strlen(above);

	while (len > 0 && above[len - 1] == '/')
		len--;
	return len > 0 && !strncmp(path, above, len) && (!path[len] || path[len] == '/');
}

/* How well a key fits; a longer path above RANK_PATH is better. */
enum { RANK_NONE, RANK_SLASH, RANK_URL, RANK_HOST, RANK_PATH };

/* What an URL of a registry's API may end with. docker keeps other things below its own. */
static size_t rank_of_url(const char *rest)
{
	static const char *const ends[] = {"", "/", "/v1", "/v1/", "/v2", "/v2/", NULL};

	return is_one_of(rest, ends) ? RANK_URL : RANK_NONE;
}

static size_t rank_of(const char *key, const char *host, const char *path,
		      enum auth_file_format format)
{
	static const char *const slashes[] = {"/", "/v1/", "/v2/", NULL};
	bool is_url = !strncasecmp(key, "https://", 8) || !strncasecmp(key, "http://", 7);
	const char *name = is_url ? strstr(key, "://") + 3 : key;
	size_t len = strcspn(name, "/");
	const char *rest = name + len;

	if (!is_same_host(name, len, host))
		return RANK_NONE;
	if (is_url || (format == AUTH_FILE_LEGACY && *rest))
		return rank_of_url(rest);
	if (!*rest)
		return RANK_HOST;
	if (is_one_of(rest, slashes))
		return RANK_SLASH;
	return path && is_below(path, rest + 1) ? RANK_PATH + strlen(rest) : RANK_NONE;
}

const char *auth_file_key(const char *host)
{
	return is_hub(host, strlen(host)) ? HUB_KEY : host;
}

/* --- entries ----------------------------------------------------------------------------------- */

/* docker leaves such behind for what a helper has. What is no entry at all is found out later. */
static bool is_empty_entry(struct jval entry)
{
	static const char *const members[] = {"auth", "password", "identitytoken", "registrytoken"};

	if (!jdoc_present(entry))
		return true;
	if (!jdoc_is_object(entry))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
		struct error ignored = {0};
		const char *text;

		if (jdoc_string(entry, members[i], JDOC_OPTIONAL, &text, &ignored) < 0
		    || (text && *text))
			return false;
	}
	return true;
}

/* Line breaks in base64 are passed over, as others do: some tools wrap it. */
static int take_auth(struct jval entry, const char *text, struct credential *ret, struct error *err)
{
	cleanup_secret_buffer struct buffer line = {0}, pair = {0};
	size_t len = strlen(text);

	buffer_reserve(&line, len);
	for (size_t i = 0; i < len; i++)
		if (text[i] != '\n' && text[i] != '\r')
			buffer_add(&line, text + i, 1);
	buffer_reserve(&pair, len);
	if (!base64_decode((const char *)line.data, line.len, &pair) || !pair.len)
		return error_set(err, ERR_INVALID, "%s.auth: no base64", entry.path);
	if (credential_parse_pair((const char *)pair.data, pair.len, ret, err) < 0)
		return error_wrap(err, "%s.auth", entry.path);
	return 0;
}

static int get_text(struct jval entry, const char *name, char **ret, struct error *err)
{
	const char *text;

	if (jdoc_string(entry, name, JDOC_OPTIONAL, &text, err) < 0)
		return -1;
	*ret = text && *text ? xstrdup(text) : NULL;
	return 0;
}

static int read_entry(struct jval entry, struct credential *ret, struct error *err)
{
	cleanup(credential_release) struct credential c = {0};
	const char *auth;

	if (jdoc_string(entry, "auth", JDOC_OPTIONAL, &auth, err) < 0)
		return -1;
	if (auth && *auth) {
		if (take_auth(entry, auth, &c, err) < 0)
			return -1;
	} else if (get_text(entry, "username", &c.user, err) < 0
		   || get_text(entry, "password", &c.password, err) < 0) {
		return -1;
	}
	if (get_text(entry, "identitytoken", &c.identity_token, err) < 0
	    || get_text(entry, "registrytoken", &c.registry_token, err) < 0)
		return -1;
	if (credential_check(&c, err) < 0)
		return error_wrap(err, "%s", entry.path);
	*ret = c;
	c = (struct credential){0};
	return 0;
}

int auth_file_find(const struct auth_file *f, const char *host, const char *path,
		   struct credential *ret, struct error *err)
{
	struct jval best = {0}, entry;
	size_t best_rank = RANK_NONE;
	const char *key;
	void *i = NULL;

	while (jdoc_present(f->auths) && jdoc_each(f->auths, &i, &key, &entry)) {
		size_t rank = rank_of(key, host, path, f->format);

		if (rank > best_rank && !is_empty_entry(entry)) {
			best = entry;
			best_rank = rank;
		}
	}
	return best_rank ? read_entry(best, ret, err) : 1;
}

/* --- helpers ----------------------------------------------------------------------------------- */

static void add_server(struct auth_file_helper *h, const char *server)
{
	for (size_t i = 0; i < h->n_servers; i++)
		if (!strcmp(h->servers[i], server))
			return;
	if (h->n_servers < ARRAY_SIZE(h->servers))
		h->servers[h->n_servers++] = server;
}

/* docker asks for its own host by a URL, podman by the name. */
static void add_servers(struct auth_file_helper *h, const char *key, const char *host)
{
	if (!is_hub(host, strlen(host))) {
		add_server(h, host);
		return;
	}
	if (key)
		add_server(h, key);
	add_server(h, HUB_KEY);
	add_server(h, "docker.io");
}

/* The best key of credHelpers for the host, or NULL. */
static const char *find_helper_key(struct jval helpers, const char *host, struct jval *ret)
{
	const char *key, *best = NULL;
	size_t best_rank = RANK_NONE;
	struct jval value;
	void *i = NULL;

	while (jdoc_present(helpers) && jdoc_each(helpers, &i, &key, &value)) {
		size_t rank = rank_of(key, host, NULL, AUTH_FILE_CURRENT);

		if (rank > best_rank) {
			best_rank = rank;
			best = key;
			*ret = value;
		}
	}
	return best;
}

/* An empty name says that no helper has this host, not even that for all. */
int auth_file_helper(const struct auth_file *f, const char *host, struct auth_file_helper *ret,
		     struct error *err)
{
	struct jval root = jdoc_root(f->doc), helpers, value = {0};
	struct auth_file_helper h = {0};
	const char *key;

	if (f->format == AUTH_FILE_LEGACY)
		return 1;
	if (jdoc_object(root, "credHelpers", JDOC_OPTIONAL, &helpers, err) < 0)
		return -1;
	key = find_helper_key(helpers, host, &value);
	if (key ? jdoc_string_value(value, &h.name, err) < 0
		: jdoc_string(root, "credsStore", JDOC_OPTIONAL, &h.name, err) < 0)
		return -1;
	if (!h.name || !*h.name)
		return 1;
	if (!auth_helper_is_name(h.name))
		return error_set(err, ERR_INVALID, "%s: '%.40s' is no name of a helper",
				 key ? value.path : "config.credsStore", h.name);
	add_servers(&h, key, host);
	*ret = h;
	return 0;
}

/* --- writing ----------------------------------------------------------------------------------- */

static void write_entry(struct jout *o, const char *host, const struct credential *c)
{
	cleanup_secret char *basic = credential_basic(c);

	jout_object(o, auth_file_key(host));
	if (basic)
		jout_string(o, "auth", basic + strlen("Basic "));
	if (c->identity_token)
		jout_string(o, "identitytoken", c->identity_token);
	jout_end_object(o);
}

/* All entries but those of the host, then the new one. Returns whether there were any of it. */
static bool write_entries(struct jout *o, const struct auth_file *f, const char *host,
			  const struct credential *c)
{
	struct jval entry;
	bool found = false;
	const char *key;
	void *i = NULL;

	while (f && jdoc_present(f->auths) && jdoc_each(f->auths, &i, &key, &entry)) {
		if (rank_of(key, host, NULL, f->format) != RANK_NONE)
			found = true;
		else
			jout_copy(o, key, entry);
	}
	if (c)
		write_entry(o, host, c);
	return found;
}

static bool write_current(struct jout *o, const struct auth_file *f, const char *host,
			  const struct credential *c)
{
	bool found = false, done = false;
	struct jval member;
	const char *key;
	void *i = NULL;

	while (f && jdoc_each(jdoc_root(f->doc), &i, &key, &member)) {
		if (strcmp(key, "auths") != 0) {
			jout_copy(o, key, member);
			continue;
		}
		jout_object(o, key);
		found = write_entries(o, f, host, c);
		jout_end_object(o);
		done = true;
	}
	if (!done) {
		jout_object(o, "auths");
		write_entries(o, NULL, host, c);
		jout_end_object(o);
	}
	return found;
}

bool auth_file_write(const struct auth_file *f, const char *host, const struct credential *c,
		     struct buffer *ret)
{
	enum { NEW_ENTRY_BYTES = 256 << 10 };
	struct jout o = {0};
	bool found;

	/* once, so that no copies stay behind where it grew */
	buffer_reserve(&o.text, 4 * (f ? f->len : 0) + NEW_ENTRY_BYTES);
	jout_object(&o, NULL);
	found = f && f->format == AUTH_FILE_LEGACY ? write_entries(&o, f, host, c)
						   : write_current(&o, f, host, c);
	jout_end_object(&o);
	buffer_add(&o.text, "\n", 1);
	*ret = o.text;
	return c || found;
}
