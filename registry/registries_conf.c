/* SPDX-License-Identifier: Apache-2.0 */
/* Joins the files of registries.conf and says what they mean for an image. */
#include "registry/registries_conf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/log.h"
#include "registry/config_file.h"
#include "registry/registries_internal.h"

/* --- life ------------------------------------------------------------------------------------- */

void registries_table_release(struct registries_table *table)
{
	for (size_t i = 0; i < table->n_mirrors; i++) {
		free(table->mirrors[i].location);
		free(table->mirrors[i].ns);
	}
	free(table->mirrors);
	free(table->prefix);
	free(table->location);
	free(table->ns);
	*table = (struct registries_table){0};
}

static void release_alias(struct registries_alias *alias)
{
	free(alias->name);
	free(alias->value);
}

static void release(struct registries_conf *conf)
{
	for (size_t i = 0; i < conf->n_tables; i++)
		registries_table_release(&conf->tables[i]);
	for (size_t i = 0; i < conf->n_aliases; i++)
		release_alias(&conf->aliases[i]);
	free(conf->tables);
	free(conf->aliases);
	*conf = (struct registries_conf){0};
}

struct registries_conf *registries_conf_new(void)
{
	return xcalloc(1, sizeof(struct registries_conf));
}

void registries_conf_free(struct registries_conf *conf)
{
	release(conf);
	free(conf);
}

/* --- joining ---------------------------------------------------------------------------------- */

/* @table: taken. */
static void put_table(struct registries_conf *conf, struct registries_table *table)
{
	for (size_t i = 0; i < conf->n_tables; i++)
		if (!strcmp(conf->tables[i].prefix, table->prefix)) {
			registries_table_release(&conf->tables[i]);
			conf->tables[i] = *table;
			return;
		}
	ALLOC_GROW(conf->tables, conf->n_tables + 1, conf->tables_room);
	conf->tables[conf->n_tables++] = *table;
}

static void put_alias(struct registries_conf *conf, struct registries_alias *alias)
{
	for (size_t i = 0; i < conf->n_aliases; i++)
		if (!strcmp(conf->aliases[i].name, alias->name)) {
			release_alias(&conf->aliases[i]);
			conf->aliases[i] = *alias;
			return;
		}
	ALLOC_GROW(conf->aliases, conf->n_aliases + 1, conf->aliases_room);
	conf->aliases[conf->n_aliases++] = *alias;
}

int registries_conf_add(struct registries_conf *conf, const void *text, size_t len,
			const char *name, bool drop_in, struct error *err)
{
	cleanup(release) struct registries_conf file = {0};

	if (registries_file_parse(text, len, name, drop_in, &file, err) < 0)
		return -1;
	for (size_t i = 0; i < file.n_tables; i++)
		put_table(conf, &file.tables[i]);
	for (size_t i = 0; i < file.n_aliases; i++)
		put_alias(conf, &file.aliases[i]);
	file.n_tables = file.n_aliases = 0;
	return 0;
}

/* --- files ------------------------------------------------------------------------------------ */

/* 0; 1 = there is none. */
static int add_file(struct registries_conf *conf, const char *path, bool drop_in, struct error *err)
{
	cleanup_buffer struct buffer text = {0};
	const char *slash = strrchr(path, '/');
	int rc = config_file_read(path, &text, err);

	if (rc != 0)
		return rc;
	log_debug("registry: %s", path);
	if (registries_conf_add(conf, text.data, text.len, slash ? slash + 1 : path, drop_in, err)
	    < 0)
		return error_wrap(err, "%s", path);
	return 0;
}

static int add_drop_ins(struct registries_conf *conf, const char *folder, struct error *err)
{
	cleanup(config_files_release) struct config_files files = {0};

	if (config_files_list(folder, ".conf", &files, err) < 0)
		return -1;
	for (size_t i = 0; i < files.n; i++) {
		cleanup_free char *path = xasprintf("%s/%s", folder, files.names[i]);

		if (add_file(conf, path, true, err) < 0)
			return -1;
	}
	return 0;
}

