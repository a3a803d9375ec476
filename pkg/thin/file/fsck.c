/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The strict check: superblock, order of the passes, findings, and the check of a pool folder
 * under its lock. Must not use anything of the writer but the format.
 */
#include "pkg/thin/file/fsck.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/thin/file/fsck_internal.h"
#include "pkg/thin/file/lock.h"

/*
 * What repair.c can put right without losing anything. The space maps are computed from the trees,
 * so whatever is wrong with their blocks is; a node of the trees is what it is. Where one of two
 * numbers must be wrong and nobody can tell which, nothing is guessed.
 */
enum repairable { NEVER, IN_MAPS, ALWAYS };

static const struct {
	const char *name;
	enum repairable repairable;
} kinds[FSCK_KINDS] = {
	[FSCK_METADATA_SHORT] = {"metadata_short", NEVER},
	[FSCK_METADATA_LONG] = {"metadata_long", ALWAYS},
	[FSCK_DATA_SHORT] = {"data_short", NEVER},
	[FSCK_DATA_LONG] = {"data_long", ALWAYS},
	[FSCK_SUPERBLOCK] = {"superblock", NEVER},
	[FSCK_FEATURES] = {"features", NEVER},
	[FSCK_NEEDS_CHECK] = {"needs_check", ALWAYS},
	[FSCK_METADATA_NR_BLOCKS] = {"metadata_nr_blocks", ALWAYS},
	[FSCK_CHECKSUM] = {"checksum", IN_MAPS},
	[FSCK_BLOCKNR] = {"blocknr", IN_MAPS},
	[FSCK_RESERVED] = {"reserved", IN_MAPS},
	[FSCK_NODE_HEADER] = {"node_header", IN_MAPS},
	[FSCK_KEY_ORDER] = {"key_order", IN_MAPS},
	[FSCK_KEY_BOUNDS] = {"key_bounds", IN_MAPS},
	[FSCK_DEPTH] = {"depth", IN_MAPS},
	[FSCK_MIN_FILL] = {"min_fill", IN_MAPS},
	[FSCK_CYCLE] = {"cycle", IN_MAPS},
	[FSCK_USED_TWICE] = {"used_twice", IN_MAPS},
	[FSCK_METADATA_RANGE] = {"metadata_range", IN_MAPS},
	[FSCK_DATA_RANGE] = {"data_range", NEVER},
	[FSCK_DEVICE_ID] = {"device_id", NEVER},
	[FSCK_DETAILS_MISSING] = {"details_missing", NEVER},
	[FSCK_MAPPING_MISSING] = {"mapping_missing", NEVER},
	[FSCK_MAPPED_BLOCKS] = {"mapped_blocks", ALWAYS},
	[FSCK_TIME] = {"time", NEVER},
	[FSCK_TRANSACTION_ID] = {"transaction_id", NEVER},
	[FSCK_HELD_ROOT] = {"held_root", NEVER},
	[FSCK_SHARED_TIME] = {"shared_time", ALWAYS},
	[FSCK_SPACE_MAP_SIZE] = {"space_map_size", NEVER},
	[FSCK_BITMAP_MISSING] = {"bitmap_missing", ALWAYS},
	[FSCK_UNUSED_INDEX] = {"unused_index", ALWAYS},
	[FSCK_METADATA_REFCOUNT] = {"metadata_refcount", ALWAYS},
	[FSCK_DATA_REFCOUNT] = {"data_refcount", ALWAYS},
	[FSCK_OVERFLOW] = {"overflow", ALWAYS},
	[FSCK_BITS_PAST_END] = {"bits_past_end", ALWAYS},
	[FSCK_NR_ALLOCATED] = {"nr_allocated", ALWAYS},
	[FSCK_NR_FREE] = {"nr_free", ALWAYS},
	[FSCK_NONE_FREE_BEFORE] = {"none_free_before", ALWAYS},
};

/* ---- findings ---- */

void thin_findings_release(struct thin_findings *f)
{
	free(f->items);
	*f = (struct thin_findings){0};
}

