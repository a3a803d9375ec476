/* SPDX-License-Identifier: Apache-2.0 */
/* Schema and queries of catalog.db. The only user of SQLite, and the one file that knows its
 * errors. */
#include "pkg/catalog/catalog.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/log.h"

enum { CATALOG_VERSION = 3, CATALOG_BUSY_MS = 10000 };

struct catalog {
	sqlite3 *db;
	char *path;
};

static const char schema[] =
	"CREATE TABLE part (name TEXT PRIMARY KEY, key TEXT NOT NULL);"
	"CREATE TABLE image (ref TEXT NOT NULL, digest TEXT NOT NULL, manifest TEXT NOT NULL,"
	" platform TEXT, created TEXT, pool TEXT NOT NULL, chain_id TEXT, PRIMARY KEY (pool, ref));"
	"CREATE TABLE layer (pool TEXT NOT NULL, thin_id INTEGER NOT NULL, chain_id TEXT NOT NULL,"
	" diff_id TEXT, parent TEXT, content_bytes INTEGER NOT NULL, mapped_bytes INTEGER NOT NULL,"
	" PRIMARY KEY (pool, chain_id));"
	"CREATE TABLE container (pool TEXT NOT NULL, name TEXT NOT NULL, thin_id INTEGER NOT NULL,"
	" image TEXT, manifest TEXT, created TEXT, chain_id TEXT, labels TEXT,"
	" size_bytes INTEGER NOT NULL, mapped_bytes INTEGER NOT NULL,"
	" exclusive_bytes INTEGER NOT NULL, read_only INTEGER NOT NULL, PRIMARY KEY (pool, name));"
	"PRAGMA user_version = 3;";

static int catalog_error(struct catalog *c, struct error *err)
{
	int code = sqlite3_errcode(c->db);

	if (code == SQLITE_BUSY || code == SQLITE_LOCKED)
		return error_set(err, ERR_BUSY, "%s: %s", c->path, sqlite3_errmsg(c->db));
	if (code == SQLITE_FULL)
		return error_set(err, ERR_NO_SPACE, "%s: %s", c->path, sqlite3_errmsg(c->db));
	return error_set(err, ERR_SYSTEM, "%s: %s", c->path, sqlite3_errmsg(c->db));
}

