/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an engine implements. pool.c and volume.c only check arguments and call through; nobody
 * above pkg/thin includes this.
 */
#pragma once

#include "pkg/thin/pool.h"
#include "pkg/thin/volume.h"

struct thin_pool_ops {
	int (*create_thin)(struct thin_pool *pool, uint32_t id, struct error *err);
	int (*create_snap)(struct thin_pool *pool, uint32_t id, uint32_t origin, struct error *err);
	int (*delete)(struct thin_pool *pool, uint32_t id, struct error *err);
	int (*open_volume)(struct thin_pool *pool, uint32_t id, uint64_t size_bytes, bool writable,
			   struct thin_volume **ret, struct error *err);
	int (*commit)(struct thin_pool *pool, uint64_t transaction_id, struct error *err);
	int (*abort)(struct thin_pool *pool, struct error *err);
	int (*reserve_metadata_snap)(struct thin_pool *pool, struct error *err);
	int (*release_metadata_snap)(struct thin_pool *pool, struct error *err);
	int (*status)(struct thin_pool *pool, struct thin_pool_status *ret, struct error *err);
	/* NULL: the status has it. */
	uint64_t (*count_thins)(struct thin_pool *pool);
	/* NULL: as the status tells. */
	int (*transaction_id)(struct thin_pool *pool, uint64_t *ret, struct error *err);
	int (*device)(struct thin_pool *pool, uint32_t id, struct thin_device *ret,
		      struct error *err);
	int (*devices)(struct thin_pool *pool, struct thin_device **ret, size_t *ret_n,
		       struct error *err);
	/* @exclusive: only blocks that no other device maps. */
	int (*count_blocks)(struct thin_pool *pool, const uint32_t *ids, size_t n, bool exclusive,
			    uint64_t *ret_blocks, struct error *err);
	int (*diff)(struct thin_pool *pool, uint32_t a, uint32_t b, struct thin_diff_range **ret,
		    size_t *ret_n, struct error *err);
	/* NULL: ERR_UNSUPPORTED, nothing to do, none. */
	int (*activate)(struct thin_pool *pool, uint32_t id, uint64_t size_bytes, bool read_only,
			char **ret_path, struct error *err);
	int (*deactivate)(struct thin_pool *pool, uint32_t id, struct error *err);
	int (*find_device)(struct thin_pool *pool, uint32_t id, char **ret_path, struct error *err);
	int (*mend)(struct thin_pool *pool, uint32_t **ret_given, size_t *ret_n, struct error *err);
	/* NULL: the lock is kept. */
	int (*pause)(struct thin_pool *pool, struct error *err);
	int (*go_on)(struct thin_pool *pool, struct error *err);
	/* NULL: 1. */
	int (*renew)(struct thin_pool *pool, bool writing, unsigned lock_timeout_ms,
		     struct error *err);
	/* NULL: granted, nothing to do, nobody's; nothing is counted. */
	int (*claim)(struct thin_pool *pool, uint32_t id, struct error *err);
	void (*unclaim)(struct thin_pool *pool, uint32_t id);
	bool (*is_claimed)(struct thin_pool *pool, uint32_t id);
	void (*counts)(struct thin_pool *pool, struct thin_pool_counts *ret);
	void (*close)(struct thin_pool *pool);
	bool atomic; /* thin_pool_is_atomic() */
};

struct thin_volume_ops {
	int (*read)(struct thin_volume *v, void *buf, size_t len, uint64_t offset,
		    struct error *err);
	int (*write)(struct thin_volume *v, const void *buf, size_t len, uint64_t offset,
		     struct error *err);
	/* NULL: zeros are written over what is mapped. */
	int (*zero)(struct thin_volume *v, uint64_t offset, uint64_t len, struct error *err);
	/* Whole blocks, but for the last one of the volume. */
	int (*discard)(struct thin_volume *v, uint64_t offset, uint64_t len, struct error *err);
	int (*next_mapped)(struct thin_volume *v, uint64_t offset, uint64_t *ret_offset,
			   uint64_t *ret_len, struct error *err);
	/* NULL: bytes are read and written. *ret_shared is 0 before. */
	int (*copy_to)(struct thin_volume *v, uint64_t offset, uint64_t len, int fd,
		       const char *name, uint64_t *ret_shared, struct error *err);
	void (*close)(struct thin_volume *v);
};

/* The first member of each engine's own pool and volume. */
struct thin_pool {
	const struct thin_pool_ops *ops;
};

struct thin_volume {
	const struct thin_volume_ops *ops;
	uint64_t size_bytes;
	uint32_t block_bytes;
	bool writable;
	bool gathers; /* thin_volume_gathers() */
};
