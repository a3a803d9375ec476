/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Walks the details tree and, for each device in it, its mappings; puts together what follows each
 * other in all three of virtual block, data block and time.
 */
#include "pkg/thin/file/dump.h"

#include <inttypes.h>
#include <string.h>

#include "pkg/base/alloc.h"
#include "pkg/base/buffer.h"
#include "pkg/base/cleanup.h"
#include "pkg/thin/file/btree_internal.h"
#include "pkg/thin/file/pool_internal.h"

/* Text is handed on in pieces of about this size. */
enum { PIECE_BYTES = 65536 };

struct run {
	uint64_t first, data, n; /* n = 0: none yet */
	uint32_t time;
};

struct dump {
	struct tf_pool *pool;
	const struct thin_dump_sink *sink;
	struct tf_superblock sb;
	struct run run;
	uint64_t next_key; /* all mappings before it are done */
	struct buffer text;
};

static int hand_on(struct dump *d, size_t at_least, struct error *err)
{
	if (d->text.len < at_least || !d->text.len)
		return 0;
	if (d->sink->text(d->sink->context, (const char *)d->text.data, d->text.len, err) < 0)
		return -1;
	d->text.len = 0;
	return 0;
}

/* ---- mappings ---- */

static void put_run(struct dump *d)
{
	const struct run *r = &d->run;

	if (r->n == 1)
		buffer_printf(&d->text,
			      "    <single_mapping origin_block=\"%" PRIu64
			      "\" data_block=\"%" PRIu64 "\" time=\"%u\"/>\n",
			      r->first, r->data, r->time);
	else if (r->n)
		buffer_printf(&d->text,
			      "    <range_mapping origin_begin=\"%" PRIu64
			      "\" data_begin=\"%" PRIu64 "\" length=\"%" PRIu64
			      "\" time=\"%u\"/>\n",
			      r->first, r->data, r->n, r->time);
	d->run.n = 0;
}

static void add_mapping(struct dump *d, uint64_t block, uint64_t value)
{
	struct run *r = &d->run;
	uint64_t data = tf_mapping_block(value);
	uint32_t time = tf_mapping_time(value);

	if (r->n && r->first + r->n == block && r->data + r->n == data && r->time == time) {
		r->n++;
		return;
	}
	put_run(d);
	*r = (struct run){.first = block, .data = data, .n = 1, .time = time};
}

/* All entries of a leaf; keys that do not ascend would send the walk in circles. */
static int add_leaf(struct dump *d, const struct tf_leaf *leaf, struct error *err)
{
	for (uint32_t i = leaf->i; i < leaf->n; i++) {
		uint64_t key = tf_node_key(leaf->node, i);

		if (key < d->next_key || key == UINT64_MAX)
			return error_set(err, ERR_INCONSISTENT,
					 "block %" PRIu64 " is mapped out of order", key);
		d->next_key = key + 1;
		add_mapping(d, key, tf_node_value64(leaf->node, i));
	}
	return hand_on(d, PIECE_BYTES, err);
}

static int put_mappings(struct dump *d, uint64_t root, struct error *err)
{
	struct tf_tx *tx = &d->pool->tx;
	struct tf_leaf leaf;
	int rc;

	d->next_key = 0;
	while ((rc = tf_btree_seek(tx, &tf_tree_mappings, root, d->next_key, &leaf, err)) == 0) {
		if (add_leaf(d, &leaf, err) < 0)
			return -1;
		tf_tx_trim(tx);
	}
	put_run(d);
	return rc < 0 ? -1 : 0;
}

/* ---- devices ---- */

static int put_device(struct dump *d, uint64_t id, const struct tf_device *device,
		      struct error *err)
{
	uint8_t root[TF_MAPPING_BYTES];
	int rc = tf_btree_lookup(&d->pool->tx, &tf_tree_devices, d->sb.mapping_root, id, root, err);