static int run_sql(struct catalog *c, const char *sql, struct error *err)
{
	if (sqlite3_exec(c->db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return catalog_error(c, err);
	return 0;
}

/* --- opening ---------------------------------------------------------------------------------- */

static int connect_database(struct catalog *c, struct error *err)
{
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOFOLLOW;

	if (sqlite3_open_v2(c->path, &c->db, flags, NULL) != SQLITE_OK)
		return catalog_error(c, err);
	sqlite3_busy_timeout(c->db, CATALOG_BUSY_MS);
	return run_sql(c, "PRAGMA synchronous = FULL;", err);
}

static int read_version(struct catalog *c, int *ret, struct error *err)
{
	sqlite3_stmt *st = NULL;
	int status = -1;

	if (sqlite3_prepare_v2(c->db, "PRAGMA user_version", -1, &st, NULL) != SQLITE_OK)
		return catalog_error(c, err);
	if (sqlite3_step(st) == SQLITE_ROW) {
		*ret = sqlite3_column_int(st, 0);
		status = 0;
	} else {
		catalog_error(c, err);
	}
	sqlite3_finalize(st);
	return status;
}

/* Two processes may meet here: the version is read again inside the transaction. */
static int ensure_schema(struct catalog *c, struct error *err)
{
	int version = 0;

	if (read_version(c, &version, err) < 0)
		return -1;
	if (version == CATALOG_VERSION)
		return 0;
	if (version != 0)
		return error_set(err, ERR_INCONSISTENT, "%s has version %d", c->path, version);
	if (run_sql(c, "BEGIN IMMEDIATE", err) < 0)
		return -1;
	if (read_version(c, &version, err) < 0 || (version == 0 && run_sql(c, schema, err) < 0)) {
		sqlite3_exec(c->db, "ROLLBACK", NULL, NULL, NULL);
		return -1;
	}
	return run_sql(c, "COMMIT", err);
}

static int open_once(struct catalog *c, struct error *err)
{
	if (connect_database(c, err) < 0 || ensure_schema(c, err) < 0)
		return -1;
	return 0;
}

int catalog_open(const char *path, struct catalog **ret, struct error *err)
{
	cleanup(catalog_close_ptr) struct catalog *c = xcalloc(1, sizeof(*c));

	c->path = xstrdup(path);
	if (open_once(c, err) < 0) {
		if (err->kind == ERR_BUSY || err->kind == ERR_NO_SPACE)
			return -1;
		/* Only an index: one that cannot be read is made anew. */
		log_debug("catalog: rebuilt from nothing: %s", err->cause);
		sqlite3_close(c->db);
		c->db = NULL;
		unlink(path);
		if (open_once(c, err) < 0)
			return -1;
	}
	*ret = steal(&c);
	return 0;
}

void catalog_close(struct catalog *c)
{
	if (!c)
		return;
	sqlite3_close(c->db);
	free(c->path);
	free(c);
}

/* --- statements ------------------------------------------------------------------------------- */

/* Prepare and bind: the types string says what follows, 's' text or NULL, 'i' uint64_t. */
static sqlite3_stmt *statement(struct catalog *c, struct error *err, const char *sql,
			       const char *types, ...)
{
	sqlite3_stmt *st = NULL;
	va_list ap;

	if (sqlite3_prepare_v2(c->db, sql, -1, &st, NULL) != SQLITE_OK) {
		catalog_error(c, err);
		return NULL;
	}
	va_start(ap, types);
	for (int i = 0; types[i]; i++) {
		if (types[i] == 's')
			sqlite3_bind_text(st, i + 1, va_arg(ap, const char *), -1,
					  SQLITE_TRANSIENT);
		else
			sqlite3_bind_int64(st, i + 1, (sqlite3_int64)va_arg(ap, uint64_t));
	}
	va_end(ap);
	return st;
}

/* Run a statement that gives no rows. */
static int finish_statement(struct catalog *c, sqlite3_stmt *st, struct error *err)
{
	int status;

	if (!st)
		return -1;
	status = sqlite3_step(st) == SQLITE_DONE ? 0 : catalog_error(c, err);
	sqlite3_finalize(st);
	return status;
}

static char *column_text(sqlite3_stmt *st, int column)
{
	const unsigned char *text = sqlite3_column_text(st, column);

	return text ? xstrdup((const char *)text) : NULL;
}

static uint64_t column_uint(sqlite3_stmt *st, int column)
{
	return (uint64_t)sqlite3_column_int64(st, column);
}

int catalog_is_current(struct catalog *c, const char *part, const char *key, bool *ret,
		       struct error *err)
{
	sqlite3_stmt *st =
		statement(c, err, "SELECT 1 FROM part WHERE name = ? AND key = ?", "ss", part, key);
	int code;

	if (!st)
		return -1;
	code = sqlite3_step(st);
	*ret = code == SQLITE_ROW;
	if (code != SQLITE_ROW && code != SQLITE_DONE)
		catalog_error(c, err);
	sqlite3_finalize(st);
	return code == SQLITE_ROW || code == SQLITE_DONE ? 0 : -1;
}

/* --- rebuilding ------------------------------------------------------------------------------- */

static int set_key(struct catalog *c, const char *part, const char *key, struct error *err)
{
	return finish_statement(c,
				statement(c, err, "INSERT OR REPLACE INTO part VALUES (?, ?)", "ss",
					  part, key),
				err);
}

static int insert_image(struct catalog *c, const struct catalog_image *i, struct error *err)
{
	return finish_statement(c,
				statement(c, err, "INSERT INTO image VALUES (?, ?, ?, ?, ?, ?, ?)",
					  "sssssss", i->ref, i->digest, i->manifest, i->platform,
					  i->created, i->pool, i->chain_id),
				err);
}

static int insert_layer(struct catalog *c, const char *pool, const struct catalog_layer *l,
			struct error *err)
{
	return finish_statement(c,
				statement(c, err, "INSERT INTO layer VALUES (?, ?, ?, ?, ?, ?, ?)",
					  "sisssii", pool, (uint64_t)l->thin_id, l->chain_id,
					  l->diff_id, l->parent, l->content_bytes, l->mapped_bytes),
				err);
}

static int insert_container(struct catalog *c, const char *pool, const struct catalog_container *k,
			    struct error *err)
{
	return finish_statement(
		c,
		statement(c, err,
			  "INSERT INTO container VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
			  "ssisssssiiii", pool, k->name, (uint64_t)k->thin_id, k->image,
			  k->manifest, k->created, k->chain_id, k->labels, k->size_bytes,
			  k->mapped_bytes, k->exclusive_bytes, (uint64_t)k->read_only),
		err);
}

static int rebuild_images(struct catalog *c, const char *key, const struct catalog_image *images,
			  size_t n, struct error *err)
{
	if (run_sql(c, "DELETE FROM image", err) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (insert_image(c, &images[i], err) < 0)
			return -1;
	return set_key(c, "images", key, err);
}

static int end_transaction(struct catalog *c, int status, struct error *err)
{
	if (status == 0)
		status = run_sql(c, "COMMIT", err);
	if (status < 0)
		sqlite3_exec(c->db, "ROLLBACK", NULL, NULL, NULL);
	return status;
}

int catalog_rebuild_images(struct catalog *c, const char *key, const struct catalog_image *images,
			   size_t n, struct error *err)
{
	if (run_sql(c, "BEGIN IMMEDIATE", err) < 0)
		return -1;
	return end_transaction(c, rebuild_images(c, key, images, n, err), err);
}

static int clear_pool(struct catalog *c, const char *pool, struct error *err)
{
	if (finish_statement(c, statement(c, err, "DELETE FROM layer WHERE pool = ?", "s", pool),
			     err)
	    < 0)
		return -1;
	return finish_statement(
		c, statement(c, err, "DELETE FROM container WHERE pool = ?", "s", pool), err);
}

static int rebuild_pool(struct catalog *c, const char *pool, const char *key,
			const struct catalog_layer *layers, size_t n_layers,
			const struct catalog_container *containers, size_t n_containers,
			struct error *err)
{
	cleanup_free char *part = xasprintf("pool:%s", pool);

	if (clear_pool(c, pool, err) < 0)
		return -1;
	for (size_t i = 0; i < n_layers; i++)
		if (insert_layer(c, pool, &layers[i], err) < 0)
			return -1;
	for (size_t i = 0; i < n_containers; i++)
		if (insert_container(c, pool, &containers[i], err) < 0)
			return -1;
	return set_key(c, part, key, err);
}

int catalog_rebuild_pool(struct catalog *c, const char *pool, const char *key,
			 const struct catalog_layer *layers, size_t n_layers,
			 const struct catalog_container *containers, size_t n_containers,
			 struct error *err)
{
	if (run_sql(c, "BEGIN IMMEDIATE", err) < 0)
		return -1;
	return end_transaction(c,
			       rebuild_pool(c, pool, key, layers, n_layers, containers,
					    n_containers, err),
			       err);
}

int catalog_begin(struct catalog *c, struct error *err)
{
	return run_sql(c, "BEGIN", err);
}

void catalog_end(struct catalog *c)
{
	if (!sqlite3_get_autocommit(c->db))
		sqlite3_exec(c->db, "ROLLBACK", NULL, NULL, NULL);
}

/* --- queries ---------------------------------------------------------------------------------- */

int catalog_images(struct catalog *c, const char *pool, struct catalog_image **ret, size_t *ret_n,
		   struct error *err)
{
	static const char sql[] =
		"WITH RECURSIVE chain(ref, pool, chain_id, parent, bytes) AS ("
		" SELECT i.ref, i.pool, l.chain_id, l.parent, l.content_bytes FROM image i"
		"  JOIN layer l ON l.pool = i.pool AND l.chain_id = i.chain_id WHERE i.pool = ?1"
		" UNION ALL"
		" SELECT c.ref, c.pool, l.chain_id, l.parent, l.content_bytes FROM chain c"
		"  JOIN layer l ON l.pool = c.pool AND l.chain_id = c.parent)"
		"SELECT ref, digest, manifest, platform, created, pool, chain_id,"
		" (SELECT count(*) FROM chain c WHERE c.ref = i.ref),"
		" (SELECT coalesce(sum(bytes), 0) FROM chain c WHERE c.ref = i.ref)"
		" FROM image i WHERE i.pool = ?1 ORDER BY ref";
	sqlite3_stmt *st = statement(c, err, sql, "s", pool);
	struct catalog_image *images = NULL;
	size_t n = 0, room = 0;
	int code;

	if (!st)
		return -1;
	while ((code = sqlite3_step(st)) == SQLITE_ROW) {
		ALLOC_GROW(images, n + 1, room);
		images[n++] = (struct catalog_image){
			.ref = column_text(st, 0),
			.digest = column_text(st, 1),
			.manifest = column_text(st, 2),
			.platform = column_text(st, 3),
			.created = column_text(st, 4),
			.pool = column_text(st, 5),
			.chain_id = column_text(st, 6),
			.layers = column_uint(st, 7),
			.size_bytes = column_uint(st, 8),
		};
	}
	sqlite3_finalize(st);
	if (code != SQLITE_DONE) {
		catalog_images_free(images, n);
		return catalog_error(c, err);
	}
	*ret = images;
	*ret_n = n;
	return 0;
}

int catalog_layers(struct catalog *c, const char *pool, struct catalog_layer **ret, size_t *ret_n,
		   struct error *err)
{
	sqlite3_stmt *st =
		statement(c, err,
			  "SELECT chain_id, diff_id, parent, thin_id, content_bytes, mapped_bytes"
			  " FROM layer WHERE pool = ? ORDER BY thin_id",
			  "s", pool);
	struct catalog_layer *layers = NULL;
	size_t n = 0, room = 0;
	int code;

	if (!st)
		return -1;
	while ((code = sqlite3_step(st)) == SQLITE_ROW) {
		ALLOC_GROW(layers, n + 1, room);
		layers[n++] = (struct catalog_layer){
			.chain_id = column_text(st, 0),
			.diff_id = column_text(st, 1),
			.parent = column_text(st, 2),
			.thin_id = (uint32_t)column_uint(st, 3),
			.content_bytes = column_uint(st, 4),
			.mapped_bytes = column_uint(st, 5),
		};
	}
	sqlite3_finalize(st);
	if (code != SQLITE_DONE) {
		catalog_layers_free(layers, n);
		return catalog_error(c, err);
	}
	*ret = layers;
	*ret_n = n;
	return 0;
}

int catalog_containers(struct catalog *c, const char *pool, struct catalog_container **ret,
		       size_t *ret_n, struct error *err)
{
	sqlite3_stmt *st =
		statement(c, err,
			  "SELECT name, image, manifest, created, chain_id, labels,"
			  " thin_id, size_bytes, mapped_bytes, exclusive_bytes, read_only"
			  " FROM container WHERE pool = ? ORDER BY name",
			  "s", pool);
	struct catalog_container *containers = NULL;
	size_t n = 0, room = 0;
	int code;

	if (!st)
		return -1;
	while ((code = sqlite3_step(st)) == SQLITE_ROW) {
		ALLOC_GROW(containers, n + 1, room);
		containers[n++] = (struct catalog_container){
			.name = column_text(st, 0),
			.image = column_text(st, 1),
			.manifest = column_text(st, 2),
			.created = column_text(st, 3),
			.chain_id = column_text(st, 4),
			.labels = column_text(st, 5),
			.thin_id = (uint32_t)column_uint(st, 6),
			.size_bytes = column_uint(st, 7),
			.mapped_bytes = column_uint(st, 8),
			.exclusive_bytes = column_uint(st, 9),
			.read_only = column_uint(st, 10) != 0,
		};
	}
	sqlite3_finalize(st);
	if (code != SQLITE_DONE) {
		catalog_containers_free(containers, n);
		return catalog_error(c, err);
	}
	*ret = containers;
	*ret_n = n;
	return 0;
}

void catalog_images_free(struct catalog_image *images, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(images[i].ref);
		free(images[i].digest);
		free(images[i].manifest);
		free(images[i].platform);
		free(images[i].created);
		free(images[i].pool);
		free(images[i].chain_id);
	}
	free(images);
}

void catalog_layers_free(struct catalog_layer *layers, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(layers[i].chain_id);
		free(layers[i].diff_id);
		free(layers[i].parent);
	}
	free(layers);
}

void catalog_containers_free(struct catalog_container *containers, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(containers[i].name);
		free(containers[i].image);
		free(containers[i].manifest);
		free(containers[i].created);
		free(containers[i].chain_id);
		free(containers[i].labels);
	}
	free(containers);
}
