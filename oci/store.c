/* SPDX-License-Identifier: Apache-2.0 */
/* The root folder and its pool: opening, sessions. */
#include "oci/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "oci/store_internal.h"
#include "pkg/base/alloc.h"
#include "pkg/base/fdio.h"
#include "pkg/base/log.h"
#include "pkg/thin/file/engine.h"
#include "pkg/thin/kernel/engine.h"
#include "pkg/thin/place.h"

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
	snapshots_close(s->seen);
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

void store_set_look(struct store *s, enum store_look look)
{
	s->look = look;
}

/* For who need not activate anything: the engine that does not. */
static int engine_to_look(struct store *s, enum thin_engine *engine, struct error *err)
{
	cleanup(thin_place_release) struct thin_place place = {0};

	if (s->look == STORE_ACTIVATE)
		return 0;
	if (thin_place_load(s->pool_dir, &place, err) < 0)
		return -1;
	if (thin_kernel_is_active(s->pool_dir, &place))
		return 0;
	if (place.kind == THIN_PLACE_FILES)
		*engine = THIN_ENGINE_FILE;
	else if (s->look == STORE_ONLY_LOOK)
		return error_set(err, ERR_UNSUPPORTED,
				 "it is not active; 'thinpull pool activate' makes it so");
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
	if (engine_to_look(s, &how.engine, err) < 0 || thin_open(s->pool_dir, &how, ret, err) < 0)
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

/*
 * The session that mending has left, as if it were opened now. 0, -1, 1 = there is none, or what is
 * wrong with it an open tells better.
 */
static int renew(struct store *s, bool writing, struct snapshots **ret, struct error *err)
{
	cleanup(snapshots_close_ptr) struct snapshots *seen = steal(&s->seen);

	if (!seen)
		return 1;
	if (thin_pool_renew(snapshots_pool(seen), writing, s->lock_timeout_ms, err) == 0) {
		*ret = steal(&seen);
		return 0;
	}
	if (err->kind == ERR_BUSY || err->kind == ERR_INTERRUPTED)
		return error_wrap(err, "pool %s", s->pool);
	error_clear(err);
	return 1;
}

static int read_again(struct store *s, struct snapshots **ret, struct error *err)
{
	cleanup(snapshots_close_ptr) struct snapshots *seen = NULL;
	int status = renew(s, false, &seen, err);

	if (status != 0)
		return status;
	if (snapshots_look_again(seen, err) < 0)
		return error_wrap(err, "pool %s", s->pool);
	*ret = steal(&seen);
	return 0;
}

int store_read(struct store *s, struct snapshots **ret, struct error *err)
{
	struct thin_pool *pool = NULL;
	int status = read_again(s, ret, err);

	if (status <= 0)
		return status;
	if (store_open_pool(s, THIN_READ, &pool, err) < 0)
		return -1;
	if (snapshots_open(&pool, ret, err) < 0)
		return error_wrap(err, "pool %s", s->pool);
	return 0;
}

struct snapshots *store_keep(struct snapshots **session)
{
	return thin_pool_is_atomic(snapshots_pool(*session)) ? NULL : steal(session);
}

void store_keep_written(struct store *s, struct snapshots **session)
{
	struct error ignored = {0};

	if (snapshots_rest(session, &ignored) < 0 || !*session)
		return;
	snapshots_close(s->seen);
	s->seen = steal(session);
}

static int write_again(struct store *s, struct snapshots **ret, struct error *err)
{
	cleanup(snapshots_close_ptr) struct snapshots *seen = NULL;
	int status = renew(s, true, &seen, err);

	if (status != 0)
		return status;
	store_extend_in_passing(s, snapshots_pool(seen), 0);
	if (snapshots_begin_writing(seen, store_layer_wanted, s, err) < 0)
		return error_wrap(err, "pool %s", s->pool);
	*ret = steal(&seen);
	return 0;
}

int store_write(struct store *s, struct snapshots **ret, struct error *err)
{
	struct thin_pool *pool = NULL;
	int status = write_again(s, ret, err);

	if (status <= 0)
		return status;
	if (store_open_pool(s, THIN_WRITE, &pool, err) < 0)
		return -1;
	store_extend_in_passing(s, pool, 0);
	if (snapshots_open_writable(&pool, store_layer_wanted, s, ret, err) < 0)
		return error_wrap(err, "pool %s", s->pool);
	return 0;
}
