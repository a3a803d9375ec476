/* SPDX-License-Identifier: Apache-2.0 */
/* The root folder and its pool: opening, sessions, check. */
#include "oci/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "oci/store_internal.h"
#include "pkg/base/alloc.h"
#include "pkg/base/fdio.h"
#include "pkg/base/log.h"
#include "pkg/thin/file/dump.h"
#include "pkg/thin/file/engine.h"
#include "pkg/thin/file/fsck.h"
#include "pkg/thin/kernel/engine.h"
#include "pkg/thin/place.h"

enum { CHECK_TRIES = 50 };

/* --- names and folders ------------------------------------------------------------------------ */

bool store_is_name(const char *text)
{
	static const char chars[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
	size_t len = strlen(text);

	return len > 0 && len <= STORE_NAME_MAX && !strchr("_.-", text[0])
	       && strspn(text, chars) == len;
}

static char *absolute_path(const char *path, struct error *err)
{
	cleanup_free char *cwd = NULL;

	if (path[0] == '/')
		return xstrdup(path);
	cwd = getcwd(NULL, 0);
	if (!cwd) {
		error_sys(err, "find the current folder");
		return NULL;
	}
	return xasprintf("%s/%s", cwd, path);
}

/* The real path, so that a root has one such folder whatever way it was named. */
static char *run_dir_of(const struct store *s, const char *run_dir, struct error *err)
{
	cleanup_free char *base =
		run_dir ? absolute_path(run_dir, err) : xasprintf("%s/run", s->root);
	cleanup_free char *real = realpath(s->root, NULL);
	char text[DIGEST_TEXT_BYTES];
	struct digest hash;

	if (!base)
		return NULL;
	if (!real) {
		error_sys(err, "%s", s->root);
		return NULL;
	}
	digest_of(DIGEST_SHA256, real, strlen(real), &hash);
	return xasprintf("%s/%.8s/%s", base, digest_hex(&hash, text), s->pool);
}

int store_open(const struct store_options *o, struct store **ret, struct error *err)
{
	cleanup(store_close_ptr) struct store *s = xcalloc(1, sizeof(*s));

	if (!store_is_name(o->pool))
		return error_set(err, ERR_USAGE, "\"%s\" is no name for a pool", o->pool);
	s->root = absolute_path(o->root, err);
	if (!s->root)
		return -1;
	s->pool = xstrdup(o->pool);
	s->verb = xstrdup(o->verb);
	s->engine = o->engine;
	s->pools_dir = xasprintf("%s/pools", s->root);
	s->pool_dir = xasprintf("%s/%s", s->pools_dir, s->pool);
	s->spool_dir = xasprintf("%s/spool", s->root);
	s->containers_dir = xasprintf("%s/containers/%s", s->root, s->pool);
	s->volume_lock_fd = -1;
	s->lock_timeout_ms = o->lock_timeout_ms;
	s->min_free_data_percent = o->min_free_data_percent;
	s->min_free_metadata_percent = o->min_free_metadata_percent;
	s->autoextend = o->autoextend;
	if (fdio_mkdirs(s->pools_dir, err) < 0 || fdio_mkdirs(s->spool_dir, err) < 0)
		return -1;
	s->run_dir = run_dir_of(s, o->run_dir, err);
	if (!s->run_dir)
		return -1;
	*ret = steal(&s);
	return 0;
}

void store_close(struct store *s)
{
	if (!s)
		return;
	cleanup_fd_ptr(&s->volume_lock_fd);
	content_close(s->content);
	catalog_close(s->catalog);
	free(s->root);
	free(s->pool);
	free(s->pool_dir);
	free(s->pools_dir);
	free(s->spool_dir);
	free(s->run_dir);
	free(s->containers_dir);
	free(s->verb);
	free(s);
}

const char *store_root(const struct store *s)
{
	return s->root;
}

const char *store_pool_name(const struct store *s)
{
	return s->pool;
}

const char *store_pool_dir(const struct store *s)
{
	return s->pool_dir;
}

const char *store_spool_dir(const struct store *s)
{
	return s->spool_dir;
}

const char *store_run_dir(const struct store *s)
{
	return s->run_dir;
}

int store_engine(const struct store *s, struct thin_engine_choice *ret, struct error *err)
{
	return thin_engine_choose(store_pool_exists(s) ? s->pool_dir : NULL, s->engine, ret, err);
}

int store_content(struct store *s, struct content **ret, struct error *err)
{
	cleanup_free char *dir = xasprintf("%s/content", s->root);

	if (!s->content && content_open(dir, &s->content, err) < 0)
		return -1;
	*ret = s->content;
	return 0;
}

/* --- sessions --------------------------------------------------------------------------------- */

bool store_pool_exists(const struct store *s)
{
	return access(s->pool_dir, F_OK) == 0;
}

/* The engine for who only looks: one that need not activate anything. */
static int engine_to_look(struct store *s, enum thin_engine *ret, struct error *err)
{
	cleanup(thin_place_release) struct thin_place place = {0};

	if (thin_place_load(s->pool_dir, &place, err) < 0)
		return -1;
	if (thin_kernel_is_active(s->pool_dir, &place))
		return 0;
	if (place.kind != THIN_PLACE_FILES)
		return error_set(err, ERR_UNSUPPORTED,
				 "it is not active; 'thinpull pool activate' makes it so");
	*ret = THIN_ENGINE_FILE;
	return 0;
}

int store_open_pool(struct store *s, enum thin_mode mode, struct thin_pool **ret, struct error *err)
{
	struct thin_open how = {.engine = s->engine,
				.mode = mode,
				.verb = s->verb,
				.lock_timeout_ms = s->lock_timeout_ms};

	if (!store_pool_exists(s))
		return error_set(err, ERR_NOT_FOUND, "there is no pool %s in %s", s->pool, s->root);
	if ((s->only_look && engine_to_look(s, &how.engine, err) < 0)
	    || thin_open(s->pool_dir, &how, ret, err) < 0)
		return error_wrap(err, "pool %s", s->pool);
	return 0;
}

int store_pool_status(struct store *s, struct thin_pool_status *ret, struct error *err)
{
	cleanup(thin_pool_close_ptr) struct thin_pool *pool = NULL;

	if (store_open_pool(s, THIN_READ, &pool, err) < 0)
		return -1;
	return thin_pool_status(pool, ret, err);
}

int store_read(struct store *s, struct snapshots **ret, struct error *err)
{
	struct thin_pool *pool = NULL;

	if (store_open_pool(s, THIN_READ, &pool, err) < 0)
		return -1;
	if (snapshots_open(&pool, ret, err) < 0)
		return error_wrap(err, "pool %s", s->pool);
	return 0;
}

/* Files of killed commands go in passing, where nobody makes such just now. */
static void remove_leftovers(struct store *s)
{
	struct error ignored = {0};
	struct content *content;

	store_remove_unfinished_pools(s);
	if (store_content(s, &content, &ignored) == 0)
		content_mend(content);
}

int store_write(struct store *s, struct snapshots **ret, struct error *err)
{
	struct thin_pool *pool = NULL;

	remove_leftovers(s);
	if (store_open_pool(s, THIN_WRITE, &pool, err) < 0)
		return -1;
	if (snapshots_open_writable(&pool, store_layer_wanted, s, ret, err) < 0)
		return error_wrap(err, "pool %s", s->pool);
	return 0;
}

/* --- check ------------------------------------------------------------------------------------ */

static void add_finding(struct thin_findings *f, const char *kind, uint32_t thin_id,
			const char *text)
{
	struct thin_finding *finding;

	f->total++;
	f->unrepairable++;
	if (f->n >= THIN_FINDINGS_MAX)
		return;
	ALLOC_GROW(f->items, f->n + 1, f->room);
	finding = &f->items[f->n++];
	*finding = (struct thin_finding){0};
	snprintf(finding->kind, sizeof(finding->kind), "%s", kind);
	snprintf(finding->where, sizeof(finding->where), "thin %u", thin_id);
	snprintf(finding->text, sizeof(finding->text), "%s", text);
}

static bool has_intent(const struct record *r)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->entries[i].state != RECORD_READY)
			return true;
	return false;
}

