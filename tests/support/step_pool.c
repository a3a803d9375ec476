/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each step is a whole session of the file engine. Locks and claims are those of sessions in this
 * process; a killed one has none.
 */
#include "tests/support/step_pool.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "pkg/base/alloc.h"
#include "pkg/thin/engine.h"
#include "pkg/thin/file/engine.h"
#include "tests/support/cmocka.h"

enum { CLAIMS_MAX = 16, OPEN_MAX = 16, LOCK_TRIES = 5000 };

struct step_pool {
	struct thin_pool base; /* first */
	const char *dir;
	bool killed;
	uint64_t transaction_id; /* as it knows it */
};

struct step_volume {
	struct thin_volume base; /* first */
	struct step_pool *pool;
	uint32_t id;
};

struct claim {
	const struct step_pool *by;
	uint32_t id;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static const struct step_pool *locked_by;
static struct claim claims[CLAIMS_MAX];
static const struct step_volume *volumes[OPEN_MAX];
static enum step_fault fault;
static unsigned countdown, makes;
static bool was_hit;

static struct step_pool *pool_of(struct thin_pool *pool)
{
	return (struct step_pool *)pool;
}

/* --- faults ----------------------------------------------------------------------------------- */

void step_pool_set_fault(enum step_fault f, unsigned n)
{
	fault = f;
	countdown = n;
	was_hit = false;
}

bool step_pool_clear_fault(void)
{
	bool hit = was_hit;

	step_pool_set_fault(STEP_NONE, 0);
	return hit;
}

unsigned step_pool_makes(void)
{
	return makes;
}

static int refuse(struct step_pool *p, struct error *err)
{
	return error_set(err, ERR_SYSTEM, p->killed ? "this process is dead" : "a step fails");
}

/* 0 = go on, 1 = half of it, -1 = fail. */
static int step(struct step_pool *p, struct error *err)
{
	if (p->killed)
		return refuse(p, err);
	if (fault == STEP_NONE || --countdown)
		return 0;
	was_hit = true;
	p->killed = fault == STEP_KILL;
	fault = STEP_NONE;
	if (!p->killed)
		return refuse(p, err);
	if (locked_by == p)
		locked_by = NULL;
	return 1;
}

/* --- one session of the file engine for each step --------------------------------------------- */

static int open_inner(const char *dir, enum thin_file_mode mode, struct thin_pool **ret,
		      struct error *err)
{
	struct thin_file_open how = {.mode = mode, .verb = "step", .lock_timeout_ms = 1000};

	return thin_file_open(dir, &how, ret, err);
}

static int end_inner(struct thin_pool *inner, int status, struct error *err)
{
	struct thin_pool_status st;

	if (status == 0)
		status = thin_pool_status(inner, &st, err);
	if (status == 0)
		status = thin_pool_commit(inner, st.transaction_id, err);
	thin_pool_close(inner);
	return status;
}

enum change { MAKE_THIN, MAKE_SNAP, DELETE };

static int change_inner(struct step_pool *p, enum change what, uint32_t id, uint32_t origin,
			struct error *err)
{
	struct thin_pool *inner;
	int status;

	if (open_inner(p->dir, THIN_FILE_WRITE, &inner, err) < 0)
		return -1;
	if (what == MAKE_THIN)
		status = thin_pool_create_thin(inner, id, err);
	else if (what == MAKE_SNAP)
		status = thin_pool_create_snap(inner, id, origin, err);
	else
		status = thin_pool_delete(inner, id, err);
	makes += what != DELETE && status == 0;
	return end_inner(inner, status, err);
}

static int change(struct thin_pool *pool, enum change what, uint32_t id, uint32_t origin,
		  struct error *err)
{
	struct step_pool *p = pool_of(pool);
	int status;

