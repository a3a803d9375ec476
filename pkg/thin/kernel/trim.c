/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Free blocks discarded below a pool in use. A block that is free now can be taken by a container's
 * write in the next moment, and a discard that came after it would take the data away. So nobody can
 * allocate meanwhile: the pool is suspended, which also has it commit; its map is read anew; what is
 * free by that is discarded; then it is resumed. All under the pool's lock, without which nobody
 * resumes it. Short stretches, so that containers wait no longer than for a busy disk.
 *
 * Nothing is asked meanwhile of memory or of others that could need a device of this pool, and no
 * signal ends us; after a kill the next command resumes the pool.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/base/interrupt.h"
#include "pkg/thin/file/engine.h"
#include "pkg/thin/kernel/pool_internal.h"
#include "pkg/thin/kernel/sysfs.h"
#include "pkg/thin/kernel/volume_node.h"

/* Of one discard: a disk may take its time for it. */
#define PIECE_BYTES (UINT64_C(256) << 20)

struct trim {
	struct tk_pool *pool;
	unsigned stretch_ms;
	uint64_t at; /* blocks before this one are done */
	bool done;
};

/* What a stretch works on: another pool device may stand on others. */
struct below {
	char *metadata;		 /* path of the node */
	struct kernel_node data; /* to write, beside the pool, which has it too */
};

static void below_release(struct below *b)
{
	free(b->metadata);
	kernel_node_close(&b->data);
}

static int node_of(const char *device, char **ret, struct error *err)
{
	*ret = sysfs_kernel_node(device);
	return *ret ? 0 : error_set(err, ERR_SYSTEM, "block device %s is not in /sys", device);
}

static int open_below(struct tk_pool *p, struct below *b, struct error *err)
{
	cleanup_free char *type = NULL, *params = NULL;
	struct kernel_pool_table table;
	struct devmap_target target;

	if (devmap_table(p->device.uuid, &target, &type, &params, err) < 0
	    || kernel_pool_table_parse(params, &table, err) < 0
	    || node_of(table.metadata, &b->metadata, err) < 0
	    || node_of(table.data, &b->data.path, err) < 0)
		return -1;
	b->data.fd = open(b->data.path, O_WRONLY | O_CLOEXEC);
	return b->data.fd < 0 ? error_sys(err, "open %s", b->data.path) : 0;
}

/* --- one stretch ------------------------------------------------------------------------------ */

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int discard(struct trim *t, struct below *b, uint64_t first, uint64_t n, struct error *err)
{
	uint64_t block_bytes = t->pool->block_bytes;
	int status = kernel_node_discard(&b->data, first * block_bytes, n * block_bytes, err);

	if (status == 1)
		return error_set(err, ERR_UNSUPPORTED, "%s takes no discards", b->data.path);
	return status;
}

/* What is free by a map that nobody changes. */
static int discard_free(struct trim *t, struct below *b, struct error *err)
{
	cleanup(thin_pool_close_ptr) struct thin_pool *map = NULL;
	uint64_t most = PIECE_BYTES / t->pool->block_bytes, first, n;
	int64_t end = now_ms() + t->stretch_ms;
	int status;

	if (thin_file_open_metadata(b->metadata, 0, &map, err) < 0)
		return -1;
	do {
		status = thin_file_free_run(map, t->at, most ? most : 1, &first, &n, err);
		if (status == 0 && n)
			status = discard(t, b, first, n, err);
		if (status == 0)
			t->at = first + n;
	} while (status == 0 && now_ms() < end);
	t->done = status == 1;
	return status < 0 ? -1 : 0;
}

/* Whatever happens it is resumed, and when that fails too this is what is told. */
static int discard_suspended(struct trim *t, struct below *b, struct error *err)
{
	const struct devmap_info *device = &t->pool->device;
	struct error second = {0};
	int status;

	if (devmap_suspend(device->uuid, DEVMAP_NOFLUSH | DEVMAP_NOLOCKFS, err) < 0)
		return -1;
	status = discard_free(t, b, err);
	if (devmap_resume(device->uuid, &second) == 0)
		return status;
	*err = second;
	return error_wrap(err, "pool %s stays suspended", device->name);
}

static int stretch(struct trim *t, struct error *err)
{
	cleanup(below_release) struct below b = {.data = {.fd = -1}};
	sigset_t all, before;
	int status;

	if (open_below(t->pool, &b, err) < 0)
		return -1;
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	status = discard_suspended(t, &b, err);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return status;
}

/* --- one after the other ---------------------------------------------------------------------- */

static int let_others_go_on(struct trim *t, struct error *err)
{
	struct timespec pause = {.tv_sec = t->stretch_ms / 1000,
				 .tv_nsec = t->stretch_ms % 1000 * 1000000L};

	if (thin_pool_pause(&t->pool->base, err) < 0)
		return -1;
	nanosleep(&pause, NULL);
	if (interrupt_check(err) < 0)
		return -1;
	return thin_pool_go_on(&t->pool->base, err);
}

int thin_kernel_trim(struct thin_pool *pool, unsigned stretch_ms, struct error *err)
{
	struct trim t = {.pool = tk_pool_of(pool), .stretch_ms = stretch_ms};

	if (tk_pool_check_writable(t.pool, err) < 0)
		return -1;
	if (t.pool->place.kind == THIN_PLACE_LVM)
		return error_set(
			err, ERR_UNSUPPORTED,
			"LVM may resume its pool while free blocks are looked for, and "
			"what is taken then would be lost ('fstrim' in a container that is "
			"mounted discards what it has free)");
	for (;;) {
		if (stretch(&t, err) < 0)
			return error_wrap(err, "pool %s", t.pool->device.name);
		if (t.done)
			return 0;
		if (let_others_go_on(&t, err) < 0)
			return -1;
	}
}
