/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pool on block devices of its own: a linear device for the metadata and one for the data, so that
 * both are ours by name and UUID, whatever they stand on.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/base/log.h"
#include "pkg/host/blockdev.h"
#include "pkg/thin/kernel/activate.h"
#include "pkg/thin/kernel/label.h"
#include "pkg/thin/kernel/table.h"

/* Names change: what another disk has now under this one must not be written to. */
static int check_label(const char *device, const struct thin_place *place, struct error *err)
{
	struct device_label label;
	int status = device_label_read(device, &label, err);

	if (status < 0)
		return -1;
	if (status == 0 && memcmp(label.uuid, place->uuid, sizeof(label.uuid)) == 0)
		return 0;
	error_set(err, ERR_NOT_FOUND, "%s is another device now: it has not the label of the pool",
		  device);
	return error_set_detail(err, ERR_DETAIL_NO_DISK);
}

static int find_below(const char *device, struct stat *ret, struct error *err)
{
	bool is_there = stat(device, ret) == 0;

	if (!is_there && errno != ENOENT)
		return error_sys(err, "stat %s", device);
	if (is_there && S_ISBLK(ret->st_mode))
		return 0;
	error_set(err, ERR_NOT_FOUND, "%s, which the pool is on, is %s", device,
		  is_there ? "no block device" : "not there");
	return error_set_detail(err, ERR_DETAIL_NO_DISK);
}

/* @ret: owned. */
static int linear_params(const struct thin_place *place, const char *device, uint64_t start,
			 char **ret, struct error *err)
{
	struct stat st;

	if (find_below(device, &st, err) < 0 || check_label(device, place, err) < 0)
		return -1;
	*ret = xasprintf("%u:%u %llu", major(st.st_rdev), minor(st.st_rdev),
			 (unsigned long long)(start / DEVMAP_SECTOR_BYTES));
	return 0;
}

static int make_linear(const struct thin_place *place, const struct kernel_names *names,
		       const char *device, uint64_t start, uint64_t bytes, struct error *err)
{
	struct devmap_target target = {.length = bytes / DEVMAP_SECTOR_BYTES, .type = "linear"};
	cleanup_free char *params = NULL;

	if (linear_params(place, device, start, &params, err) < 0)
		return -1;
	target.params = params;
	return devmap_create(names->name, names->uuid, &target, 1, 0, err);
}

/* There already, also without a table: made by a command that was killed. */
static int attach_linear(const struct thin_place *place, const char *part, const char *device,
			 uint64_t start, uint64_t bytes, char ret_number[32], struct error *err)
{
	struct kernel_names names;
	struct devmap_info info;

	kernel_names_part(place->uuid, part, &names);
	if (devmap_info(names.uuid, &info, err) < 0)
		return -1;
	if (info.exists && !info.live) {
		if (devmap_remove(names.uuid, 0, err) < 0)
			return -1;
		info.exists = false;
	}
	if (!info.exists
	    && (make_linear(place, &names, device, start, bytes, err) < 0
		|| devmap_info(names.uuid, &info, err) < 0))
		return -1;
	if (info.suspended && devmap_resume(names.uuid, err) < 0)
		return -1;
	snprintf(ret_number, 32, "%u:%u", info.major, info.minor);
	return 0;
}

int kernel_device_attach(const struct thin_place *place, struct kernel_parts *ret,
			 struct error *err)
{
	const char *metadata = place->metadata_device ? place->metadata_device : place->data_device;
	struct error ignored = {0};

	ret->block_bytes = place->block_bytes;
	ret->data_bytes = place->data_bytes;
	if (attach_linear(place, "meta", metadata, place->metadata_start, place->metadata_bytes,
			  ret->metadata, err)
		    == 0
	    && attach_linear(place, "data", place->data_device, place->data_start,
			     place->data_bytes, ret->data, err)
		       == 0)
		return 0;
	if (kernel_device_detach(place, &ignored) < 0)
		log_debug("%s", ignored.cause);
	return -1;
}

int kernel_device_detach(const struct thin_place *place, struct error *err)
{
	struct kernel_names names;

	kernel_names_part(place->uuid, "data", &names);
	if (devmap_remove(names.uuid, 0, err) < 0)
		return -1;
	kernel_names_part(place->uuid, "meta", &names);
	return devmap_remove(names.uuid, 0, err);
}

/* --- growing ---------------------------------------------------------------------------------- */

/* @bytes: 0 = nothing is wanted. */
static int find_room(const char *device, uint64_t start, uint64_t *bytes, struct error *err)
{
	cleanup(blockdev_release) struct blockdev d = {0};
	uint64_t room;

	if (!*bytes)
		return 0;
	if (blockdev_look(device, &d, err) < 0)
		return -1;
	room = d.size_bytes > start ? d.size_bytes - start : 0;
	if (*bytes == UINT64_MAX)
		*bytes = room;
	if (*bytes > room)
		return error_set(err, ERR_NO_SPACE, "%s has room for %llu MiB, %llu are needed",
				 device, (unsigned long long)(room >> 20),
				 (unsigned long long)(*bytes >> 20));
	return 0;
}

int kernel_device_room(const struct thin_place *place, uint64_t *data_bytes,
		       uint64_t *metadata_bytes, struct error *err)
{
	if (find_room(place->data_device, place->data_start, data_bytes, err) < 0)
		return -1;
	if (place->metadata_device)
		return find_room(place->metadata_device, place->metadata_start, metadata_bytes,
				 err);
	if (*metadata_bytes == UINT64_MAX)
		*metadata_bytes = 0;
	if (*metadata_bytes > place->metadata_bytes)
		return error_set(err, ERR_UNSUPPORTED,
				 "the metadata has the data behind it on %s: it can only grow on a "
				 "device of its own",
				 place->data_device);
	return 0;
}

static int resize_linear(const struct thin_place *place, const char *part, const char *device,
			 uint64_t start, uint64_t bytes, struct error *err)
{
	struct devmap_target target = {.length = bytes / DEVMAP_SECTOR_BYTES, .type = "linear"};
	cleanup_free char *params = NULL;
	struct kernel_names names;

	if (linear_params(place, device, start, &params, err) < 0)
		return -1;
	target.params = params;
	kernel_names_part(place->uuid, part, &names);
	if (devmap_reload(names.uuid, &target, 1, 0, err) < 0
	    || devmap_suspend(names.uuid, DEVMAP_NOFLUSH | DEVMAP_NOLOCKFS, err) < 0)
		return -1;
	return devmap_resume(names.uuid, err);
}

int kernel_device_resize(const char *dir, struct thin_place *place, uint64_t data_bytes,
			 uint64_t metadata_bytes, struct error *err)
{
	const char *metadata = place->metadata_device ? place->metadata_device : place->data_device;

	place->data_bytes = data_bytes;
	place->metadata_bytes = metadata_bytes;
	if (thin_place_store(dir, place, err) < 0
	    || resize_linear(place, "data", place->data_device, place->data_start, data_bytes, err)
		       < 0)
		return -1;
	return resize_linear(place, "meta", metadata, place->metadata_start, metadata_bytes, err);
}