/*
 * What podman wrote down when it asked which registry a short name is for. In a user namespace root
 * is somebody else's, and so is this file: what may not be read was not told to us.
 */
static int add_told_names(struct registries_conf *conf, struct error *err)
{
	const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	cleanup_free char *path = NULL;

	if (geteuid() == 0)
		path = xstrdup("/var/cache/containers/short-name-aliases.conf");
	else if (cache && *cache == '/')
		path = xasprintf("%s/containers/short-name-aliases.conf", cache);
	else if (home && *home == '/')
		path = xasprintf("%s/.cache/containers/short-name-aliases.conf", home);
	if (!path)
		return 0;
	if (faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) < 0 && errno == EACCES) {
		log_debug("registry: %s may not be read: left aside", path);
		return 0;
	}
	return add_file(conf, path, true, err) < 0 ? -1 : 0;
}

static int add_all(struct registries_conf *conf, struct error *err)
{
	static const char system[] = "/etc/containers/registries.conf";
	static const char system_drop_ins[] = "/etc/containers/registries.conf.d";
	cleanup_free char *user = config_file_of_user("containers/registries.conf");
	cleanup_free char *user_drop_ins = config_file_of_user("containers/registries.conf.d");
	const char *only = getenv("CONTAINERS_REGISTRIES_CONF");
	int rc = 1;

	if (only && *only) {
		rc = add_file(conf, only, false, err);
		return rc > 0 ? error_set(err, ERR_USAGE,
					  "$CONTAINERS_REGISTRIES_CONF: there is no %s", only)
			      : rc;
	}
	if (user)
		rc = add_file(conf, user, false, err);
	if (rc == 1
	    && (add_file(conf, system, false, err) < 0
		|| add_drop_ins(conf, system_drop_ins, err) < 0))
		return -1;
	return rc < 0 || (user_drop_ins && add_drop_ins(conf, user_drop_ins, err) < 0) ? -1 : 0;
}

int registries_conf_load(struct registries_conf **ret, struct error *err)
{
	cleanup(registries_conf_free_ptr) struct registries_conf *conf = registries_conf_new();

	if (add_all(conf, err) < 0 || add_told_names(conf, err) < 0)
		return -1;
	*ret = steal(&conf);
	return 0;
}

/* --- which table ------------------------------------------------------------------------------ */

/* How much of the name "*.example.com" stands for: its host, if that ends so. 0: nothing. */
static size_t match_wild(const char *name, const char *prefix)
{
	const char *suffix = prefix + 1;
	size_t host = strcspn(name, ":/@"), len = strlen(suffix);

	return host > len && !memcmp(name + host - len, suffix, len) ? host : 0;
}

/* How much of the name the prefix stands for; 0: it does not begin with it. */
static size_t match(const char *name, const char *prefix)
{
	size_t len = strlen(prefix);

	if (!strncmp(prefix, "*.", 2))
		return match_wild(name, prefix);
	if (strncmp(name, prefix, len) != 0 || (name[len] && !strchr(":/@", name[len])))
		return 0;
	return len;
}

static const struct registries_table *find_table(const struct registries_conf *conf,
						 const char *name)
{
	const struct registries_table *best = NULL;
	size_t best_len = 0;

	for (size_t i = 0; i < conf->n_tables; i++) {
		const struct registries_table *table = &conf->tables[i];
		size_t len = strlen(table->prefix);

		if (len > best_len && match(name, table->prefix) > 0) {
			best = table;
			best_len = len;
		}
	}
	return best;
}

/* --- places ----------------------------------------------------------------------------------- */

static bool is_same_image(const struct reference *a, const struct reference *b)
{
	if (a->digest.algorithm != DIGEST_NONE || b->digest.algorithm != DIGEST_NONE)
		return digest_equal(&a->digest, &b->digest);
	return !strcmp(a->tag, b->tag);
}

