/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes of a thin device: runs of virtual blocks that are unmapped, private or shared, each
 * read or written in one go.
 */
#include <stdlib.h>
#include <string.h>

#include "pkg/base/alloc.h"
#include "pkg/thin/copy.h"
#include "pkg/thin/file/volume_internal.h"

enum {
	RUN_BLOCKS = 1024, /* mapped in one step, so that its metadata can be reserved */
	MAP_BLOCKS = 64,   /* for the paths and splits of one step */
};

/* ---- what is mapped where ---- */

enum run_kind { RUN_UNMAPPED, RUN_PRIVATE, RUN_SHARED };

/* Adjacent virtual blocks of one kind; mapped ones are adjacent in the data file, too. */
struct run {
	enum run_kind kind;
	uint64_t n;
	uint64_t data_block;
};

/* The kernel's rule, which is not the reference count: mapped before the last snapshot. */
static enum run_kind kind_of(uint64_t mapping, const struct tf_device *device)
{
	return device->snapshotted_time > tf_mapping_time(mapping) ? RUN_SHARED : RUN_PRIVATE;
}

static int find_run(struct tf_pool *p, uint64_t root, const struct tf_device *device,
		    uint64_t vblock, uint64_t max, struct run *ret, struct error *err)
{
	struct tf_leaf leaf;
	int rc = tf_btree_seek(&p->tx, &tf_tree_mappings, root, vblock, &leaf, err);
	uint64_t mapping, gap;

	if (rc < 0)
		return -1;
	gap = rc == 1 ? max : tf_node_key(leaf.node, leaf.i) - vblock;
	if (gap) {
		*ret = (struct run){.kind = RUN_UNMAPPED, .n = gap < max ? gap : max};
		return 0;
	}
	mapping = tf_node_value64(leaf.node, leaf.i);
	*ret = (struct run){kind_of(mapping, device), 1, tf_mapping_block(mapping)};
	while (ret->n < max && ++leaf.i < leaf.n) {
		mapping = tf_node_value64(leaf.node, leaf.i);
		if (tf_node_key(leaf.node, leaf.i) != vblock + ret->n
		    || tf_mapping_block(mapping) != ret->data_block + ret->n
		    || kind_of(mapping, device) != ret->kind)
			break;
		ret->n++;
	}
	return 0;
}

int tf_volume_device(const struct tf_volume *v, struct tf_device *ret, uint64_t *ret_root,
		     struct error *err)
{
	int rc = tf_device_find(v->pool, v->id, ret, ret_root, err);

	if (rc == 1)
		return error_set(err, ERR_NOT_FOUND, "thin %u does not exist", v->id);
	if (rc == 0
	    && (ret->transaction_id != v->transaction_id || ret->creation_time != v->creation_time))
		return error_set(err, ERR_NOT_FOUND, "thin %u was removed meanwhile", v->id);
	return rc;
}

/* Blocks from the one that holds `offset` to the one that holds the last byte. */
static uint64_t blocks_over(const struct tf_volume *v, uint64_t offset, uint64_t len)
{
	uint64_t block_bytes = v->base.block_bytes;

	return (offset + len - 1) / block_bytes - offset / block_bytes + 1;
}

/* How many of len bytes at offset lie in n blocks from the first one on. */
static uint64_t bytes_in(const struct tf_volume *v, uint64_t offset, uint64_t len, uint64_t n)
{
	uint64_t block_bytes = v->base.block_bytes;
	uint64_t bytes = n * block_bytes - offset % block_bytes;

	return bytes < len ? bytes : len;
}

/* ---- reading ---- */

static int read_mapped(struct tf_volume *v, uint8_t *buf, uint64_t len, uint64_t offset,
		       struct error *err)
{
	uint64_t block_bytes = v->base.block_bytes;
	struct tf_device device;
	uint64_t root;

	if (tf_volume_device(v, &device, &root, err) < 0)
		return -1;
	while (len) {
		struct run run;
		uint64_t n;

		if (find_run(v->pool, root, &device, offset / block_bytes,
			     blocks_over(v, offset, len), &run, err)
		    < 0)
			return -1;
		n = bytes_in(v, offset, len, run.n);
		if (run.kind == RUN_UNMAPPED)
			memset(buf, 0, n);
		else if (tf_data_read(&v->pool->data, buf, n,
				      run.data_block * block_bytes + offset % block_bytes, err)
			 < 0)
			return -1;
		buf += n;
		offset += n;
		len -= n;
	}
	return 0;
}

