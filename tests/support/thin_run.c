/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a pool beside its model; see the header. */
#include "tests/support/thin_run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/cmocka.h"

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/base/fdio.h"
#include "pkg/thin/file/format.h"
#include "pkg/thin/file/fsck.h"
#include "pkg/thin/volume.h"
#include "tests/support/thin_held.h"
#include "tests/support/thin_tools.h"

/* ---- standing between the engine and its files ---- */

/* The order that a power cut at any moment asks for. */
static void watch_order(struct thin_watch *w, enum tf_io io, uint64_t at)
{
	if (w->superblock_unsynced && io != TF_IO_SUPERBLOCK_SYNC)
		w->broken = "work goes on before the superblock is synced";
	switch (io) {
	case TF_IO_DATA_PUNCH:
		break;
	case TF_IO_DATA_WRITE:
		w->data_unsynced = true;
		break;
	case TF_IO_DATA_SYNC:
		w->data_unsynced = false;
		break;
	case TF_IO_METADATA_WRITE:
		w->metadata_unsynced = true;
		if (at == 0 || (at < w->nr_blocks && w->in_use[at]))
			w->broken = "a metadata block of the committed state is overwritten";
		break;
	case TF_IO_METADATA_SYNC:
		w->metadata_unsynced = false;
		break;
	case TF_IO_SUPERBLOCK_WRITE:
		if (w->data_unsynced || w->metadata_unsynced)
			w->broken = "the superblock is written before the rest is synced";
		w->superblock_passed = w->superblock_unsynced = true;
		break;
	case TF_IO_SUPERBLOCK_SYNC:
		w->superblock_unsynced = false;
		break;
	}
}

static int before_io(void *context, enum tf_io io, uint64_t at)
{
	struct thin_watch *w = context;

	if (!w->fired && w->left-- == 0)
		w->fired = true;
	if (w->fired && w->kill)
		_exit(w->superblock_passed ? THIN_RUN_DIED_COMMITTED : THIN_RUN_DIED);
	if (w->fired)
		return EIO;
	if (io == TF_IO_DATA_PUNCH && w->no_punch)
		return EOPNOTSUPP;
	watch_order(w, io, at);
	return 0;
}

/* ---- a run ---- */

uint64_t thin_run_random(struct thin_run *r, uint64_t below)
{
	r->seed ^= r->seed << 13;
	r->seed ^= r->seed >> 7;
	r->seed ^= r->seed << 17;
	return (r->seed >> 11) % below;
}

/* Which metadata blocks the state on disk uses. */
static void learn_blocks_in_use(struct thin_run *r)
{
	cleanup_fd int fd = open(r->meta, O_RDONLY | O_CLOEXEC);
	uint8_t sb_block[TF_BLOCK_BYTES], index[TF_BLOCK_BYTES], bitmap[TF_BLOCK_BYTES];
	struct tf_superblock sb;
	struct error err = {0};

	assert_ok(fdio_pread(fd, sb_block, TF_BLOCK_BYTES, 0, "meta", &err), &err);
	tf_superblock_unpack(sb_block, &sb);
	free(r->watch.in_use);
	r->watch.nr_blocks = sb.metadata_sm.nr_blocks;
	r->watch.in_use = xcalloc(sb.metadata_sm.nr_blocks, sizeof(bool));
	assert_ok(fdio_pread(fd, index, TF_BLOCK_BYTES, sb.metadata_sm.bitmap_root * TF_BLOCK_BYTES,
			     "meta", &err),
		  &err);
	for (uint64_t b = 0; b < sb.metadata_sm.nr_blocks; b++) {
		uint32_t i = (uint32_t)(b / TF_BITMAP_ENTRIES);
		uint64_t at = get_le64(index + tf_index_entry_offset(i));

		if (b % TF_BITMAP_ENTRIES == 0)
			assert_ok(fdio_pread(fd, bitmap, TF_BLOCK_BYTES, at * TF_BLOCK_BYTES,
					     "meta", &err),
				  &err);
		r->watch.in_use[b] = tf_bitmap_get(bitmap, (uint32_t)(b % TF_BITMAP_ENTRIES)) != 0;
	}
}