struct fsck_place fsck_at(const char *fmt, ...)
{
	struct fsck_place place;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(place.text, sizeof(place.text), fmt, ap);
	va_end(ap);
	return place;
}

struct fsck_place fsck_at_block(uint64_t block)
{
	return block ? fsck_at("metadata block %" PRIu64, block) : fsck_at("superblock");
}

static bool is_repairable(const struct fsck *f, enum fsck_kind kind)
{
	/* Repair makes the pool's time one more. */
	if (kind == FSCK_SHARED_TIME && f->sb.time >= TF_TIME_MAX)
		return false;
	return kinds[kind].repairable == ALWAYS
	       || (kinds[kind].repairable == IN_MAPS && f->in_maps);
}

void fsck_report(struct fsck *f, enum fsck_kind kind, struct fsck_place where, const char *fmt, ...)
{
	struct thin_findings *all = f->findings;
	bool repairable = is_repairable(f, kind);
	struct thin_finding *item;
	va_list ap;

	all->total++;
	all->unrepairable += !repairable;
	if (all->n == THIN_FINDINGS_MAX)
		return;
	ALLOC_GROW(all->items, all->n + 1, all->room);
	item = &all->items[all->n++];
	snprintf(item->kind, sizeof(item->kind), "%s", kinds[kind].name);
	snprintf(item->where, sizeof(item->where), "%s", where.text);
	item->repairable = repairable;
	va_start(ap, fmt);
	vsnprintf(item->text, sizeof(item->text), fmt, ap);
	va_end(ap);
}

/* ---- superblock ---- */

static void check_identity(struct fsck *f)
{
	const struct tf_superblock *sb = &f->sb;
	struct fsck_place here = fsck_at("superblock");

	if (sb->version != TF_VERSION)
		fsck_report(f, FSCK_SUPERBLOCK, here, "version %" PRIu32 ", known is %d",
			    sb->version, TF_VERSION);
	if (sb->flags & ~(uint32_t)TF_FLAG_NEEDS_CHECK)
		fsck_report(f, FSCK_FEATURES, here, "flags %" PRIx32 ", known are %x", sb->flags,
			    TF_FLAG_NEEDS_CHECK);
	if (sb->flags & TF_FLAG_NEEDS_CHECK)
		fsck_report(f, FSCK_NEEDS_CHECK, here,
			    "the kernel asked for a check: flags %" PRIx32, sb->flags);
	if (sb->compat_flags || sb->compat_ro_flags || sb->incompat_flags)
		fsck_report(f, FSCK_FEATURES, here,
			    "features compat %" PRIx32 ", compat_ro %" PRIx32 ", incompat %" PRIx32
			    ", known are none",
			    sb->compat_flags, sb->compat_ro_flags, sb->incompat_flags);
	if (sb->time > TF_TIME_MAX)
		fsck_report(f, FSCK_TIME, here, "time %" PRIu32 ", mappings end at %d", sb->time,
			    TF_TIME_MAX);
}

static void check_block_sizes(struct fsck *f)
{
	const struct tf_superblock *sb = &f->sb;
	struct fsck_place here = fsck_at("superblock");

	if (sb->metadata_block_sectors != TF_BLOCK_BYTES / TF_SECTOR_BYTES)
		fsck_report(f, FSCK_SUPERBLOCK, here,
			    "metadata blocks of %" PRIu32 " sectors, not %d",
			    sb->metadata_block_sectors, TF_BLOCK_BYTES / TF_SECTOR_BYTES);
	if (sb->data_block_sectors < TF_DATA_SECTORS_MIN
	    || sb->data_block_sectors > TF_DATA_SECTORS_MAX
	    || sb->data_block_sectors % TF_DATA_SECTORS_MIN)
		fsck_report(f, FSCK_SUPERBLOCK, here,
			    "data blocks of %" PRIu32 " sectors, not %d to %d in steps of %d",
			    sb->data_block_sectors, TF_DATA_SECTORS_MIN, TF_DATA_SECTORS_MAX,
			    TF_DATA_SECTORS_MIN);
	if (sb->metadata_blocks == 0 || sb->metadata_blocks > sb->metadata_sm.nr_blocks)
		fsck_report(f, FSCK_METADATA_NR_BLOCKS, here,
			    "made with %" PRIu64 " metadata blocks, the space map has %" PRIu64,
			    sb->metadata_blocks, sb->metadata_sm.nr_blocks);
}