static int volume_read(struct thin_volume *volume, void *buf, size_t len, uint64_t offset,
		       struct error *err)
{
	struct tf_volume *v = tf_volume_of(volume);
	unsigned tries = 0;
	int rc;

	if (tf_pool_ready(v->pool, err) < 0)
		return -1;
	do {
		rc = read_mapped(v, buf, len, offset, err);
	} while (tf_pool_read_again(v->pool, &tries, &rc, err));
	return rc;
}

/* ---- what is there ---- */

/* The run of mapped blocks at or after *first and before end; 1 = none. */
static int next_run(struct tf_volume *v, uint64_t *first, uint64_t end, uint64_t *ret_n,
		    struct error *err)
{
	struct tf_device device;
	struct tf_leaf leaf;
	uint64_t root, key = *first, n = 0;
	int rc = 0;

	if (tf_volume_device(v, &device, &root, err) < 0)
		return -1;
	while (key < end) {
		tf_tx_trim(&v->pool->tx); /* a run can have any length */
		rc = tf_btree_seek(&v->pool->tx, &tf_tree_mappings, root, key, &leaf, err);
		if (rc)
			break;
		if (!n)
			*first = key = tf_node_key(leaf.node, leaf.i);
		while (leaf.i < leaf.n && key < end && tf_node_key(leaf.node, leaf.i) == key) {
			leaf.i++;
			n++;
			key++;
		}
		if (leaf.i < leaf.n)
			break;
	}
	*ret_n = n;
	return rc < 0 ? -1 : !n;
}

static int volume_next_mapped(struct thin_volume *volume, uint64_t offset, uint64_t *ret_offset,
			      uint64_t *ret_len, struct error *err)
{
	struct tf_volume *v = tf_volume_of(volume);
	uint64_t block_bytes = v->base.block_bytes, size = v->base.size_bytes;
	uint64_t first = 0, n = 0, start, end = (size - 1) / block_bytes + 1;
	unsigned tries = 0;
	int rc;

	if (tf_pool_ready(v->pool, err) < 0)
		return -1;
	do {
		first = offset / block_bytes;
		rc = next_run(v, &first, end, &n, err);
	} while (tf_pool_read_again(v->pool, &tries, &rc, err));
	if (rc)
		return rc;
	start = first * block_bytes;
	*ret_offset = start > offset ? start : offset;
	*ret_len = (first + n == end ? size : start + n * block_bytes) - *ret_offset;
	return 0;
}

/* ---- to a file ---- */

/* The first run of a range, looked up again when a writer committed meanwhile. */
static int locate(struct tf_volume *v, uint64_t offset, uint64_t len, struct run *ret,
		  struct error *err)
{
	struct tf_device device;
	unsigned tries = 0;
	uint64_t root;
	int rc;

	if (tf_pool_ready(v->pool, err) < 0)
		return -1;
	do {
		rc = tf_volume_device(v, &device, &root, err);
		if (rc == 0)
			rc = find_run(v->pool, root, &device, offset / v->base.block_bytes,
				      blocks_over(v, offset, len), ret, err);
	} while (tf_pool_read_again(v->pool, &tries, &rc, err));
	return rc;
}

/* Share the run where it stands in the data file. 0, 1 = can not be, -1. */
static int share_run(struct tf_volume *v, const struct run *run, uint64_t offset, uint64_t len,
		     int fd, const char *name, struct error *err)
{
	uint64_t block_bytes = v->base.block_bytes;

	return thin_clone_range(v->pool->data.fd,
				run->data_block * block_bytes + offset % block_bytes, fd, offset,
				len, name, err);
}

/*
 * A block that a device maps stays as it is while others write to the pool, and to this device
 * nobody does, so only finding it has to be done again. When the device went meanwhile, that is seen at the end.
 */