	if (rc == 1)
		return error_set(err, ERR_INCONSISTENT, "has no mappings");
	if (rc < 0)
		return -1;
	buffer_printf(&d->text,
		      "  <device dev_id=\"%" PRIu64 "\" mapped_blocks=\"%" PRIu64
		      "\" transaction=\"%" PRIu64 "\" creation_time=\"%u\" snap_time=\"%u\">\n",
		      id, device->mapped_blocks, device->transaction_id, device->creation_time,
		      device->snapshotted_time);
	if (put_mappings(d, get_le64(root), err) < 0)
		return -1;
	buffer_printf(&d->text, "  </device>\n");
	return 0;
}

/* A device that is only in the other tree must not be left out: the first id from `id` on there. */
static int check_next(struct dump *d, uint64_t id, bool last, uint64_t next, struct error *err)
{
	struct tf_leaf leaf;
	int rc = tf_btree_seek(&d->pool->tx, &tf_tree_devices, d->sb.mapping_root, id, &leaf, err);

	if (rc)
		return rc < 0 ? -1 : 0;
	if (!last && tf_node_key(leaf.node, leaf.i) >= next)
		return 0;
	return error_set(err, ERR_INCONSISTENT, "thin %" PRIu64 " has mappings and no details",
			 tf_node_key(leaf.node, leaf.i));
}

static int put_devices(struct dump *d, struct error *err)
{
	struct tf_tx *tx = &d->pool->tx;
	struct tf_device device;
	struct tf_leaf leaf;
	uint64_t id = 0;
	int rc;

	while ((rc = tf_btree_seek(tx, &tf_tree_details, d->sb.details_root, id, &leaf, err))
	       == 0) {
		uint64_t next = tf_node_key(leaf.node, leaf.i);

		tf_device_unpack(tf_node_value_const(leaf.node, leaf.i), &device);
		if (check_next(d, id, false, next, err) < 0)
			return -1;
		id = next;
		if (put_device(d, id, &device, err) < 0)
			return error_wrap(err, "thin %" PRIu64, id);
		tf_tx_trim(tx);
		if (id++ == UINT64_MAX)
			return 0;
	}
	return rc < 0 ? -1 : check_next(d, id, true, 0, err);
}

/* ---- all ---- */

static int choose_superblock(struct dump *d, bool held, struct error *err)
{
	const uint8_t *copy;

	d->sb = d->pool->sb;
	if (!held)
		return 0;
	if (!d->sb.held_root)
		return error_set(err, ERR_NOT_FOUND, "pool %s has no metadata snapshot",
				 d->pool->dir);
	copy = tf_cache_read(&d->pool->tx.cache, d->sb.held_root, TF_SUPERBLOCK, err);
	if (!copy)
		return error_wrap(err, "metadata snapshot");
	tf_superblock_unpack(copy, &d->sb);
	return 0;
}

static int dump_once(struct dump *d, bool held, struct error *err)
{
	d->text.len = 0;
	d->run.n = 0;
	if (d->sink->begin(d->sink->context, err) < 0 || choose_superblock(d, held, err) < 0)
		return -1;
	buffer_printf(
		&d->text,
		"<superblock uuid=\"\" time=\"%u\" transaction=\"%" PRIu64
		"\" flags=\"%u\" version=\"%u\" data_block_size=\"%u\" nr_data_blocks=\"%" PRIu64
		"\">\n",
		d->sb.time, d->sb.transaction_id, d->sb.flags, d->sb.version,
		d->sb.data_block_sectors, d->sb.data_sm.nr_blocks);
	if (put_devices(d, err) < 0) {
		struct error ignored = {0};

		/* What was read goes out, for those who want to see how far it is good. */
		put_run(d);
		(void)!hand_on(d, 0, &ignored);
		return -1;
	}
	buffer_printf(&d->text, "</superblock>\n");
	return hand_on(d, 0, err);
}

int thin_file_dump(struct thin_pool *pool, bool held, const struct thin_dump_sink *sink,
		   struct error *err)
{
	struct tf_pool *p = tf_pool_of(pool);
	struct dump d = {.pool = p, .sink = sink};
	unsigned tries = 0;
	int rc;

	if (tf_pool_ready(p, err) < 0)
		return -1;
	do {
		rc = dump_once(&d, held, err);
	} while (tf_pool_read_again(p, &tries, &rc, err));
	buffer_release(&d.text);
	return rc;
}