static void learn_sizes(struct thin_run *r)
{
	struct thin_pool_status status;
	struct error err = {0};

	assert_ok(thin_pool_status(r->pool, &status, &err), &err);
	r->data_bytes = status.data_total_blocks * r->block_bytes;
	r->metadata_bytes = status.metadata_total_blocks * TF_BLOCK_BYTES;
}

int thin_run_grow(struct thin_run *r, uint64_t data_blocks, uint64_t metadata_blocks)
{
	struct error err = {0};

	r->sizes_raised = true;
	if (thin_file_grow(r->pool, r->data_bytes + data_blocks * r->block_bytes,
			   r->metadata_bytes + metadata_blocks * TF_BLOCK_BYTES, &err)
	    < 0)
		return thin_run_failed(r, &err);
	learn_sizes(r);
	return 0;
}

void thin_run_open(struct thin_run *r)
{
	const struct thin_file_open how = {.mode = THIN_FILE_WRITE, .verb = "test"};
	struct error err = {0};

	assert_ok(thin_file_open(r->folder, &how, &r->pool, &err), &err);
	r->watch.left = UINT64_MAX;
	r->watch.fired = r->watch.superblock_passed = false;
	r->watch.data_unsynced = r->watch.metadata_unsynced = r->watch.superblock_unsynced = false;
	if (!r->no_hook)
		tf_pool_set_fault_hook(r->pool, (struct tf_fault_hook){before_io, &r->watch});
	learn_blocks_in_use(r);
	learn_sizes(r);
}

void thin_run_close(struct thin_run *r)
{
	thin_pool_close(r->pool);
	r->pool = NULL;
	if (r->watch.broken)
		fail_msg("%s", r->watch.broken);
}

void thin_run_start(struct thin_run *r)
{
	struct thin_file_params params = {.data_bytes = r->data_bytes,
					  .metadata_bytes = r->metadata_bytes,
					  .block_bytes = r->block_bytes};
	struct error err = {0};

	r->folder = thin_tools_folder();
	r->meta = xasprintf("%s/meta", r->folder);
	r->data = xasprintf("%s/data", r->folder);
	r->watch.no_punch = r->seed % 4 == 3;
	/* Spread small seeds over the bits, a random generator of shifts starts badly otherwise. */
	r->seed = r->seed * 0x9e3779b97f4a7c15u + 1;
	if (thin_tools_check_major() < 0)
		r->check_every = 0;
	thin_model_init(&r->model);
	assert_ok(thin_file_create(r->folder, &params, &err), &err);
	thin_run_open(r);
}

void thin_run_end(struct thin_run *r)
{
	thin_run_close(r);
	thin_run_forget_past(r);
	thin_model_release(&r->model);
	thin_tools_remove(&r->folder);
	free(r->watch.in_use);
	free(r->meta);
	free(r->data);
}

/* ---- the metadata snapshot ---- */

void thin_run_learn_held(struct thin_run *r)
{
	r->held = r->held_committed = thin_held_sum(r->pool);
}

static void check_held(struct thin_run *r)
{
	const struct thin_file_open how = {.mode = THIN_FILE_READ, .verb = "test"};
	struct thin_pool *reader = NULL;
	struct error err = {0};
	uint64_t sum;

	assert_ok(thin_file_open(r->folder, &how, &reader, &err), &err);
	sum = thin_held_sum(reader);
	thin_pool_close(reader);
	if (sum != r->held_committed)
		fail_msg("the metadata snapshot is not what it was");
}

/* ---- what must hold whenever the pool on disk is at rest ---- */

bool thin_run_disk_is_clean(const char *meta, const char *data, bool sizes_raised)
{
	struct thin_findings findings = {0};
	struct error err = {0};
	struct stat st;
	uint64_t bad = 0;

	assert_int_equal(stat(data, &st), 0);
	assert_ok(thin_file_fsck(meta, (uint64_t)st.st_size, &findings, &err), &err);
	for (size_t i = 0; i < findings.n; i++)
		bad += !sizes_raised
		       || (strcmp(findings.items[i].kind, "metadata_long")
			   && strcmp(findings.items[i].kind, "data_long"));
	if (bad)
		thin_tools_show(&findings);
	thin_findings_release(&findings);
	return !bad;
}

