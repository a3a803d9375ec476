/* SPDX-License-Identifier: Apache-2.0 */
/* What an active pool stands on and was told, from its table, its status and /sys. */
#include <stdlib.h>
#include <string.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/thin/kernel/pool_internal.h"
#include "pkg/thin/kernel/sysfs.h"
#include "pkg/thin/kernel/table.h"

static int read_table(struct tk_pool *p, struct kernel_pool_table *ret, struct error *err)
{
	cleanup_free char *type = NULL, *params = NULL;
	struct devmap_target target;

	if (devmap_table(p->device.uuid, &target, &type, &params, err) < 0)
		return -1;
	return kernel_pool_table_parse(params, ret, err);
}

/* Thin devices that were removed while somebody had them open. One that goes meanwhile does not
 * count any more. */
static int count_deferred(struct tk_pool *p, unsigned *ret, struct error *err)
{
	cleanup(devmap_list_release) struct devmap_list list = {0};
	char prefix[DEVMAP_UUID_BYTES];
	struct devmap_info info;
	unsigned n = 0;
	uint32_t id;

	kernel_names_prefix(p->place.uuid, prefix);
	if (devmap_list(prefix, &list, err) < 0)
		return -1;
	for (size_t i = 0; i < list.n; i++) {
		if (!kernel_names_parse_thin(list.items[i].uuid, &id))
			continue;
		if (devmap_info(list.items[i].uuid, &info, err) < 0)
			return -1;
		n += info.exists && info.deferred_remove;
	}
	*ret = n;
	return 0;
}

static void fill_from_table(const struct kernel_pool_table *table, struct thin_kernel_setup *ret)
{
	ret->data_device = sysfs_node(table->data);
	ret->metadata_device = sysfs_node(table->metadata);
	ret->data_file = sysfs_loop_file(table->data);
	ret->metadata_file = sysfs_loop_file(table->metadata);
	ret->zeroing = !table->skip_zeroing;
	ret->low_water_blocks = table->low_water_blocks;
	/* As it was told; a kernel that has something to say of it says it below. */
	ret->discard = !table->ignore_discard;
	ret->discard_passdown = ret->discard && !table->no_discard_passdown;
	ret->error_if_no_space = table->error_if_no_space;
}

static void fill_from_status(const struct kernel_pool_status *status, struct thin_kernel_setup *ret)
{
	if (status->mode == KERNEL_POOL_FAIL || status->mode == KERNEL_POOL_ERROR)
		return;
	/* What lies below may not take discards, whatever the table says. */
	ret->discard_passdown = status->discard_passdown;
	ret->metadata_low_water_blocks = status->metadata_low_water;
}

int thin_kernel_setup(struct thin_pool *pool, struct thin_kernel_setup *ret, struct error *err)
{
	struct tk_pool *p = tk_pool_of(pool);
	struct kernel_pool_status status;
	struct kernel_pool_table table;
	unsigned deferred;

	if (tk_pool_read_status(p, &status, err) < 0 || read_table(p, &table, err) < 0
	    || count_deferred(p, &deferred, err) < 0)
		return -1;
	*ret = (struct thin_kernel_setup){.deferred = deferred, .udev = devmap_has_udev()};
	ret->pool_device = devmap_path(p->device.name);
	fill_from_table(&table, ret);
	fill_from_status(&status, ret);
	devmap_versions(ret->library, sizeof(ret->library), ret->driver, sizeof(ret->driver));
	return 0;
}

void thin_kernel_setup_release(struct thin_kernel_setup *setup)
{
	free(setup->pool_device);
	free(setup->data_device);
	free(setup->metadata_device);
	free(setup->data_file);
	free(setup->metadata_file);
	*setup = (struct thin_kernel_setup){0};
}