static void check_metadata_size(struct fsck *f)
{
	uint64_t want = f->sb.metadata_sm.nr_blocks, have = f->file_bytes;
	struct fsck_place here = fsck_at("metadata file");

	if (want == 0 || want > TF_METADATA_BLOCKS_MAX) {
		fsck_report(f, FSCK_SPACE_MAP_SIZE, fsck_at("metadata space map"),
			    "%" PRIu64 " blocks, not 1 to %d", want, TF_METADATA_BLOCKS_MAX);
		want = TF_METADATA_BLOCKS_MAX;
	} else if (have < want * TF_BLOCK_BYTES) {
		fsck_report(f, FSCK_METADATA_SHORT, here,
			    "%" PRIu64 " bytes, the pool has %" PRIu64, have,
			    want * TF_BLOCK_BYTES);
	} else if (have > want * TF_BLOCK_BYTES && want < TF_METADATA_BLOCKS_MAX) {
		/* What lies past the format's limit is left alone by everyone. */
		fsck_report(f, FSCK_METADATA_LONG, here, "%" PRIu64 " bytes, the pool has %" PRIu64,
			    have, want * TF_BLOCK_BYTES);
	}
	f->nr_blocks = have / TF_BLOCK_BYTES < want ? have / TF_BLOCK_BYTES : want;
}

static void check_data_size(struct fsck *f)
{
	struct fsck_place here = fsck_at("data file");
	uint64_t want;

	if (!f->data_known)
		return;
	if (__builtin_mul_overflow(f->sb.data_sm.nr_blocks,
				   (uint64_t)f->sb.data_block_sectors * TF_SECTOR_BYTES, &want))
		want = UINT64_MAX;
	if (f->data_bytes < want)
		fsck_report(f, FSCK_DATA_SHORT, here, "%" PRIu64 " bytes, the pool has %" PRIu64,
			    f->data_bytes, want);
	if (f->data_bytes > want)
		fsck_report(f, FSCK_DATA_LONG, here, "%" PRIu64 " bytes, the pool has %" PRIu64,
			    f->data_bytes, want);
}

/* False when there is nothing to go on with. */
static bool check_superblock(struct fsck *f)
{
	uint8_t b[TF_BLOCK_BYTES] = {0};

	/* A wrong sum is told and looked past: the rest says what else is wrong. */
	(void)fsck_read(f, TF_SUPERBLOCK, 0, b);
	tf_superblock_unpack(b, &f->sb);
	if (f->sb.magic != TF_MAGIC) {
		fsck_report(f, FSCK_SUPERBLOCK, fsck_at("superblock"),
			    "magic %" PRIu64 " instead of %d: no dm-thin metadata", f->sb.magic,
			    TF_MAGIC);
		return false;
	}
	check_identity(f);
	check_block_sizes(f);
	check_metadata_size(f);
	check_data_size(f);
	return f->nr_blocks > 0;
}

/* ---- the check ---- */

static void keep_tree_refs(struct fsck *f)
{
	f->tree_refs = xcalloc(f->nr_blocks, sizeof(*f->tree_refs));
	for (uint64_t i = 0; i < f->nr_blocks; i++)
		f->tree_refs[i] = f->blocks[i].refs;
}

static void check_all(struct fsck *f)
{
	f->blocks = xcalloc(f->nr_blocks, sizeof(*f->blocks));
	ALLOC_GROW(f->nodes, 64, f->nodes_room);
	f->nr_nodes = 1;
	fsck_visit(f, USE_SUPERBLOCK, 0, 0);
	fsck_space_init(f);
	fsck_devices(f);
	fsck_share(f);
	keep_tree_refs(f);
	f->in_maps = true;
	fsck_space_visit(f);
	fsck_space_check(f, &f->metadata);
	fsck_space_check(f, &f->data);
}