void thin_run_check_disk(struct thin_run *r, bool thin_check)
{
	assert_true(thin_run_disk_is_clean(r->meta, r->data, r->sizes_raised));
	if (thin_check && r->check_every)
		assert_int_equal(thin_tools_check(r->meta), 0);
	if (thin_check)
		check_held(r);
}

void thin_run_check_contents(struct thin_run *r, uint64_t stride)
{
	assert_true(thin_model_equals(&r->model, r->pool, thin_run_random(r, stride), stride));
}

/* What another process sees. */
void thin_run_check_reader(struct thin_run *r)
{
	const struct thin_file_open how = {.mode = THIN_FILE_READ, .verb = "test"};
	struct thin_pool *reader = NULL;
	struct error err = {0};
	bool equal;

	assert_ok(thin_file_open(r->folder, &how, &reader, &err), &err);
	equal = thin_model_equals(&r->model, reader, thin_run_random(r, r->stride), r->stride);
	thin_pool_close(reader);
	assert_true(equal);
}

void thin_run_forget_past(struct thin_run *r)
{
	while (r->n_past)
		thin_model_release(&r->past[--r->n_past].model);
	free(r->past);
	r->past = NULL;
	r->past_room = 0;
}

/* ---- operations ---- */

int thin_run_create(struct thin_run *r, uint32_t id)
{
	struct error err = {0};

	if (thin_pool_create_thin(r->pool, id, &err) < 0)
		return thin_run_failed(r, &err);
	thin_model_create(&r->model, id);
	return 0;
}

int thin_run_snap(struct thin_run *r, uint32_t id, uint32_t origin)
{
	struct error err = {0};

	if (thin_pool_create_snap(r->pool, id, origin, &err) < 0)
		return thin_run_failed(r, &err);
	thin_model_snap(&r->model, id, origin);
	return 0;
}

int thin_run_delete(struct thin_run *r, uint32_t id)
{
	struct error err = {0};

	if (thin_pool_delete(r->pool, id, &err) < 0)
		return thin_run_failed(r, &err);
	thin_model_delete(&r->model, id);
	return 0;
}

static uint8_t *random_bytes(struct thin_run *r, size_t len)
{
	uint8_t *bytes = xmalloc(len);
	uint64_t v = thin_run_random(r, UINT64_MAX);

	/* Zeros are written too: they must map, and hide what was there. */
	if (thin_run_random(r, 8) == 0)
		v = 0;
	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)(v >> 8 * (i % 8) ^ (v ? i / 512 : 0));
	return bytes;
}

int thin_run_discard(struct thin_run *r, uint32_t id, uint64_t offset, uint64_t len)
{
	struct thin_volume *v = NULL;
	struct error err = {0};
	int rc;

	if (thin_pool_open_volume(r->pool, id, r->model.size_bytes, true, &v, &err) < 0)
		return thin_run_failed(r, &err);
	rc = thin_volume_discard(v, offset, len, &err);
	thin_volume_close(v);
	if (rc < 0)
		return thin_run_failed(r, &err);
	thin_model_discard(&r->model, id, offset, len);
	return 0;
}

int thin_run_write_to(struct thin_run *r, struct thin_volume *v, uint32_t id, uint64_t offset,
		      size_t len)
{
	cleanup_free uint8_t *bytes = random_bytes(r, len);
	struct error err = {0};

	if (thin_volume_write(v, bytes, len, offset, &err) < 0) {
		thin_model_write_failed(&r->model, id, bytes, len, offset);
		return thin_run_failed(r, &err);
	}
	thin_model_write(&r->model, id, bytes, len, offset);
	return 0;
}

int thin_run_write(struct thin_run *r, uint32_t id, uint64_t offset, size_t len)
{
	struct thin_volume *v = NULL;
	struct error err = {0};
	int rc;

	if (thin_pool_open_volume(r->pool, id, r->model.size_bytes, true, &v, &err) < 0)
		return thin_run_failed(r, &err);
	rc = thin_run_write_to(r, v, id, offset, len);
	thin_volume_close(v);
	return rc;
}

bool thin_run_pick(struct thin_run *r, bool exists, uint32_t *ret)
{
	uint32_t from = (uint32_t)thin_run_random(r, r->model.nr_thins);

	for (uint32_t i = 0; i < r->model.nr_thins; i++) {
		*ret = (from + i) % r->model.nr_thins;
		if (r->model.now.thins[*ret].exists == exists)
			return true;
	}
	return false;
}

