/* SPDX-License-Identifier: Apache-2.0 */
/* Devices are looked at, then written down, then written to. */
#include "pkg/thin/kernel/make_device.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/base/fdio.h"
#include "pkg/base/log.h"
#include "pkg/thin/file/engine.h"
#include "pkg/thin/kernel/activate.h"
#include "pkg/thin/kernel/label.h"
#include "pkg/thin/kernel/table.h"

enum { METADATA_UNIT_BYTES = 4096 };

/* --- how large -------------------------------------------------------------------------------- */

static uint64_t round_up(uint64_t bytes)
{
	return (bytes + LABEL_ROOM_BYTES - 1) / LABEL_ROOM_BYTES * LABEL_ROOM_BYTES;
}

static int too_small(const char *what, uint64_t has, uint64_t needs, struct error *err)
{
	return error_set(err, ERR_NO_SPACE, "the %s has room for %llu MiB, %llu are needed", what,
			 (unsigned long long)(has >> 20), (unsigned long long)(needs >> 20));
}

/* More than the format can address is of no use. */
static uint64_t metadata_limit(void)
{
	return thin_file_metadata_bytes(UINT64_MAX, 1);
}

static int plan_metadata(const struct thin_device_params *p, uint64_t device_bytes,
			 uint64_t metadata_device_bytes, struct thin_place *place,
			 struct error *err)
{
	uint64_t room = metadata_device_bytes ? metadata_device_bytes : device_bytes;
	uint64_t bytes = p->metadata_bytes;

	room -= room < LABEL_ROOM_BYTES ? room : LABEL_ROOM_BYTES;
	if (!bytes && metadata_device_bytes)
		bytes = room < metadata_limit() ? room : metadata_limit();
	if (!bytes)
		bytes = thin_file_metadata_bytes(p->data_bytes ? p->data_bytes : room,
						 p->block_bytes);
	bytes = bytes / METADATA_UNIT_BYTES * METADATA_UNIT_BYTES;
	if (bytes > room)
		return too_small(metadata_device_bytes ? "metadata device" : "device", room, bytes,
				 err);
	place->metadata_start = LABEL_ROOM_BYTES;
	place->metadata_bytes = bytes;
	return 0;
}

static struct thin_file_params params_of(const struct thin_place *place)
{
	struct thin_file_params params = {.data_bytes = place->data_bytes,
					  .metadata_bytes = place->metadata_bytes,
					  .block_bytes = place->block_bytes};

	memcpy(params.uuid, place->uuid, sizeof(params.uuid));
	return params;
}

int thin_device_plan(const struct thin_device_params *p, uint64_t device_bytes,
		     uint64_t metadata_device_bytes, struct thin_place *place, struct error *err)
{
	struct thin_file_params params;
	uint64_t room, bytes;

	if (!p->block_bytes || p->data_bytes > INT64_MAX || p->metadata_bytes > INT64_MAX)
		return error_set(err, ERR_USAGE, "no device is so large");
	if (plan_metadata(p, device_bytes, metadata_device_bytes, place, err) < 0)
		return -1;
	place->block_bytes = p->block_bytes;
	place->data_start = LABEL_ROOM_BYTES;
	if (!metadata_device_bytes)
		place->data_start = round_up(place->metadata_start + place->metadata_bytes);
	room = device_bytes > place->data_start ? device_bytes - place->data_start : 0;
	bytes = p->data_bytes ? p->data_bytes : room;
	bytes = bytes / p->block_bytes * p->block_bytes;
	if (!bytes || bytes > room)
		return too_small("device", room, bytes ? bytes : p->block_bytes, err);
	place->data_bytes = bytes;
	params = params_of(place);
	return thin_file_check_params(&params, err);
}

/* --- looking ---------------------------------------------------------------------------------- */

static int check_blank(const char *path, struct error *err)
{
	cleanup_free char *signature = NULL;
	struct device_label label;
	int status = device_label_read(path, &label, err);

	if (status == 0) {
		error_set(err, ERR_BUSY, "%s belongs to the pool %s, or did", path, label.pool);
	} else if (status == 1) {
		status = blockdev_signature(path, &signature, err);
		if (status == 0)
			error_set(err, ERR_BUSY, "there is something on %s: %s", path, signature);
	}
	if (status == 0)
		return error_set_detail(err, ERR_DETAIL_NOT_BLANK);
	return status == 1 ? 0 : -1;
}

int thin_device_look(const char *path, bool force, struct blockdev *ret, struct error *err)
{
	if (blockdev_look(path, ret, err) < 0)
		return -1;
	if (ret->read_only)
		return error_set(err, ERR_UNSUPPORTED, "%s can only be read", path);
	if (blockdev_check_unused(path, err) < 0 || (!force && check_blank(path, err) < 0))
		return -1;
	return 0;
}

