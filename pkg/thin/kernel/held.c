/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What only the metadata tells: which thin devices there are, what they map, what nobody else maps.
 * The file engine's reader looks at the kernel's last commit on the metadata device, and looks again
 * when there was another one meanwhile: nobody is kept from anything. A pool that is changed all the
 * time is asked for a metadata snapshot instead, for as long as one question takes:
 *
 *   DIR/held   flock()ed meanwhile, so that two readers do not meet; not empty while the snapshot is
 *              ours, so that what a kill left is told from another program's
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/base/fdio.h"
#include "pkg/base/log.h"
#include "pkg/thin/file/engine.h"
#include "pkg/thin/file/lock.h"
#include "pkg/thin/kernel/pool_internal.h"
#include "pkg/thin/kernel/sysfs.h"

static const char mark[] = "ours\n";

/* --- the metadata device ---------------------------------------------------------------------- */

static int open_metadata(struct tk_pool *p, uint64_t held_root, struct thin_pool **ret,
			 struct error *err)
{
	cleanup_free char *type = NULL, *params = NULL, *path = NULL;
	struct kernel_pool_table table;
	struct devmap_target target;

	if (devmap_table(p->device.uuid, &target, &type, &params, err) < 0
	    || kernel_pool_table_parse(params, &table, err) < 0)
		return -1;
	path = sysfs_kernel_node(table.metadata);
	if (!path)
		return error_set(err, ERR_SYSTEM, "block device %s is not in /sys", table.metadata);
	return thin_file_open_metadata(path, held_root, ret, err);
}

static int have_reader(struct tk_pool *p, struct error *err)
{
	return p->reader ? 0 : open_metadata(p, 0, &p->reader, err);
}

/* --- a metadata snapshot of our own ----------------------------------------------------------- */

struct hold {
	struct tk_pool *pool;
	int fd; /* DIR/held */
	struct thin_pool *reader;
	bool reserved;
};

static void hold_release(struct hold *h)
{
	struct error err = {0};

	thin_pool_close(h->reader);
	if (h->reserved && thin_pool_release_metadata_snap(&h->pool->base, &err) < 0)
		log_debug("the metadata snapshot stays: %s", err.cause);
	else if (h->fd >= 0 && ftruncate(h->fd, 0) < 0)
		log_debug("%s/held: %s", h->pool->dir, strerror(errno));
	cleanup_fd_ptr(&h->fd);
}

static int lock_held(struct hold *h, struct error *err)
{
	const char *dir = h->pool->dir;
	cleanup_free char *path = xasprintf("%s/held", dir);
	bool is_new = access(path, F_OK) < 0;

	h->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (h->fd < 0)
		return error_sys(err, "open %s", path);
	if (tf_lock_take(dir, TF_LOCK_OWNER, h->fd, h->pool->lock_timeout_ms, err) < 0)
		return err->kind != ERR_BUSY
			       ? -1
			       : error_set(err, ERR_BUSY,
					   "other processes look at the metadata of pool %s", dir);
	return is_new ? fdio_sync_dir(dir, err) : 0;
}

/* One that a killed command left goes. One that another program has is in the way. */
static int clear_way(struct hold *h, struct error *err)
{
	struct kernel_pool_status st;

	if (tk_pool_read_status(h->pool, &st, err) < 0)
		return -1;
	if (!st.held_root)
		return 0;
	if (lseek(h->fd, 0, SEEK_END) == 0)
		return error_set(err, ERR_BUSY,
				 "pool %s is changed all the time, and has a metadata snapshot of "
				 "another program's (block %llu)",
				 h->pool->device.name, (unsigned long long)st.held_root);
	log_debug("mending: metadata snapshot %llu was left", (unsigned long long)st.held_root);
	return thin_pool_release_metadata_snap(&h->pool->base, err);
}

/* On disk before it is true: after a power cut nobody else would know whose it is. */
static int reserve(struct hold *h, uint64_t *ret_root, struct error *err)
{
	struct kernel_pool_status st;

	if (pwrite(h->fd, mark, strlen(mark), 0) < 0 || fdatasync(h->fd) < 0)
		return error_sys(err, "%s/held", h->pool->dir);
	if (thin_pool_reserve_metadata_snap(&h->pool->base, err) < 0)
		return -1;
	h->reserved = true;
	if (tk_pool_read_status(h->pool, &st, err) < 0)
		return -1;
	*ret_root = st.held_root;
	return 0;
}

static int open_hold(struct hold *h, struct error *err)
{
	uint64_t root = 0;

	if (lock_held(h, err) < 0 || clear_way(h, err) < 0 || reserve(h, &root, err) < 0)
		return -1;
	return open_metadata(h->pool, root, &h->reader, err);
}

/* --- questions -------------------------------------------------------------------------------- */

typedef int question_fn(struct thin_pool *reader, void *arg, struct error *err);

static int ask_in_peace(struct tk_pool *p, question_fn *question, void *arg, struct error *err)
{
	cleanup(hold_release) struct hold h = {.pool = p, .fd = -1};

	if (open_hold(&h, err) < 0)
		return -1;
	return question(h.reader, arg, err);
}