/* @location: "" for the name as it is. */
static int rewrite(const struct reference *ref, const char *name, size_t prefix_len,
		   const char *location, struct registries_place *ret, struct error *err)
{
	cleanup(reference_release) struct reference r = {0};
	cleanup_free char *text =
		*location ? xasprintf("%s%s", location, name + prefix_len) : xstrdup(name);
	size_t host = strcspn(text, "/");

	if (reference_parse(text, &r, err) < 0) {
		err->kind = ERR_INVALID;
		return error_wrap(err, "registries.conf makes '%s' of it", text);
	}
	if (strncmp(text, r.domain, host) != 0 || strlen(r.domain) != host)
		return error_set(err, ERR_INVALID,
				 "registries.conf makes '%.150s' of it, which has no registry",
				 text);
	if (!is_same_image(ref, &r))
		return error_set(err, ERR_UNSUPPORTED,
				 "registries.conf makes '%.150s' of it: another tag or digest",
				 text);
	ret->domain = steal(&r.domain);
	ret->path = steal(&r.path);
	return 0;
}

static int add_place(struct registries_places *places, const struct reference *ref,
		     const char *name, size_t prefix_len, const char *location, const char *ns,
		     bool insecure, struct error *err)
{
	struct registries_place place = {.insecure = insecure};

	if (rewrite(ref, name, prefix_len, location, &place, err) < 0)
		return -1;
	place.ns = ns ? xstrdup(ns) : NULL;
	ALLOC_GROW(places->items, places->n + 1, places->room);
	places->items[places->n++] = place;
	return 0;
}

/* What is asked for by digest cannot be another image than the registry's. */
static bool is_for(const struct registries_table *table, const struct registries_mirror *mirror,
		   bool by_digest)
{
	if (table->digest_only)
		return by_digest;
	return mirror->use == REGISTRIES_ALL
	       || (mirror->use == REGISTRIES_DIGEST_ONLY) == by_digest;
}

int registries_conf_places(const struct registries_conf *conf, const struct reference *ref,
			   struct registries_places *ret, struct error *err)
{
	cleanup_free char *name = reference_name(ref);
	const struct registries_table *table = find_table(conf, name);
	bool by_digest = ref->digest.algorithm != DIGEST_NONE;
	size_t len;

	*ret = (struct registries_places){0};
	if (!table)
		return 1;
	if (table->blocked)
		return error_set(err, ERR_UNAUTHORIZED, "'%.150s' is blocked by registries.conf",
				 table->prefix);
	len = match(name, table->prefix);
	for (size_t i = 0; i < table->n_mirrors; i++) {
		const struct registries_mirror *m = &table->mirrors[i];

		if (is_for(table, m, by_digest)
		    && add_place(ret, ref, name, len, m->location, m->ns, m->insecure, err) < 0)
			goto failed;
	}
	if (add_place(ret, ref, name, len, table->location, table->ns, table->insecure, err) == 0)
		return 0;
failed:
	registries_places_release(ret);
	return -1;
}

bool registries_conf_is_insecure(const struct registries_conf *conf, const char *host)
{
	const struct registries_table *table = find_table(conf, host);

	return table && table->insecure;
}

void registries_places_release(struct registries_places *places)
{
	for (size_t i = 0; i < places->n; i++) {
		free(places->items[i].domain);
		free(places->items[i].path);
		free(places->items[i].ns);
	}
	free(places->items);
	*places = (struct registries_places){0};
}

/* --- short names ------------------------------------------------------------------------------ */

const char *registries_conf_alias(const struct registries_conf *conf, const char *name)
{
	for (size_t i = 0; i < conf->n_aliases; i++)
		if (!strcmp(conf->aliases[i].name, name))
			return *conf->aliases[i].value ? conf->aliases[i].value : NULL;
	return NULL;
}