	pthread_mutex_lock(&mutex);
	if (!p->killed)
		assert_ptr_equal(locked_by, p);
	status = step(p, err) ? refuse(p, err) : change_inner(p, what, id, origin, err);
	pthread_mutex_unlock(&mutex);
	return status;
}

static int create_thin(struct thin_pool *pool, uint32_t id, struct error *err)
{
	return change(pool, MAKE_THIN, id, 0, err);
}

static int create_snap(struct thin_pool *pool, uint32_t id, uint32_t origin, struct error *err)
{
	return change(pool, MAKE_SNAP, id, origin, err);
}

static int delete (struct thin_pool *pool, uint32_t id, struct error *err)
{
	for (size_t i = 0; i < OPEN_MAX; i++)
		if (volumes[i] && volumes[i]->id == id && !volumes[i]->pool->killed)
			return error_set(err, ERR_BUSY, "thin %u is open", id);
	return change(pool, DELETE, id, 0, err);
}

/* --- volumes ---------------------------------------------------------------------------------- */

static int read_inner(struct step_volume *v, void *buf, size_t len, uint64_t offset,
		      struct error *err)
{
	struct thin_pool *inner;
	struct thin_volume *volume;
	int status;

	if (open_inner(v->pool->dir, THIN_FILE_READ, &inner, err) < 0)
		return -1;
	status = thin_pool_open_volume(inner, v->id, v->base.size_bytes, false, &volume, err);
	if (status == 0) {
		status = thin_volume_read(volume, buf, len, offset, err);
		thin_volume_close(volume);
	}
	thin_pool_close(inner);
	return status;
}

static int volume_read(struct thin_volume *volume, void *buf, size_t len, uint64_t offset,
		       struct error *err)
{
	struct step_volume *v = (struct step_volume *)volume;
	int status;

	pthread_mutex_lock(&mutex);
	status = v->pool->killed ? refuse(v->pool, err) : read_inner(v, buf, len, offset, err);
	pthread_mutex_unlock(&mutex);
	return status;
}

static int write_inner(struct step_volume *v, const void *buf, size_t len, uint64_t offset,
		       struct error *err)
{
	struct thin_pool *inner;
	struct thin_volume *volume;
	int status;

	if (open_inner(v->pool->dir, THIN_FILE_WRITE, &inner, err) < 0)
		return -1;
	status = thin_pool_open_volume(inner, v->id, v->base.size_bytes, true, &volume, err);
	if (status == 0) {
		status = thin_volume_write(volume, buf, len, offset, err);
		thin_volume_close(volume);
	}
	return end_inner(inner, status, err);
}

static int volume_write(struct thin_volume *volume, const void *buf, size_t len, uint64_t offset,
			struct error *err)
{
	struct step_volume *v = (struct step_volume *)volume;
	int cut, status = -1;

	pthread_mutex_lock(&mutex);
	cut = step(v->pool, err);
	if (cut >= 0)
		status = write_inner(v, buf, cut ? len / 2 : len, offset, err);
	if (cut == 1)
		status = refuse(v->pool, err);
	pthread_mutex_unlock(&mutex);
	return status;
}

static void volume_close(struct thin_volume *volume)
{
	pthread_mutex_lock(&mutex);
	for (size_t i = 0; i < OPEN_MAX; i++)
		if (volumes[i] == (struct step_volume *)volume)
			volumes[i] = NULL;
	pthread_mutex_unlock(&mutex);
	free(volume);
}

static const struct thin_volume_ops volume_ops = {
	.read = volume_read,
	.write = volume_write,
	.close = volume_close,
};

/* As the kernel refuses a table for a device that it does not have. */
static int is_there(struct step_pool *p, uint32_t id, uint32_t *ret_block_bytes, struct error *err)
{
	struct thin_pool_status st;
	struct thin_device device;
	struct thin_pool *inner;
	int status;

	if (open_inner(p->dir, THIN_FILE_READ, &inner, err) < 0)
		return -1;
	status = thin_pool_device(inner, id, &device, err);
	if (status == 0)
		status = thin_pool_status(inner, &st, err);
	if (status == 0)
		*ret_block_bytes = st.block_bytes;
	thin_pool_close(inner);
	return status;
}

static int open_volume(struct thin_pool *pool, uint32_t id, uint64_t size_bytes, bool writable,
		       struct thin_volume **ret, struct error *err)
{
	struct step_pool *p = pool_of(pool);
	uint32_t block_bytes = 0;
	struct step_volume *v;
	size_t i = 0;

