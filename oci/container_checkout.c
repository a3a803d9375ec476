/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Check-out: the volume of a container becomes a file beside the pool.
 *
 *   copy to ID.new ─▶ fsync ─▶ rename to ID.ext4 ─▶ fsync of the folders ─▶ record: "in its file"
 *
 * Before the last step the container is in the pool and what was made is removed; after it the
 * file is durable. The volume in the pool stays as it is, and is not looked at again.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "oci/container_internal.h"
#include "pkg/base/alloc.h"
#include "pkg/base/fdio.h"
#include "pkg/base/interrupt.h"
#include "pkg/base/log.h"

enum { CHUNK_BYTES = 64 << 20 /* between two looks for a signal */ };

struct check_out {
	struct container *c;
	struct snapshots *session;
	struct thin_volume *volume;
	char *path; /* ID.new */
	int fd;
	uint64_t copied, shared; /* bytes */
};

static void check_out_release(struct check_out *o)
{
	thin_volume_close(o->volume);
	snapshots_close(o->session);
	cleanup_fd_ptr(&o->fd);
	free(o->path);
}

/* --- copying ---------------------------------------------------------------------------------- */

static int copy_piece(struct check_out *o, uint64_t offset, uint64_t len, struct error *err)
{
	uint64_t shared;

	if (thin_volume_copy_to(o->volume, offset, len, o->fd, o->path, &shared, err) < 0)
		return -1;
	o->copied += len;
	o->shared += shared;
	return 0;
}

/*
 * Whether the file system can share blocks shows at the first one. Where it cannot, all that is
 * mapped is going to need room.
 */
static int guard(struct check_out *o, struct error *err)
{
	struct thin_device device;

	if (o->shared)
		return 0;
	if (thin_pool_device(snapshots_pool(o->session), o->c->entry.thin_id, &device, err) < 0)
		return -1;
	return store_guard_host(o->c->store->containers_dir,
				device.mapped_blocks * thin_volume_block_bytes(o->volume), err);
}

static int copy_range(struct check_out *o, uint64_t offset, uint64_t len, struct error *err)
{
	while (len) {
		bool first = !o->copied;
		uint64_t most = first ? thin_volume_block_bytes(o->volume) : CHUNK_BYTES;
		uint64_t n = len < most ? len : most;

		if (interrupt_check(err) < 0 || copy_piece(o, offset, n, err) < 0
		    || (first && guard(o, err) < 0))
			return -1;
		offset += n;
		len -= n;
	}
	return 0;
}

static int copy_volume(struct check_out *o, struct error *err)
{
	uint64_t offset = 0, len = 0;
	int more;

	while ((more = thin_volume_next_mapped(o->volume, offset, &offset, &len, err)) == 0) {
		if (copy_range(o, offset, len, err) < 0)
			return -1;
		offset += len;
	}
	return more < 0 ? -1 : 0;
}

static int make_file(struct check_out *o, struct error *err)
{
	if (container_open_volume(o->c, &o->session, &o->volume, err) < 0)
		return -1;
	o->fd = open(o->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (o->fd < 0)
		return error_sys(err, "create %s", o->path);
	if (ftruncate(o->fd, (off_t)thin_volume_size(o->volume)) < 0)
		return error_sys(err, "make %s so large", o->path);
	if (copy_volume(o, err) < 0)
		return -1;
	if (fsync(o->fd) < 0)
		return error_sys(err, "fsync %s", o->path);
	log_debug("check-out of %s: %llu MiB, %llu of them shared with the pool", o->c->entry.name,
		  (unsigned long long)(o->copied >> 20), (unsigned long long)(o->shared >> 20));
	return 0;
}

/* --- making it known -------------------------------------------------------------------------- */

/* The folders above may be new as well. */
static int sync_folders(const struct store *s, struct error *err)
{
	cleanup_free char *above = xasprintf("%s/containers", s->root);

	if (fdio_sync_dir(s->containers_dir, err) < 0 || fdio_sync_dir(above, err) < 0)
		return -1;
	return fdio_sync_dir(s->root, err);
}

static int publish(struct container *c, const char *new, struct error *err)
{
	if (rename(new, c->file) < 0)
		return error_sys(err, "rename %s to %s", new, c->file);
	if (sync_folders(c->store, err) < 0)
		return -1;
	return container_set_place(c, RECORD_IN_FILE, NULL, err);
}

/* The record may be written although that was reported as failed: what it says now decides. */
static void undo(struct container *c)
{
	cleanup(snapshots_close_ptr) struct snapshots *session = NULL;
	struct error ignored = {0};

	if (store_read(c->store, &session, &ignored) == 0)
		container_tidy(c->store, c->entry.thin_id,
			       record_find_id(snapshots_record(session), c->entry.thin_id));
}

static int check_file(const struct container *c, struct error *err)
{
	cleanup(thin_volume_close_ptr) struct thin_volume *volume = NULL;

	return container_open_raw(c->file, &volume, err);
}

int container_is_extracted(const struct container *c, struct error *err)
{
	return error_set(err, ERR_UNSUPPORTED, "its files were extracted into %s", c->entry.folder);
}

int container_check_out(struct container *c, struct error *err)
{
	cleanup(check_out_release) struct check_out o = {.c = c, .fd = -1};

	if (c->entry.place == RECORD_IN_FOLDER)
		return container_is_extracted(c, err);
	if (c->entry.place == RECORD_IN_FILE)
		return check_file(c, err);
	o.path = container_path(c->store, c->entry.thin_id, ".new");
	if (make_file(&o, err) == 0 && publish(c, o.path, err) == 0)
		return 0;
	undo(c);
	return error_wrap(err, "check out");
}