static int look_at_both(const struct thin_device_params *p, struct blockdev *data,
			struct blockdev *metadata, struct error *err)
{
	if (thin_device_look(p->data_device, p->force, data, err) < 0)
		return -1;
	if (!p->metadata_device)
		return 0;
	if (thin_device_look(p->metadata_device, p->force, metadata, err) < 0)
		return -1;
	if (data->number == metadata->number)
		return error_set(err, ERR_USAGE, "%s and %s are the same device", p->data_device,
				 p->metadata_device);
	return 0;
}

/* --- writing ---------------------------------------------------------------------------------- */

/* Others who want it at this moment find it in use. */
static int take(const char *device, int *ret, struct error *err)
{
	*ret = open(device, O_RDWR | O_EXCL | O_CLOEXEC);
	if (*ret >= 0)
		return 0;
	if (errno == EBUSY)
		return error_set(err, ERR_BUSY, "%s is in use", device);
	return error_sys(err, "open %s", device);
}

int thin_device_wipe(const char *device, struct error *err)
{
	cleanup_fd int fd = -1;

	if (take(device, &fd, err) < 0)
		return -1;
	return blockdev_wipe(fd, device, LABEL_ROOM_BYTES, err);
}

static int mark(const char *device, const struct thin_device_params *p, unsigned parts,
		struct error *err)
{
	struct device_label label = {.parts = parts};
	cleanup_fd int fd = -1;

	memcpy(label.uuid, p->uuid, sizeof(label.uuid));
	snprintf(label.pool, sizeof(label.pool), "%s", p->pool);
	if (take(device, &fd, err) < 0 || blockdev_wipe(fd, device, LABEL_ROOM_BYTES, err) < 0)
		return -1;
	return device_label_write(fd, device, &label, err);
}

static int mark_both(const struct thin_place *place, const struct thin_device_params *p,
		     struct error *err)
{
	if (!place->metadata_device)
		return mark(place->data_device, p, LABEL_DATA | LABEL_METADATA, err);
	if (mark(place->data_device, p, LABEL_DATA, err) < 0)
		return -1;
	return mark(place->metadata_device, p, LABEL_METADATA, err);
}

static int format(const struct thin_place *place, struct error *err)
{
	struct thin_file_params params = params_of(place);
	struct kernel_names names;
	cleanup_free char *path = NULL;
	cleanup_fd int fd = -1;

	kernel_names_part(place->uuid, "meta", &names);
	path = devmap_path(names.name);
	fd = open(path, O_RDWR | O_EXCL | O_CLOEXEC);
	if (fd < 0)
		return error_sys(err, "open %s", path);
	return thin_file_format(fd, path, &params, err);
}

int thin_device_create(const char *dir, const struct thin_device_params *p, struct error *err)
{
	cleanup(thin_place_release) struct thin_place place = {
		.kind = THIN_PLACE_DEVICE,
		.queue_when_full = p->queue_when_full,
		.no_zero = p->no_zero,
	};
	cleanup(blockdev_release) struct blockdev data = {0}, metadata = {0};
	struct kernel_parts parts;

	if (look_at_both(p, &data, &metadata, err) < 0
	    || thin_device_plan(p, data.size_bytes, metadata.size_bytes, &place, err) < 0)
		return -1;
	memcpy(place.uuid, p->uuid, sizeof(place.uuid));
	place.data_device = xstrdup(data.name);
	place.metadata_device = metadata.name ? xstrdup(metadata.name) : NULL;
	if (thin_place_store(dir, &place, err) < 0 || mark_both(&place, p, err) < 0
	    || kernel_device_attach(&place, &parts, err) < 0)
		return -1;
	return format(&place, err);
}

/* --- the end ---------------------------------------------------------------------------------- */

static bool is_ours(const char *device, const struct thin_place *place)
{
	struct device_label label;
	struct error err = {0};
	int status = device_label_read(device, &label, &err);

	if (status < 0)
		log_debug("%s", err.cause);
	return status == 0 && memcmp(label.uuid, place->uuid, sizeof(label.uuid)) == 0;
}

/* @metadata_start: of a superblock on it, or 0. The label goes last, while it is there we know. */
static int clear(const char *device, const struct thin_place *place, uint64_t metadata_start,
		 struct error *err)
{
	static const uint8_t zeros[LABEL_BYTES];
	cleanup_fd int fd = -1;

	if (!is_ours(device, place))
		return 0;
	if (take(device, &fd, err) < 0
	    || (metadata_start
		&& fdio_pwrite(fd, zeros, sizeof(zeros), metadata_start, device, err) < 0))
		return -1;
	if (fsync(fd) < 0)
		return error_sys(err, "sync %s", device);
	if (fdio_pwrite(fd, zeros, sizeof(zeros), 0, device, err) < 0)
		return -1;
	return fsync(fd) < 0 ? error_sys(err, "sync %s", device) : 0;
}

int thin_device_end(const struct thin_place *place, struct error *err)
{
	const char *metadata = place->metadata_device;

	if (metadata && clear(metadata, place, place->metadata_start, err) < 0)
		return -1;
	return clear(place->data_device, place, metadata ? 0 : place->metadata_start, err);
}
