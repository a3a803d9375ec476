/* SPDX-License-Identifier: Apache-2.0 */
/* Where LVM has a pool, and LVM told to have it, not to have it, and to make it larger. */
#include "pkg/thin/kernel/activate_lvm.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/buffer.h"
#include "pkg/base/fdio.h"
#include "pkg/base/log.h"
#include "pkg/host/lvm.h"

#define BOOT_ID "/proc/sys/kernel/random/boot_id"
enum { BOOT_ID_MAX_BYTES = 64 };

/* --- finding ---------------------------------------------------------------------------------- */

int kernel_lvm_find(const struct thin_place *place, struct devmap_info *ret, struct error *err)
{
	cleanup_free char *type = NULL, *params = NULL;
	struct devmap_target line;
	struct devmap_info info = {0};

	if (place->lvm_uuid && devmap_info(place->lvm_uuid, &info, err) < 0)
		return -1;
	if (info.exists && info.live) {
		if (devmap_table(place->lvm_uuid, &line, &type, &params, err) < 0)
			return -1;
		if (strcmp(type, "thin-pool") != 0)
			return error_set(err, ERR_INCONSISTENT, "%s is no thin pool but \"%.40s\"",
					 info.name, type);
	}
	*ret = info;
	return 0;
}

static int find_in_lvm(const struct thin_place *place, struct lvm_pool *ret, struct error *err)
{
	if (!place->lvm_uuid)
		return error_set(err, ERR_NOT_FOUND, "%s/%s was never made", place->vg, place->lv);
	if (lvm_pool_find_device(place->lvm_uuid, ret, err) < 0)
		return error_wrap(err, "%s/%s", place->vg, place->lv);
	return 0;
}

/* --- who activated it ------------------------------------------------------------------------- */

/* DIR/activated has the boot in which we did: after another one it was LVM, or nobody. */
static char *mark_path(const char *dir)
{
	return xasprintf("%s/activated", dir);
}

/* proc's files have no size, so fdio_read_file() would find nothing. */
static int read_boot_id(char ret[BOOT_ID_MAX_BYTES], struct error *err)
{
	cleanup_fd int fd = -1;
	ssize_t n;

	fd = open(BOOT_ID, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return error_sys(err, "open " BOOT_ID);
	n = read(fd, ret, BOOT_ID_MAX_BYTES - 1);
	if (n <= 0)
		return error_sys(err, "read " BOOT_ID);
	ret[n] = 0;
	return 0;
}

static int mark(const char *dir, struct error *err)
{
	cleanup_free char *path = mark_path(dir);
	char boot[BOOT_ID_MAX_BYTES];

	if (read_boot_id(boot, err) < 0)
		return -1;
	return fdio_replace_file(path, boot, strlen(boot), err);
}

static int unmark(const char *dir, struct error *err)
{
	cleanup_free char *path = mark_path(dir);

	return fdio_remove(path, err);
}

static bool is_marked(const char *dir)
{
	cleanup_free char *path = mark_path(dir);
	cleanup_buffer struct buffer text = {0};
	char boot[BOOT_ID_MAX_BYTES];
	struct error ignored = {0};

	return fdio_read_file(path, BOOT_ID_MAX_BYTES, &text, &ignored) == 0 && text.len
	       && read_boot_id(boot, &ignored) == 0 && strcmp(boot, (char *)text.data) == 0;
}

/* --- activating ------------------------------------------------------------------------------- */

int kernel_lvm_activate(const char *dir, const struct thin_place *place, struct error *err)
{
	cleanup_lvm_pool struct lvm_pool pool = {0};
	struct devmap_info info;

	if (kernel_lvm_find(place, &info, err) < 0)
		return -1;
	if (info.live && !info.suspended)
		return 0;
	if (find_in_lvm(place, &pool, err) < 0)
		return -1;
	if (info.exists) {
		log_debug("mending: %s/%s was left suspended", pool.vg, pool.lv);
		return lvm_pool_refresh(pool.vg, pool.lv, err);
	}
	/* before: one that is not ours to deactivate is better left active than the other way round */
	if (mark(dir, err) < 0)
		return -1;
	return lvm_pool_activate(pool.vg, pool.lv, err);
}

int kernel_lvm_deactivate(const char *dir, const struct thin_place *place, struct error *err)
{
	cleanup_lvm_pool struct lvm_pool pool = {0};
	struct devmap_info info;

	if (kernel_lvm_find(place, &info, err) < 0)
		return -1;
	if (!info.exists)
		return unmark(dir, err);
	if (place->adopted && !is_marked(dir))
		return 0;
	if (info.open_count)
		return error_set(err, ERR_BUSY, "%s is in use", info.name);
	if (find_in_lvm(place, &pool, err) < 0 || lvm_pool_deactivate(pool.vg, pool.lv, err) < 0)
		return -1;
	return unmark(dir, err);
}

/* --- growing ---------------------------------------------------------------------------------- */

/* Whole extents; 0 when it has so many already. */
static int new_size(const char *what, uint64_t wanted, uint64_t now, uint64_t extent, uint64_t *ret,
		    uint64_t *more, struct error *err)
{
	uint64_t rounded;

	*ret = 0;
	if (!wanted)
		return 0;
	if (wanted < now)
		return error_set(err, ERR_USAGE, "%s has %llu MiB already, and never shrinks", what,
				 (unsigned long long)(now >> 20));
	if (__builtin_add_overflow(wanted, extent - 1, &rounded) || rounded > INT64_MAX)
		return error_set(err, ERR_USAGE, "%llu bytes of %s are too many",
				 (unsigned long long)wanted, what);
	rounded -= rounded % extent;
	if (rounded == now)
		return 0;
	*ret = rounded;
	*more += rounded - now;
	return 0;
}

int kernel_lvm_grow(const struct thin_place *place, uint64_t data_bytes, uint64_t metadata_bytes,
		    struct error *err)
{
	cleanup_lvm_pool struct lvm_pool pool = {0};
	uint64_t data, metadata, more = 0;

	if (find_in_lvm(place, &pool, err) < 0)
		return -1;
	if (!pool.extent_bytes)
		return error_set(err, ERR_INVALID, "LVM does not say how large its extents are");
	if (new_size("data", data_bytes, pool.data_bytes, pool.extent_bytes, &data, &more, err) < 0
	    || new_size("metadata", metadata_bytes, pool.metadata_bytes, pool.extent_bytes,
			&metadata, &more, err)
		       < 0)
		return -1;
	if (more > pool.group_free_bytes)
		return error_set(err, ERR_NO_SPACE,
				 "volume group %s has %llu MiB free, %llu MiB are needed (vgextend "
				 "gives it more)",
				 pool.vg, (unsigned long long)(pool.group_free_bytes >> 20),
				 (unsigned long long)(more >> 20));
	if (!data && !metadata)
		return 0;
	return lvm_pool_extend(pool.vg, pool.lv, data, metadata, err);
}