/* 0, 1 = it changes all the time, -1. */
static int ask_in_passing(struct tk_pool *p, question_fn *question, void *arg, struct error *err)
{
	if (have_reader(p, err) < 0)
		return error_wrap(err, "metadata of %s", p->device.name);
	if (question(p->reader, arg, err) == 0)
		return 0;
	if (err->kind != ERR_BUSY)
		return -1;
	log_debug("%s; a metadata snapshot is taken", err->cause);
	error_clear(err);
	return 1;
}

/* What was written until now is in the next commit: asking for the status makes it. */
static int ask(struct thin_pool *pool, question_fn *question, void *arg, struct error *err)
{
	struct tk_pool *p = tk_pool_of(pool);
	cleanup_free char *type = NULL, *params = NULL;
	int status = 1;

	if (devmap_status(p->device.uuid, true, &type, &params, err) < 0)
		return error_wrap(err, "metadata of %s", p->device.name);
	if (!p->restless)
		status = ask_in_passing(p, question, arg, err);
	if (status <= 0)
		return status;
	p->restless = true;
	return ask_in_peace(p, question, arg, err);
}

struct one_device {
	uint32_t id;
	struct thin_device *ret;
};

static int ask_device(struct thin_pool *reader, void *arg, struct error *err)
{
	const struct one_device *q = arg;

	return thin_pool_device(reader, q->id, q->ret, err);
}

int tk_held_device(struct thin_pool *pool, uint32_t id, struct thin_device *ret, struct error *err)
{
	return ask(pool, ask_device, &(struct one_device){.id = id, .ret = ret}, err);
}

struct all_devices {
	struct thin_device **ret;
	size_t *ret_n;
};

static int ask_devices(struct thin_pool *reader, void *arg, struct error *err)
{
	const struct all_devices *q = arg;

	return thin_pool_devices(reader, q->ret, q->ret_n, err);
}

int tk_held_devices(struct thin_pool *pool, struct thin_device **ret, size_t *ret_n,
		    struct error *err)
{
	return ask(pool, ask_devices, &(struct all_devices){.ret = ret, .ret_n = ret_n}, err);
}

struct block_count {
	const uint32_t *ids;
	size_t n;
	bool exclusive;
	uint64_t *ret;
};

static int ask_count(struct thin_pool *reader, void *arg, struct error *err)
{
	const struct block_count *q = arg;

	return q->exclusive ? thin_pool_exclusive(reader, q->ids, q->n, q->ret, err)
			    : thin_pool_mapped(reader, q->ids, q->n, q->ret, err);
}

int tk_held_count_blocks(struct thin_pool *pool, const uint32_t *ids, size_t n, bool exclusive,
			 uint64_t *ret_blocks, struct error *err)
{
	struct block_count q = {.ids = ids, .n = n, .exclusive = exclusive, .ret = ret_blocks};

	return ask(pool, ask_count, &q, err);
}

struct diff {
	uint32_t a, b;
	struct thin_diff_range **ret;
	size_t *ret_n;
};

static int ask_diff(struct thin_pool *reader, void *arg, struct error *err)
{
	const struct diff *q = arg;

	return thin_pool_diff(reader, q->a, q->b, q->ret, q->ret_n, err);
}

int tk_held_diff(struct thin_pool *pool, uint32_t a, uint32_t b, struct thin_diff_range **ret,
		 size_t *ret_n, struct error *err)
{
	return ask(pool, ask_diff, &(struct diff){.a = a, .b = b, .ret = ret, .ret_n = ret_n}, err);
}

struct mapping {
	uint32_t id;
	uint64_t size_bytes;
	struct kernel_range *ranges;
	size_t n, room;
};

static void add_range(struct mapping *q, uint64_t first, uint64_t n)
{
	ALLOC_GROW(q->ranges, q->n + 1, q->room);
	q->ranges[q->n++] = (struct kernel_range){.first_block = first, .nr_blocks = n};
}

static int ask_mapped(struct thin_pool *reader, void *arg, struct error *err)
{
	cleanup(thin_volume_close_ptr) struct thin_volume *volume = NULL;
	struct mapping *q = arg;
	uint64_t at = 0, len = 0;
	int status;

	q->n = 0;
	if (thin_pool_open_volume(reader, q->id, q->size_bytes, false, &volume, err) < 0)
		return -1;
	while ((status = thin_volume_next_mapped(volume, at, &at, &len, err)) == 0) {
		uint32_t block_bytes = thin_volume_block_bytes(volume);

		add_range(q, at / block_bytes, (len + block_bytes - 1) / block_bytes);
		at += len;
		if (at >= q->size_bytes)
			return 0;
	}
	return status < 0 ? -1 : 0;
}

int tk_held_mapped(struct tk_pool *p, uint32_t id, uint64_t size_bytes, struct kernel_range **ret,
		   size_t *ret_n, struct error *err)
{
	struct mapping q = {.id = id, .size_bytes = size_bytes};

	if (ask(&p->base, ask_mapped, &q, err) < 0) {
		free(q.ranges);
		return -1;
	}
	*ret = q.ranges;
	*ret_n = q.n;
	return 0;
}

/* Each message is committed by itself, so devices are counted without another commit. */
uint64_t tk_held_thin_count(struct thin_pool *pool)
{
	struct tk_pool *p = tk_pool_of(pool);
	struct thin_pool_status status;
	struct error ignored = {0};

	if (have_reader(p, &ignored) < 0 || thin_pool_status(p->reader, &status, &ignored) < 0)
		return 0;
	return status.thin_count;
}
