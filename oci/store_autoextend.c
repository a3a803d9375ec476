/* SPDX-License-Identifier: Apache-2.0 */
/* Pools on loop devices are extended before they are full, by whoever comes by. */
#include <sys/stat.h>

#include "oci/store_internal.h"
#include "pkg/base/alloc.h"
#include "pkg/base/log.h"
#include "pkg/thin/kernel/engine.h"

/* What a sparse file may still take of its file system. */
static uint64_t missing_bytes(const struct store *s, const char *name)
{
	cleanup_free char *path = xasprintf("%s/%s", s->pool_dir, name);
	struct stat st;
	uint64_t there;

	if (stat(path, &st) < 0)
		return 0;
	there = (uint64_t)st.st_blocks * 512;
	return (uint64_t)st.st_size > there ? (uint64_t)st.st_size - there : 0;
}

/* What the pool could take beyond what it was promised already. */
static int room_to_grow(const struct store *s, uint64_t *ret_bytes, struct error *err)
{
	uint64_t promised = missing_bytes(s, "data") + missing_bytes(s, "meta");
	uint64_t room = 0;

	if (store_host_room(s->pool_dir, &room, err) < 0)
		return -1;
	*ret_bytes = room > promised ? room - promised : 0;
	return 0;
}

static int extend(struct store *s, struct thin_pool *pool, const struct thin_pool_status *st,
		  const struct store_room *room, struct error *err)
{
	struct thin_pool_status now;

	if (thin_kernel_grow(pool, room->data_bytes, room->metadata_bytes, err) < 0
	    || thin_pool_room(pool, &now, err) < 0)
		return -1;
	log_notice("pool %s extended: data %llu of %llu MiB, metadata %llu of %llu KiB in use, now "
		   "of %llu MiB and %llu KiB",
		   s->pool, (unsigned long long)(st->data_used_blocks * st->block_bytes >> 20),
		   (unsigned long long)(st->data_total_blocks * st->block_bytes >> 20),
		   (unsigned long long)st->metadata_used_blocks * 4,
		   (unsigned long long)st->metadata_total_blocks * 4,
		   (unsigned long long)(now.data_total_blocks * now.block_bytes >> 20),
		   (unsigned long long)now.metadata_total_blocks * 4);
	return 0;
}

/* On a host that has room without end. */
static bool is_wanted(const struct thin_pool_status *st, uint64_t need_bytes,
		      const struct store_autoextend *how)
{
	struct store_room room;
	bool cut;

	if (st->needs_check)
		return false;
	store_room_plan(st, need_bytes, how, UINT64_MAX, &room, &cut);
	return room.data_bytes || room.metadata_bytes;
}

/* Is this a pool that we extend, and is it time to? LVM has a daemon for its own. */
static int look(struct store *s, struct thin_pool *pool, uint64_t need_bytes,
		struct thin_pool_status *ret, bool *ret_wanted, struct error *err)
{
	*ret_wanted = false;
	if (thin_pool_is_atomic(pool) || !s->autoextend.percent)
		return 0; /* the file engine's, or nobody said so */
	if (thin_pool_room(pool, ret, err) < 0)
		return -1;
	*ret_wanted = ret->in_files && is_wanted(ret, need_bytes, &s->autoextend);
	return 0;
}

static int extend_if_wanted(struct store *s, struct thin_pool *pool, uint64_t need_bytes,
			    struct error *err)
{
	struct thin_pool_status st;
	struct store_room room;
	uint64_t host_bytes = 0;
	bool wanted, cut;

	if (look(s, pool, need_bytes, &st, &wanted, err) < 0)
		return -1;
	if (!wanted)
		return 0;
	if (room_to_grow(s, &host_bytes, err) < 0)
		return -1;
	store_room_plan(&st, need_bytes, &s->autoextend, host_bytes, &room, &cut);
	if ((room.data_bytes || room.metadata_bytes) && extend(s, pool, &st, &room, err) < 0)
		return -1;
	if (cut)
		return error_set(err, ERR_NO_SPACE,
				 "the file system of %s has no more than %llu MiB that are not "
				 "promised to the pool already",
				 s->pool_dir, (unsigned long long)(host_bytes >> 20));
	return 0;
}

void store_extend_in_passing(struct store *s, struct thin_pool *pool, uint64_t need_bytes)
{
	struct error err = {0};

	if (extend_if_wanted(s, pool, need_bytes, &err) < 0)
		log_warning("pool %s was not extended as it should be: %s", s->pool, err.cause);
}

int store_make_room(struct store *s, struct thin_pool *pool, uint64_t need_bytes, struct error *err)
{
	cleanup(thin_pool_close_ptr) struct thin_pool *writing = NULL;
	struct thin_pool_status st;
	bool wanted;

	if (look(s, pool, need_bytes, &st, &wanted, err) < 0)
		return -1;
	if (!wanted)
		return 0;
	if (store_open_pool(s, THIN_WRITE, &writing, err) < 0)
		return -1;
	store_extend_in_passing(s, writing, need_bytes);
	return 0;
}

/* --- for who watches -------------------------------------------------------------------------- */

static uint64_t low_water(const struct thin_pool_status *st, const struct store_autoextend *how)
{
	return how->threshold >= 100 ? 0 : st->data_total_blocks * (100 - how->threshold) / 100;
}

static int extend_now(struct store *s, struct error *err)
{
	cleanup(thin_pool_close_ptr) struct thin_pool *pool = NULL;
	struct thin_pool_status st;

	if (store_open_pool(s, THIN_WRITE, &pool, err) < 0 || extend_if_wanted(s, pool, 0, err) < 0
	    || thin_pool_room(pool, &st, err) < 0)
		return -1;
	return thin_kernel_set_low_water(pool, low_water(&st, &s->autoextend), err);
}

int store_pool_autoextend(struct store *s, struct error *err)
{
	cleanup(thin_kernel_setup_release) struct thin_kernel_setup setup = {0};
	cleanup(thin_pool_close_ptr) struct thin_pool *pool = NULL;
	struct thin_pool_status st;
	bool wanted;

	if (store_open_pool(s, THIN_READ, &pool, err) < 0 || thin_pool_room(pool, &st, err) < 0)
		return -1;
	if (!st.in_files || thin_pool_is_atomic(pool))
		return 0;
	if (thin_kernel_setup(pool, &setup, err) < 0 || look(s, pool, 0, &st, &wanted, err) < 0)
		return -1;
	if (!wanted && setup.low_water_blocks == low_water(&st, &s->autoextend))
		return 0;
	return extend_now(s, err);
}
