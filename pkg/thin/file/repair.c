/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Repair is one transaction whose counts come from the walk of the strict check instead of from
 * the bitmaps. Both maps are written anew, as at any commit, into blocks that neither the trees nor
 * the old maps reach; the strict check looks at the result before the superblock makes it true.
 */
#include "pkg/thin/file/repair.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "pkg/base/fdio.h"
#include "pkg/base/log.h"
#include "pkg/thin/file/lock.h"
#include "pkg/thin/file/repair_internal.h"
#include "pkg/thin/file/spacemap_derive.h"

/* ---- looking ---- */

static int file_bytes(int fd, const char *name, uint64_t *ret, struct error *err)
{
	off_t end = lseek(fd, 0, SEEK_END);

	if (end < 0)
		return error_sys(err, "size of %s", name);
	*ret = (uint64_t)end;
	return 0;
}

static int check_now(struct tf_pool *p, struct fsck *f, struct thin_findings *found,
		     struct error *err)
{
	*f = (struct fsck){.fd = p->meta_fd,
			   .path = p->meta_name,
			   .findings = found,
			   .err = err,
			   .data_known = true};
	if (file_bytes(p->meta_fd, p->meta_name, &f->file_bytes, err) < 0
	    || file_bytes(p->data_fd, p->data_name, &f->data_bytes, err) < 0)
		return -1;
	return fsck_run(f) ? 0 : -1;
}

/* The lengths that the files will have, see shorten_files(). */
static uint64_t metadata_bytes(const struct tf_pool *p)
{
	return p->sb.metadata_sm.nr_blocks * TF_BLOCK_BYTES;
}

static uint64_t data_bytes(const struct tf_pool *p)
{
	return p->sb.data_sm.nr_blocks * p->data.block_bytes;
}

/* Everything but the superblock is on disk: is this it? */
static int check_result(struct tf_pool *p, struct error *err)
{
	cleanup(thin_findings_release) struct thin_findings left = {0};
	uint8_t superblock[TF_BLOCK_BYTES];
	struct fsck f = {.fd = p->meta_fd,
			 .path = p->meta_name,
			 .findings = &left,
			 .err = err,
			 .superblock = superblock,
			 .file_bytes = metadata_bytes(p),
			 .data_known = true,
			 .data_bytes = data_bytes(p)};
	bool done;

	memcpy(superblock, p->raw, sizeof(superblock));
	tf_superblock_pack(&p->sb, superblock);
	tf_block_seal(superblock, TF_SUPERBLOCK, 0);
	done = fsck_run(&f);
	fsck_release(&f);
	if (!done)
		return -1;
	if (!left.total)
		return 0;
	return error_set(err, ERR_INCONSISTENT,
			 "the repaired pool would not be sound, it was left as it is: %s: %s",
			 left.items[0].where, left.items[0].text);
}

/* ---- counts ---- */

static uint32_t metadata_count(const void *context, uint64_t block)
{
	const struct fsck *f = context;

	return f->tree_refs[block];
}

/* Neither the trees nor anything of the old maps is overwritten. */
static bool not_reached(const void *context, uint64_t block)
{
	const struct fsck *f = context;

	return !f->blocks[block].refs;
}

/* Nor what cannot be reached any more because of the damage, so far as can be told. */
static bool not_reached_nor_counted(const void *context, uint64_t block)
{
	const struct fsck *f = context;
	const uint8_t *stored = f->metadata.bitmaps[block / TF_BITMAP_ENTRIES].stored;

	return not_reached(f, block)
	       && (!stored || !tf_bitmap_get(stored, (uint32_t)(block % TF_BITMAP_ENTRIES)));
}

static uint32_t data_count(const void *context, uint64_t block)
{
	const struct fsck *f = context;
	const uint32_t *counts = f->data.bitmaps[block / TF_BITMAP_ENTRIES].counts;

	return counts ? counts[block % TF_BITMAP_ENTRIES] & FSCK_COUNT_MASK : 0;
}

/* ---- changing ---- */

static void mend_superblock(struct tf_superblock *sb)
{
	sb->flags &= ~(uint32_t)TF_FLAG_NEEDS_CHECK;
	if (!sb->metadata_blocks || sb->metadata_blocks > sb->metadata_sm.nr_blocks)
		sb->metadata_blocks = sb->metadata_sm.nr_blocks;
}

/* Memory and metadata blocks as they shall be; on disk nothing is different for anyone yet. */
static int prepare_in(struct tf_pool *p, struct fsck *f,
		      bool (*may_use)(const void *context, uint64_t block), struct error *err)
{
	struct tf_sm_counts metadata = {metadata_count, may_use, f};
	struct tf_sm_counts data = {data_count, NULL, f};
	uint8_t raw[TF_BLOCK_BYTES];

	if (fdio_pread(p->meta_fd, raw, sizeof(raw), 0, p->meta_name, err) < 0)
		return -1;
	tf_pool_start(p, raw);
	mend_superblock(&p->sb);
	tf_spacemap_derive(&p->tx.metadata, p->sb.metadata_sm.nr_blocks, &metadata);
	tf_spacemap_derive(&p->tx.data, p->sb.data_sm.nr_blocks, &data);
	if (tf_repair_devices(p, f, err) < 0)
		return -1;
	return tf_tx_flush(&p->tx, &p->sb.data_sm, &p->sb.metadata_sm, err);
}

