/* SPDX-License-Identifier: Apache-2.0 */
/* Reads one registries.conf, of version 2 or 1, and checks what can be checked in one file. */
#include <stdlib.h>
#include <string.h>

#include "pkg/base/alloc.h"
#include "pkg/toml/toml.h"
#include "registry/config_file.h"
#include "registry/http_url.h"
#include "registry/registries_internal.h"

static const char *const file_keys[] = {"registry",
					"registries",
					"unqualified-search-registries",
					"credential-helpers",
					"short-name-mode",
					"additional-layer-store-auth-helper",
					"aliases",
					NULL};
static const char *const table_keys[] = {
	"prefix", "location",	      "insecure",	 "blocked", "mirror-by-digest-only",
	"mirror", "pull-from-mirror", "namespace-proxy", NULL};
static const char *const mirror_keys[] = {"location", "insecure", "pull-from-mirror",
					  "namespace-proxy", NULL};

/* --- locations -------------------------------------------------------------------------------- */

static int refuse_url(const char *where, const char *url, struct error *err)
{
	cleanup_free char *shown = http_url_shown(url);

	return error_set(err, ERR_INVALID, "%s: '%.100s' is a URL, none is expected", where, shown);
}

/* "me:password@host", which is not shown. */
static bool has_user(const char *text)
{
	return memchr(text, '@', strcspn(text, "/")) != NULL;
}

/* "host[:port][/path]" without the slashes at its end; "" if it is not given. */
static int read_location(struct jval table, const char *key, char **ret, struct error *err)
{
	cleanup_free char *where = xasprintf("%s.%s", table.path, key);
	const char *text;
	size_t len;

	if (jdoc_string(table, key, JDOC_OPTIONAL, &text, err) < 0)
		return -1;
	text = text ? text : "";
	if (strstr(text, "://"))
		return refuse_url(where, text, err);
	if (has_user(text))
		return error_set(err, ERR_INVALID, "%s: a user name has no place here", where);
	len = strlen(text);
	while (len > 0 && text[len - 1] == '/')
		len--;
	*ret = xstrndup(text, len);
	return 0;
}

static int read_namespace(struct jval table, char **ret, struct error *err)
{
	const char *text;

	if (jdoc_string(table, "namespace-proxy", JDOC_OPTIONAL, &text, err) < 0)
		return -1;
	*ret = text && *text ? xstrdup(text) : NULL;
	return 0;
}

/* --- mirrors ---------------------------------------------------------------------------------- */

static int read_use(struct jval table, bool digest_only, enum registries_use *ret,
		    struct error *err)
{
	static const char *const names[] = {"all", "digest-only", "tag-only"};
	const char *text;

	if (jdoc_string(table, "pull-from-mirror", JDOC_OPTIONAL, &text, err) < 0)
		return -1;
	*ret = REGISTRIES_ALL;
	if (!text || !*text)
		return 0;
	if (digest_only)
		return error_set(err, ERR_INVALID,
				 "%s: both pull-from-mirror and mirror-by-digest-only", table.path);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(text, names[i])) {
			*ret = (enum registries_use)i;
			return 0;
		}
	return error_set(err, ERR_INVALID,
			 "%s.pull-from-mirror: '%.40s' is none of all, digest-only, tag-only",
			 table.path, text);
}

static int read_mirror(struct jval value, struct registries_table *table, struct error *err)
{
	struct registries_mirror *mirror;

	if (!jdoc_is_object(value))
		return error_set(err, ERR_INVALID, "%s: not a table", value.path);
	ALLOC_GROW(table->mirrors, table->n_mirrors + 1, table->room);
	mirror = &table->mirrors[table->n_mirrors++];
	*mirror = (struct registries_mirror){0};
	if (config_check_keys(value, mirror_keys, err) < 0
	    || read_location(value, "location", &mirror->location, err) < 0
	    || jdoc_bool(value, "insecure", JDOC_OPTIONAL, &mirror->insecure, err) < 0
	    || read_use(value, table->digest_only, &mirror->use, err) < 0
	    || read_namespace(value, &mirror->ns, err) < 0)
		return -1;
	if (!*mirror->location)
		return error_set(err, ERR_INVALID, "%s: a mirror without location", value.path);
	return 0;
}

static int read_mirrors(struct jval value, struct registries_table *table, struct error *err)
{
	struct jval mirrors;

	if (jdoc_array(value, "mirror", JDOC_OPTIONAL, &mirrors, err) < 0)
		return -1;
	for (size_t i = 0; jdoc_present(mirrors) && i < jdoc_length(mirrors); i++)
		if (read_mirror(jdoc_at(mirrors, i), table, err) < 0)
			return -1;
	return 0;
}

/* --- [[registry]] ----------------------------------------------------------------------------- */