	if (p->killed)
		return refuse(p, err);
	if (is_there(p, id, &block_bytes, err) < 0)
		return -1;
	v = xcalloc(1, sizeof(*v));
	v->base = (struct thin_volume){.ops = &volume_ops,
				       .size_bytes = size_bytes,
				       .block_bytes = block_bytes,
				       .writable = writable};
	v->pool = p;
	v->id = id;
	pthread_mutex_lock(&mutex);
	while (volumes[i])
		assert_true(++i < OPEN_MAX);
	volumes[i] = v;
	pthread_mutex_unlock(&mutex);
	*ret = &v->base;
	return 0;
}

/* --- transactions ----------------------------------------------------------------------------- */

static int read_transaction_id(const char *dir, uint64_t *ret, struct error *err)
{
	struct thin_pool_status st;
	struct thin_pool *inner;
	int status;

	if (open_inner(dir, THIN_FILE_READ, &inner, err) < 0)
		return -1;
	status = thin_pool_status(inner, &st, err);
	thin_pool_close(inner);
	if (status == 0)
		*ret = st.transaction_id;
	return status;
}

static int set_transaction_id(struct step_pool *p, uint64_t id, struct error *err)
{
	struct thin_pool *inner;
	uint64_t now;
	int status;

	if (step(p, err))
		return refuse(p, err);
	if (read_transaction_id(p->dir, &now, err) < 0)
		return -1;
	if (now != p->transaction_id)
		return error_set(err, ERR_INCONSISTENT, "somebody else moved the transaction id");
	if (open_inner(p->dir, THIN_FILE_WRITE, &inner, err) < 0)
		return -1;
	status = thin_pool_commit(inner, id, err);
	thin_pool_close(inner);
	if (status == 0)
		p->transaction_id = id;
	return status;
}

static int commit(struct thin_pool *pool, uint64_t id, struct error *err)
{
	struct step_pool *p = pool_of(pool);
	int status;

	pthread_mutex_lock(&mutex);
	if (!p->killed)
		assert_ptr_equal(locked_by, p);
	status = set_transaction_id(p, id, err);
	pthread_mutex_unlock(&mutex);
	return status;
}

static int abort_changes(struct thin_pool *pool, struct error *err)
{
	struct step_pool *p = pool_of(pool);

	if (p->killed)
		return refuse(p, err);
	return read_transaction_id(p->dir, &p->transaction_id, err);
}

void step_pool_move_transaction_id(const char *dir, uint64_t to)
{
	struct error err = {0};
	struct thin_pool *inner;

	assert_ok(open_inner(dir, THIN_FILE_WRITE, &inner, &err), &err);
	assert_ok(thin_pool_commit(inner, to, &err), &err);
	thin_pool_close(inner);
}

/* --- looking ---------------------------------------------------------------------------------- */

static int status(struct thin_pool *pool, struct thin_pool_status *ret, struct error *err)
{
	struct step_pool *p = pool_of(pool);
	struct thin_pool *inner;
	int rc;

	if (p->killed)
		return refuse(p, err);
	if (open_inner(p->dir, THIN_FILE_READ, &inner, err) < 0)
		return -1;
	rc = thin_pool_status(inner, ret, err);
	thin_pool_close(inner);
	return rc;
}

static int device(struct thin_pool *pool, uint32_t id, struct thin_device *ret, struct error *err)
{
	struct thin_pool *inner;
	int rc;

	if (open_inner(pool_of(pool)->dir, THIN_FILE_READ, &inner, err) < 0)
		return -1;
	rc = thin_pool_device(inner, id, ret, err);
	thin_pool_close(inner);
	return rc;
}

static int devices(struct thin_pool *pool, struct thin_device **ret, size_t *ret_n,
		   struct error *err)
{
	struct thin_pool *inner;
	int rc;