static int prepare(struct tf_pool *p, struct fsck *f, struct error *err)
{
	if (prepare_in(p, f, not_reached_nor_counted, err) == 0)
		return 0;
	if (err->kind != ERR_NO_SPACE)
		return -1;
	/* Full of blocks that leaked, perhaps. */
	return prepare_in(p, f, not_reached, err);
}

static int shorten(int fd, uint64_t bytes, const char *name, struct error *err)
{
	uint64_t now = 0;

	if (file_bytes(fd, name, &now, err) < 0)
		return -1;
	if (now > bytes && (ftruncate(fd, (off_t)bytes) < 0 || fdatasync(fd) < 0))
		return error_sys(err, "truncate %s", name);
	return 0;
}

static int shorten_files(struct tf_pool *p, struct error *err)
{
	/* Past the format's limit metadata may go on, nobody looks there. */
	if (p->sb.metadata_sm.nr_blocks < TF_METADATA_BLOCKS_MAX
	    && shorten(p->meta_fd, metadata_bytes(p), p->meta_name, err) < 0)
		return -1;
	return shorten(p->data_fd, data_bytes(p), p->data_name, err);
}

static int commit(struct tf_pool *p, struct error *err)
{
	if (tf_pool_put_superblock(p, err) < 0)
		return -1;
	tf_tx_committed(&p->tx);
	return shorten_files(p, err);
}

/* What leaked, and what a killed writer left. It does no harm where it is. */
static void give_back_space(struct tf_pool *p)
{
	struct error ignored = {0};

	if (tf_data_punch_free(&p->data, &p->tx.data, &ignored) < 0)
		log_debug("pool %s: free blocks keep their space: %s", p->dir, ignored.cause);
}

static int repair_found(struct tf_pool *p, struct fsck *f, struct error *err)
{
	if (prepare(p, f, err) < 0 || check_result(p, err) < 0 || commit(p, err) < 0)
		return error_wrap(err, "repair");
	give_back_space(p);
	return 0;
}

int tf_repair_files(struct tf_pool *p, enum thin_repair_outcome *ret,
		    struct thin_findings *ret_found, struct error *err)
{
	cleanup(thin_findings_release) struct thin_findings found = {0};
	enum thin_repair_outcome outcome = THIN_REPAIR_CLEAN;
	struct fsck f;
	int rc = check_now(p, &f, &found, err);

	if (rc == 0 && found.unrepairable) {
		outcome = THIN_REPAIR_REFUSED;
	} else if (rc == 0 && found.total) {
		outcome = THIN_REPAIR_DONE;
		rc = repair_found(p, &f, err);
	}
	fsck_release(&f);
	if (rc < 0)
		return -1;
	*ret = outcome;
	*ret_found = found;
	found = (struct thin_findings){0};
	return 0;
}

/* ---- a pool folder ---- */

static int look_only(const char *dir, const struct thin_repair_how *how,
		     enum thin_repair_outcome *ret, struct thin_findings *ret_found,
		     struct error *err)
{
	if (thin_file_check(dir, how->lock_timeout_ms, ret_found, err) < 0)
		return -1;
	*ret = !ret_found->total	 ? THIN_REPAIR_CLEAN
	       : ret_found->unrepairable ? THIN_REPAIR_REFUSED
					 : THIN_REPAIR_POSSIBLE;
	return 0;
}

/*
 * The lock is taken without a name in DIR/owner. The next writer takes a name that is left there
 * for a killed one's and punches out whatever the maps call free, which in a damaged pool can be
 * in use; a killed repair has left nothing that would have to be cleaned up.
 */
int thin_file_repair(const char *dir, const struct thin_repair_how *how,
		     enum thin_repair_outcome *ret, struct thin_findings *ret_found,
		     struct error *err)
{
	cleanup(tf_pool_free_ptr) struct tf_pool *p = NULL;

	if (how->dry_run)
		return look_only(dir, how, ret, ret_found, err);
	p = tf_pool_new(dir, true);
	if (tf_pool_take_files(p, how->lock_timeout_ms, err) < 0
	    || tf_repair_files(p, ret, ret_found, err) < 0)
		return -1;
	/* A killed writer's name: what it left is gone with the rest. */
	if (*ret == THIN_REPAIR_DONE)
		tf_lock_forget_owner(dir, TF_LOCK_OWNER);
	return 0;
}