int thin_run_failed(struct thin_run *r, const struct error *err)
{
	r->error = *err;
	/* After a cut anything may fail; before it only space may be short. */
	if (!r->watch.fired && !r->may_fail && err->kind != ERR_NO_SPACE)
		fail_msg("%s: %s", error_kind_name(err->kind), err->cause);
	r->no_space += !r->watch.fired;
	return -1;
}

/* The pool has made a commit: what the model and the watch take for committed changes. */
static void note_commit(struct thin_run *r, uint64_t transaction_id)
{
	thin_model_commit(&r->model, transaction_id);
	r->held_committed = r->held;
	r->sizes_raised = false;
	r->watch.superblock_passed = false;
	learn_blocks_in_use(r);
}

int thin_run_commit(struct thin_run *r)
{
	uint64_t id = r->model.now.transaction_id + (r->keep_past ? 1 : thin_run_random(r, 3));
	struct error err = {0};

	if (thin_pool_commit(r->pool, id, &err) < 0)
		return thin_run_failed(r, &err);
	if (r->keep_past) {
		ALLOC_GROW(r->past, r->n_past + 1, r->past_room);
		thin_model_copy(&r->past[r->n_past].model, &r->model);
		r->past[r->n_past++].held = r->held_committed;
	}
	note_commit(r, id);
	thin_run_check_disk(r, ++r->commits % (r->check_every ? r->check_every : 1) == 0);
	thin_run_check_contents(r, r->stride);
	if (thin_run_random(r, 4) == 0)
		thin_run_check_reader(r);
	return 0;
}

/* It commits first, and may fail before that or after. */
static int reserve(struct thin_run *r)
{
	struct error err = {0};
	int rc;

	if (r->keep_past && thin_run_commit(r) < 0)
		return -1;
	r->watch.superblock_passed = false;
	rc = thin_pool_reserve_metadata_snap(r->pool, &err);
	if (rc == 0 || (r->watch.superblock_passed && !r->watch.superblock_unsynced))
		note_commit(r, r->model.now.transaction_id);
	if (rc < 0)
		return thin_run_failed(r, &err);
	r->held = thin_held_sum_now(r->pool);
	assert_true(r->held == thin_held_sum(r->pool));
	assert_int_equal(thin_pool_reserve_metadata_snap(r->pool, &err), -1);
	assert_int_equal(err.kind, ERR_BUSY);
	return 0;
}

int thin_run_hold_or_release(struct thin_run *r)
{
	struct error err = {0};

	if (!r->held) {
		assert_int_equal(thin_pool_release_metadata_snap(r->pool, &err), -1);
		return err.kind == ERR_NOT_FOUND ? reserve(r) : thin_run_failed(r, &err);
	}
	if (thin_pool_release_metadata_snap(r->pool, &err) < 0)
		return thin_run_failed(r, &err);
	r->held = 0;
	return 0;
}

void thin_run_reopen(struct thin_run *r)
{
	thin_run_close(r);
	thin_run_check_disk(r, false);
	thin_run_open(r);
	thin_model_abort(&r->model);
	r->held = r->held_committed;
	assert_true(thin_model_settle(&r->model, r->pool));
}

void thin_run_abort(struct thin_run *r)
{
	struct error err = {0};

	assert_ok(thin_pool_abort(r->pool, &err), &err);
	thin_model_abort(&r->model);
	r->held = r->held_committed;
	assert_true(thin_model_settle(&r->model, r->pool));
	r->sizes_raised = false;
	learn_sizes(r);
	thin_run_check_disk(r, false);
}

uint64_t thin_run_environment(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);
	uint64_t value;
	char *end;

	if (!text)
		return otherwise;
	value = strtoull(text, &end, 10);
	if (end == text || *end)
		fail_msg("%s=%s is no number", name, text);
	return value;
}

unsigned thin_run_every(void)
{
#ifdef __SANITIZE_ADDRESS__
	bool slow = true;
#else
	bool slow = getenv("THINPULL_AGAIN");
#endif

	return (unsigned)thin_run_environment("THINPULL_EVERY", slow ? 23 : 5);
}