	if (open_inner(pool_of(pool)->dir, THIN_FILE_READ, &inner, err) < 0)
		return -1;
	rc = thin_pool_devices(inner, ret, ret_n, err);
	thin_pool_close(inner);
	return rc;
}

/* --- lock and claims -------------------------------------------------------------------------- */

static int pause_session(struct thin_pool *pool, struct error *err)
{
	struct step_pool *p = pool_of(pool);

	if (p->killed)
		return refuse(p, err);
	pthread_mutex_lock(&mutex);
	if (locked_by == p)
		locked_by = NULL;
	pthread_mutex_unlock(&mutex);
	return 0;
}

static bool try_lock(struct step_pool *p)
{
	bool done;

	pthread_mutex_lock(&mutex);
	if (!locked_by)
		locked_by = p;
	done = locked_by == p;
	pthread_mutex_unlock(&mutex);
	return done;
}

static int go_on(struct thin_pool *pool, struct error *err)
{
	struct step_pool *p = pool_of(pool);
	struct timespec pause = {.tv_nsec = 1000000};

	if (p->killed)
		return refuse(p, err);
	for (unsigned tries = 0; !try_lock(p); tries++) {
		if (tries == LOCK_TRIES)
			return error_set(err, ERR_BUSY, "another session has the pool");
		nanosleep(&pause, NULL);
	}
	return read_transaction_id(p->dir, &p->transaction_id, err);
}

static struct claim *find_claim(uint32_t id)
{
	for (size_t i = 0; i < CLAIMS_MAX; i++)
		if (claims[i].by && !claims[i].by->killed && claims[i].id == id)
			return &claims[i];
	return NULL;
}

static int claim(struct thin_pool *pool, uint32_t id, struct error *err)
{
	struct step_pool *p = pool_of(pool);
	struct claim *c;
	size_t i = 0;
	bool taken;

	if (p->killed)
		return refuse(p, err);
	pthread_mutex_lock(&mutex);
	c = find_claim(id);
	taken = c && c->by != p;
	while (!c && claims[i].by)
		assert_true(++i < CLAIMS_MAX);
	if (!c)
		claims[i] = (struct claim){.by = p, .id = id};
	pthread_mutex_unlock(&mutex);
	return taken;
}

static void unclaim(struct thin_pool *pool, uint32_t id)
{
	pthread_mutex_lock(&mutex);
	for (size_t i = 0; i < CLAIMS_MAX; i++)
		if (claims[i].by == pool_of(pool) && claims[i].id == id)
			claims[i] = (struct claim){0};
	pthread_mutex_unlock(&mutex);
}

static bool is_claimed(struct thin_pool *pool, uint32_t id)
{
	const struct claim *c;
	bool result;

	pthread_mutex_lock(&mutex);
	c = find_claim(id);
	result = c && c->by != pool_of(pool);
	pthread_mutex_unlock(&mutex);
	return result;
}

static void close_pool(struct thin_pool *pool)
{
	struct step_pool *p = pool_of(pool);

	pthread_mutex_lock(&mutex);
	if (locked_by == p)
		locked_by = NULL;
	for (size_t i = 0; i < CLAIMS_MAX; i++)
		if (claims[i].by == p)
			claims[i] = (struct claim){0};
	pthread_mutex_unlock(&mutex);
	free(p);
}

static const struct thin_pool_ops ops = {
	.create_thin = create_thin,
	.create_snap = create_snap,
	.delete = delete,
	.open_volume = open_volume,
	.commit = commit,
	.abort = abort_changes,
	.status = status,
	.device = device,
	.devices = devices,
	.pause = pause_session,
	.go_on = go_on,
	.claim = claim,
	.unclaim = unclaim,
	.is_claimed = is_claimed,
	.close = close_pool,
};

struct thin_pool *step_pool_open(const char *dir)
{
	struct step_pool *p = xcalloc(1, sizeof(*p));
	struct error err = {0};

	p->base.ops = &ops;
	p->dir = dir;
	assert_ok(go_on(&p->base, &err), &err);
	return &p->base;
}