bool fsck_run(struct fsck *f)
{
	if (check_superblock(f))
		check_all(f);
	return !f->failed;
}

void fsck_release(struct fsck *f)
{
	for (uint64_t i = 0; f->data.bitmaps && i < f->data.nr_bitmaps; i++)
		free(f->data.bitmaps[i].counts);
	for (uint64_t i = 0; f->metadata.bitmaps && i < f->metadata.nr_bitmaps; i++)
		free(f->metadata.bitmaps[i].stored);
	free(f->data.bitmaps);
	free(f->metadata.bitmaps);
	free(f->blocks);
	free(f->tree_refs);
	free(f->nodes);
}

/* @data_bytes: NULL = not known. */
static int check_fd(int fd, const char *path, const uint64_t *data_bytes, struct thin_findings *ret,
		    struct error *err)
{
	struct thin_findings found = {0};
	struct fsck f = {.fd = fd,
			 .path = path,
			 .findings = &found,
			 .err = err,
			 .data_known = data_bytes != NULL,
			 .data_bytes = data_bytes ? *data_bytes : 0};
	off_t end = lseek(fd, 0, SEEK_END);
	bool done;

	if (end < 0)
		return error_sys(err, "size of %s", path);
	f.file_bytes = (uint64_t)end;
	done = fsck_run(&f);
	fsck_release(&f);
	if (!done) {
		thin_findings_release(&found);
		return -1;
	}
	*ret = found;
	return 0;
}

static int open_metadata(const char *path, int *ret, struct error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd < 0 && errno == ENOENT)
		return error_set(err, ERR_NOT_FOUND, "no thin pool metadata at %s", path);
	if (fd < 0)
		return error_sys(err, "open %s", path);
	if (fstat(fd, &st) < 0 || (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))) {
		close(fd);
		return error_set(err, ERR_INVALID, "%s is neither a file nor a block device", path);
	}
	*ret = fd;
	return 0;
}

int thin_file_fsck(const char *meta_path, uint64_t data_bytes, struct thin_findings *ret,
		   struct error *err)
{
	cleanup_fd int fd = -1;

	if (open_metadata(meta_path, &fd, err) < 0)
		return -1;
	return check_fd(fd, meta_path, data_bytes ? &data_bytes : NULL, ret, err);
}

/* ---- a pool folder ---- */

/* A kernel that has the files on loop devices takes no lock. */
static int keep_others_out(const char *dir, int meta_fd, const char *meta, const char *data,
			   unsigned timeout_ms, struct error *err)
{
	if (tf_lock_take_shared(dir, TF_LOCK_OWNER, meta_fd, timeout_ms, err) < 0
	    || tf_lock_check_loops(meta, err) < 0)
		return -1;
	return tf_lock_check_loops(data, err);
}

static int open_data(const char *path, int *ret, struct error *err)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 && errno == ENOENT)
		return error_set(err, ERR_INCONSISTENT, "%s is missing", path);
	if (fd < 0)
		return error_sys(err, "open %s", path);
	*ret = steal_fd(&fd);
	return 0;
}

int thin_file_check(const char *dir, unsigned lock_timeout_ms, struct thin_findings *ret,
		    struct error *err)
{
	cleanup_free char *meta = xasprintf("%s/meta", dir);
	cleanup_free char *data = xasprintf("%s/data", dir);
	cleanup_fd int meta_fd = -1;
	cleanup_fd int data_fd = -1;
	uint64_t data_bytes;
	off_t end;

	if (open_metadata(meta, &meta_fd, err) < 0 || open_data(data, &data_fd, err) < 0
	    || keep_others_out(dir, meta_fd, meta, data, lock_timeout_ms, err) < 0)
		return -1;
	end = lseek(data_fd, 0, SEEK_END);
	if (end < 0)
		return error_sys(err, "size of %s", data);
	data_bytes = (uint64_t)end;
	return check_fd(meta_fd, meta, &data_bytes, ret, err);
}