static int volume_copy_to(struct thin_volume *volume, uint64_t offset, uint64_t len, int fd,
			  const char *name, uint64_t *ret_shared, struct error *err)
{
	struct tf_volume *v = tf_volume_of(volume);
	uint64_t at = offset, left = len;
	bool can_share = true;
	struct run run;

	while (left) {
		uint64_t n;
		int rc = 0;

		if (locate(v, at, left, &run, err) < 0)
			return -1;
		n = bytes_in(v, at, left, run.n);
		if (run.kind != RUN_UNMAPPED) {
			rc = can_share ? share_run(v, &run, at, n, fd, name, err) : 1;
			can_share = rc == 0;
			*ret_shared += rc == 0 ? n : 0;
		}
		if (rc < 0 || (rc == 1 && thin_copy_bytes(volume, at, n, fd, name, err) < 0))
			return -1;
		at += n;
		left -= n;
	}
	return len ? locate(v, offset, len, &run, err) : 0;
}

/* ---- writing ---- */

/* A run of new data blocks that is to take the place of a run of virtual blocks. */
struct placing {
	struct run old;	      /* what is there now */
	uint64_t vblock, n;   /* virtual blocks, as many as new data blocks */
	uint64_t data_block;  /* the first new one */
	const uint8_t *buf;   /* the bytes to write ... */
	uint64_t offset, len; /* ... and where in the volume */
};

/* Fill the bytes of the new blocks at [from, to) of the run, that are not written, with the old
 * content or with zeros. */
static int fill(struct tf_volume *v, const struct placing *pl, uint64_t from, uint64_t to,
		struct error *err)
{
	uint64_t block_bytes = v->base.block_bytes, at = pl->data_block * block_bytes + from;

	if (pl->old.kind == RUN_UNMAPPED)
		return tf_data_zero(&v->pool->data, at, to - from, err);
	return tf_data_copy(&v->pool->data, pl->old.data_block * block_bytes + from, at, to - from,
			    err);
}

static int write_new_blocks(struct tf_volume *v, const struct placing *pl, struct error *err)
{
	uint64_t block_bytes = v->base.block_bytes;
	uint64_t head = pl->offset - pl->vblock * block_bytes;

	if (fill(v, pl, 0, head, err) < 0
	    || fill(v, pl, head + pl->len, pl->n * block_bytes, err) < 0)
		return -1;
	return tf_data_write(&v->pool->data, pl->buf, pl->len, pl->data_block * block_bytes + head,
			     err);
}

/* The device tree's path first, since that may add references to the mappings' root. */
static int map_blocks(struct tf_volume *v, const struct placing *pl, struct error *err)
{
	struct tf_pool *p = v->pool;
	struct tf_device device;
	uint64_t root;
	uint8_t *at;
	int rc = tf_btree_shadow_value(&p->tx, &tf_tree_devices, &p->sb.mapping_root, v->id, &at,
				       err);

	if (rc == 1)
		return error_set(err, ERR_INCONSISTENT, "thin %u has no mappings", v->id);
	if (rc < 0)
		return -1;
	if (tf_volume_device(v, &device, &root, err) < 0)
		return -1;
	for (uint64_t i = 0; i < pl->n; i++) {
		uint8_t value[TF_MAPPING_BYTES];
		bool is_new;

		put_le64(value, tf_mapping(pl->data_block + i, p->sb.time));
		if (tf_btree_insert(&p->tx, &tf_tree_mappings, &root, pl->vblock + i, value,
				    &is_new, err)
		    < 0)
			return -1;
		device.mapped_blocks += is_new;
	}
	put_le64(at, root);
	return tf_device_store(p, v->id, &device, err);
}

static int give_back(struct tf_volume *v, const struct placing *pl, struct error *err)
{
	for (uint64_t i = 0; i < pl->n; i++)
		if (tf_spacemap_dec(&v->pool->tx.data, pl->data_block + i, NULL, err) < 0)
			return -1;
	return 0;
}