/* Either of the two stands for both; "*.example.com" may do without a location. */
static int settle_prefix(struct registries_table *table, const char *where, struct error *err)
{
	bool wild = !strncmp(table->prefix, "*.", 2);

	if (!*table->prefix && !*table->location)
		return error_set(err, ERR_INVALID, "%s: neither prefix nor location", where);
	if (wild && strpbrk(table->prefix, "/@:"))
		return error_set(err, ERR_INVALID,
				 "%s.prefix: '%.100s' is not of the form *.example.com", where,
				 table->prefix);
	if (!*table->prefix) {
		free(table->prefix);
		table->prefix = xstrdup(table->location);
	}
	if (!*table->location && !wild) {
		free(table->location);
		table->location = xstrdup(table->prefix);
	}
	return 0;
}

static int read_fields(struct jval value, struct registries_table *table, struct error *err)
{
	if (config_check_keys(value, table_keys, err) < 0
	    || read_location(value, "prefix", &table->prefix, err) < 0
	    || read_location(value, "location", &table->location, err) < 0
	    || jdoc_bool(value, "insecure", JDOC_OPTIONAL, &table->insecure, err) < 0
	    || jdoc_bool(value, "blocked", JDOC_OPTIONAL, &table->blocked, err) < 0
	    || jdoc_bool(value, "mirror-by-digest-only", JDOC_OPTIONAL, &table->digest_only, err)
		       < 0
	    || read_namespace(value, &table->ns, err) < 0 || read_mirrors(value, table, err) < 0)
		return -1;
	if (jdoc_present(config_member(value, "pull-from-mirror")))
		return error_set(err, ERR_INVALID, "%s.pull-from-mirror: only mirrors have it",
				 value.path);
	return settle_prefix(table, value.path, err);
}

static struct registries_table *add_table(struct registries_conf *conf)
{
	ALLOC_GROW(conf->tables, conf->n_tables + 1, conf->tables_room);
	conf->tables[conf->n_tables] = (struct registries_table){0};
	return &conf->tables[conf->n_tables++];
}

static const char *place_of(const struct registries_table *table)
{
	return *table->location ? table->location : table->prefix;
}

/* One place that several tables lead to is either safe or not, for all of them. */
static int check_conflicts(const struct registries_conf *conf, const struct registries_table *table,
			   struct error *err)
{
	for (size_t i = 0; i + 1 < conf->n_tables; i++) {
		const struct registries_table *other = &conf->tables[i];

		if (strcmp(place_of(other), place_of(table)) != 0)
			continue;
		if (other->insecure != table->insecure || other->blocked != table->blocked)
			return error_set(err, ERR_INVALID,
					 "'%.100s' is there twice, with different '%s'",
					 place_of(table),
					 other->blocked != table->blocked ? "blocked" : "insecure");
	}
	return 0;
}

/* Of several tables with one prefix the first counts. */
static void drop_if_twice(struct registries_conf *conf)
{
	struct registries_table *last = &conf->tables[conf->n_tables - 1];

	for (size_t i = 0; i + 1 < conf->n_tables; i++)
		if (!strcmp(conf->tables[i].prefix, last->prefix)) {
			registries_table_release(last);
			conf->n_tables--;
			return;
		}
}

static int read_tables(struct jval root, struct registries_conf *conf, struct error *err)
{
	struct jval tables;

	if (jdoc_array(root, "registry", JDOC_OPTIONAL, &tables, err) < 0)
		return -1;
	for (size_t i = 0; jdoc_present(tables) && i < jdoc_length(tables); i++) {
		struct jval value = jdoc_at(tables, i);
		struct registries_table *table = add_table(conf);

		if (!jdoc_is_object(value))
			return error_set(err, ERR_INVALID, "%s: not a table", value.path);
		if (read_fields(value, table, err) < 0 || check_conflicts(conf, table, err) < 0)
			return -1;
		drop_if_twice(conf);
	}
	return 0;
}

/* --- short names ------------------------------------------------------------------------------ */

/* "name", as docker.io has them: no host, tag or digest. */
static bool is_short_name(const char *name)
{
	cleanup(reference_release) struct reference r = {0};
	struct error ignored = {0};
	const char *slash = strchr(name, '/');
	size_t len = slash ? (size_t)(slash - name) : 0;

	if (strpbrk(name, ":@") || memchr(name, '.', len) || !strncmp(name, "localhost/", 10))
		return false;
	return reference_parse(name, &r, &ignored) == 0;
}

/* "host/name" without tag and digest. */
static bool is_whole_name(const char *value)
{
	cleanup(reference_release) struct reference r = {0};
	struct error ignored = {0};
	const char *slash = strchr(value, '/');
	size_t len = slash ? (size_t)(slash - value) : 0;

	if (!slash || strchr(slash, ':') || strchr(value, '@'))
		return false;
	if (!memchr(value, '.', len) && !memchr(value, ':', len)
	    && strncmp(value, "localhost/", 10) != 0)
		return false;
	return reference_parse(value, &r, &ignored) == 0;
}