/* Every id of the pool is in the record, and the other way round. */
static void compare_ids(const struct record *r, const struct thin_device *devices, size_t n,
			struct thin_findings *ret)
{
	size_t at = 0;

	for (size_t i = 0; i < n; i++)
		if (devices[i].id != RECORD_THIN_ID && !record_find_id(r, devices[i].id))
			add_finding(ret, "unrecorded", devices[i].id,
				    "in the pool, not in the record");
	for (size_t i = 0; i < r->n; i++) {
		while (at < n && devices[at].id < r->entries[i].thin_id)
			at++;
		if (at == n || devices[at].id != r->entries[i].thin_id)
			add_finding(ret, "missing", r->entries[i].thin_id,
				    "in the record, not in the pool");
	}
}

enum check_result {
	CHECK_DONE,
	CHECK_UNFINISHED, /* a command that was killed, or is under way, has left intents */
	CHECK_MOVED,	  /* a writer committed between a look at the record and one at the ids */
};

/* @last: what does not fit together now is no writer's doing. A check_result, or -1. */
static int check_record(struct store *s, bool last, struct thin_findings *ret, struct error *err)
{
	cleanup(snapshots_close_ptr) struct snapshots *snapshots = NULL;
	cleanup_free struct thin_device *devices = NULL;
	struct thin_pool_status status;
	const struct record *r;
	size_t n;

	if (store_read(s, &snapshots, err) < 0) {
		if (err->kind != ERR_INCONSISTENT)
			return -1;
		add_finding(ret, "record", RECORD_THIN_ID, err->cause);
		return CHECK_DONE;
	}
	r = snapshots_record(snapshots);
	if (has_intent(r))
		return CHECK_UNFINISHED;
	if (thin_pool_devices(snapshots_pool(snapshots), &devices, &n, err) < 0
	    || thin_pool_status(snapshots_pool(snapshots), &status, err) < 0)
		return -1;
	if (status.transaction_id != r->transaction_id && !last)
		return CHECK_MOVED;
	compare_ids(r, devices, n, ret);
	return CHECK_DONE;
}