/* Write the first bytes of [offset, offset+len) into new blocks; *ret_done says how many. */
static int write_placing(struct tf_volume *v, const struct run *run, const uint8_t *buf,
			 uint64_t len, uint64_t offset, uint64_t *ret_done, struct error *err)
{
	struct placing pl = {
		.old = *run,
		.vblock = offset / v->base.block_bytes,
		.buf = buf,
		.offset = offset,
	};
	struct error second = {0};

	if (tf_spacemap_alloc(&v->pool->tx.data, run->n, &pl.data_block, &pl.n, err) < 0)
		return -1;
	pl.len = bytes_in(v, offset, len, pl.n);
	*ret_done = pl.len;
	if (write_new_blocks(v, &pl, err) < 0) {
		/* Nothing points at the blocks yet: the transaction is as whole as before. */
		if (give_back(v, &pl, &second) < 0)
			tf_pool_spoil(v->pool, TF_STATE_HALF_DONE, &second);
		return -1;
	}
	return tf_pool_end(v->pool, map_blocks(v, &pl, err), err);
}

/* Write as much of [offset, offset+len) as is of one kind. */
static int write_run(struct tf_volume *v, const uint8_t *buf, uint64_t len, uint64_t offset,
		     uint64_t *ret_done, struct error *err)
{
	uint64_t block_bytes = v->base.block_bytes, max = blocks_over(v, offset, len);
	struct tf_pool *p = v->pool;
	struct tf_device device;
	struct run run;
	uint64_t root;

	if (tf_volume_device(v, &device, &root, err) < 0
	    || find_run(p, root, &device, offset / block_bytes, max < RUN_BLOCKS ? max : RUN_BLOCKS,
			&run, err)
		       < 0)
		return -1;
	if (run.kind == RUN_PRIVATE) {
		*ret_done = bytes_in(v, offset, len, run.n);
		return tf_data_write(&p->data, buf, *ret_done,
				     run.data_block * block_bytes + offset % block_bytes, err);
	}
	if (tf_pool_begin(p, MAP_BLOCKS, TF_RESERVE_NORMAL, err) < 0)
		return -1;
	return write_placing(v, &run, buf, len, offset, ret_done, err);
}

static int volume_write(struct thin_volume *volume, const void *buf, size_t len, uint64_t offset,
			struct error *err)
{
	struct tf_volume *v = tf_volume_of(volume);
	const uint8_t *at = buf;

	while (len) {
		uint64_t done;

		if (tf_pool_ready(v->pool, err) < 0
		    || write_run(v, at, len, offset, &done, err) < 0)
			return error_wrap(err, "write thin %u", v->id);
		at += done;
		offset += done;
		len -= done;
	}
	return 0;
}

/* ---- opening and closing ---- */

static void volume_close(struct thin_volume *volume)
{
	struct tf_volume *v = tf_volume_of(volume);
	struct tf_volume **link = &v->pool->volumes;

	while (*link != v)
		link = &(*link)->next;
	*link = v->next;
	free(v);
}

static const struct thin_volume_ops volume_ops = {
	.read = volume_read,
	.write = volume_write,
	.discard = tf_volume_discard,
	.next_mapped = volume_next_mapped,
	.copy_to = volume_copy_to,
	.close = volume_close,
};

bool tf_volume_is_open(const struct tf_pool *p, uint32_t id)
{
	const struct tf_volume *v = p->volumes;

	while (v && v->id != id)
		v = v->next;
	return v != NULL;
}

int tf_volume_open(struct thin_pool *pool, uint32_t id, uint64_t size_bytes, bool writable,
		   struct thin_volume **ret, struct error *err)
{
	struct tf_pool *p = tf_pool_of(pool);
	struct thin_device device;
	struct tf_volume *v;

	if (tf_device_get(pool, id, &device, err) < 0)
		return -1;
	if (writable && !p->writable)
		return error_set(err, ERR_INVALID, "pool %s is open for reading only", p->dir);
	v = xcalloc(1, sizeof(*v));
	v->base.ops = &volume_ops;
	v->base.size_bytes = size_bytes;
	v->base.block_bytes = p->data.block_bytes;
	v->base.writable = writable;
	v->pool = p;
	v->id = id;
	v->transaction_id = device.transaction_id;
	v->creation_time = device.creation_time;
	v->next = p->volumes;
	p->volumes = v;
	*ret = &v->base;
	return 0;
}