static int read_aliases(struct jval root, struct registries_conf *conf, struct error *err)
{
	struct jval aliases, value;
	void *iter = NULL;
	const char *name, *text;

	if (jdoc_object(root, "aliases", JDOC_OPTIONAL, &aliases, err) < 0)
		return -1;
	while (jdoc_each(aliases, &iter, &name, &value)) {
		if (jdoc_string_value(value, &text, err) < 0)
			return -1;
		if (!is_short_name(name))
			return error_set(err, ERR_INVALID, "aliases: '%.100s' is no short name",
					 name);
		if (*text && !is_whole_name(text))
			return error_set(err, ERR_INVALID,
					 "aliases.%.60s: '%.100s' is no name with its registry",
					 name, text);
		ALLOC_GROW(conf->aliases, conf->n_aliases + 1, conf->aliases_room);
		conf->aliases[conf->n_aliases++] =
			(struct registries_alias){xstrdup(name), xstrdup(text)};
	}
	return 0;
}

/* --- version 1 -------------------------------------------------------------------------------- */

struct old_list {
	struct registries_conf *conf;
	bool blocked, insecure;
};

static int take_old(void *arg, const char *text, struct error *err)
{
	const struct old_list *list = arg;
	struct registries_table *table = NULL;
	size_t len = strlen(text);

	while (len > 0 && text[len - 1] == '/')
		len--;
	if (strstr(text, "://"))
		return refuse_url("registries", text, err);
	if (has_user(text))
		return error_set(err, ERR_INVALID, "registries: a user name has no place here");
	if (len == 0)
		return error_set(err, ERR_INVALID, "registries: '%.100s' is no registry", text);
	for (size_t i = 0; i < list->conf->n_tables && !table; i++)
		if (strlen(list->conf->tables[i].prefix) == len
		    && !memcmp(list->conf->tables[i].prefix, text, len))
			table = &list->conf->tables[i];
	if (!table) {
		table = add_table(list->conf);
		table->prefix = xstrndup(text, len);
		table->location = xstrndup(text, len);
	}
	table->blocked |= list->blocked;
	table->insecure |= list->insecure;
	return 0;
}

static int read_old_list(struct jval old, const char *key, const struct old_list *list,
			 struct error *err)
{
	struct jval table, names;

	if (jdoc_object(old, key, JDOC_OPTIONAL, &table, err) < 0)
		return -1;
	if (!jdoc_present(table))
		return 0;
	if (jdoc_array(table, "registries", JDOC_OPTIONAL, &names, err) < 0)
		return -1;
	return config_each_string(names, take_old, (void *)(uintptr_t)list, err);
}

/* [registries.block], [registries.insecure]; where to search is not for us, see the README. */
static int read_old(struct jval root, bool drop_in, bool *ret_found, struct registries_conf *conf,
		    struct error *err)
{
	const struct old_list blocked = {conf, .blocked = true},
			      insecure = {conf, .insecure = true};
	struct jval old;

	if (jdoc_object(root, "registries", JDOC_OPTIONAL, &old, err) < 0)
		return -1;
	*ret_found = jdoc_present(old);
	if (*ret_found && drop_in)
		return error_set(err, ERR_INVALID,
				 "registries: the form of version 1, not allowed in this folder");
	if (!*ret_found)
		return 0;
	if (read_old_list(old, "block", &blocked, err) < 0)
		return -1;
	return read_old_list(old, "insecure", &insecure, err);
}

/* --- the whole -------------------------------------------------------------------------------- */

static int take_nothing(void *arg, const char *text, struct error *err)
{
	(void)arg, (void)text, (void)err;
	return 0;
}

/* What we have no use for is of the right type at least. */
static int check_rest(struct jval root, struct error *err)
{
	static const char *const lists[] = {"unqualified-search-registries", "credential-helpers"};
	static const char *const modes[] = {"", "enforcing", "permissive", "disabled"};
	const char *mode;

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		struct jval list;

		if (jdoc_array(root, lists[i], JDOC_OPTIONAL, &list, err) < 0
		    || config_each_string(list, take_nothing, NULL, err) < 0)
			return -1;
	}
	if (jdoc_string(root, "short-name-mode", JDOC_OPTIONAL, &mode, err) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
		if (!mode || !strcmp(mode, modes[i]))
			return 0;
	return error_set(err, ERR_INVALID,
			 "short-name-mode: '%.40s' is none of enforcing, permissive, disabled",
			 mode);
}

/* Version 1 is version 1 alone. */
static int check_mixture(struct jval root, struct error *err)
{
	for (const char *const *key = file_keys; *key; key++)
		if (strcmp(*key, "registries") != 0 && jdoc_present(config_member(root, *key)))
			return error_set(err, ERR_INVALID,
					 "both '%s' and 'registries': versions 2 and 1 in one file",
					 *key);
	return 0;
}

int registries_file_parse(const void *text, size_t len, const char *name, bool drop_in,
			  struct registries_conf *ret, struct error *err)
{
	cleanup(jdoc_free_ptr) struct jdoc *doc = NULL;
	struct jval root;
	bool old;

	if (toml_parse(text, len, name, &doc, err) < 0)
		return -1;
	root = jdoc_root(doc);
	if (config_check_keys(root, file_keys, err) < 0
	    || read_old(root, drop_in, &old, ret, err) < 0)
		return -1;
	if (old)
		return check_mixture(root, err);
	if (read_tables(root, ret, err) < 0 || read_aliases(root, ret, err) < 0)
		return -1;
	return check_rest(root, err);
}