static int check_once(struct store *s, bool last, struct thin_findings *ret, struct error *err)
{
	if (thin_file_check(s->pool_dir, s->lock_timeout_ms, ret, err) < 0)
		return error_wrap(err, "pool %s", s->pool);
	return ret->total > 0 ? CHECK_DONE : check_record(s, last, ret, err);
}

/* What a killed command left is no damage: opening for writing ends it. */
static int end_intents(struct store *s, struct error *err)
{
	cleanup(snapshots_close_ptr) struct snapshots *mended = NULL;

	return store_write(s, &mended, err);
}

int store_pool_dump(struct store *s, bool held, const struct thin_dump_sink *sink,
		    struct error *err)
{
	cleanup(thin_pool_close_ptr) struct thin_pool *pool = NULL;

	if (store_open_pool(s, THIN_READ, &pool, err) < 0)
		return -1;
	return thin_file_dump(pool, held, sink, err);
}

int store_pool_check(struct store *s, struct thin_findings *ret, struct error *err)
{
	if (!store_pool_exists(s))
		return error_set(err, ERR_NOT_FOUND, "there is no pool %s in %s", s->pool, s->root);
	remove_leftovers(s);
	for (unsigned tries = 1;; tries++) {
		int result = check_once(s, tries >= CHECK_TRIES, ret, err);

		if (result < 0)
			return -1;
		if (result == CHECK_DONE)
			return 0;
		if (result == CHECK_UNFINISHED && end_intents(s, err) < 0)
			return -1;
	}
}
