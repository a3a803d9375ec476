/* SPDX-License-Identifier: Apache-2.0 */
/* Any text as what LVM reports and as what it says of its settings. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/host/lvm_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_pools(const uint8_t *data, size_t size)
{
	cleanup(lvm_pool_rows_release) struct lvm_pool_rows rows = {0};
	struct error err = {0};

	if (lvm_report_pools(data, size, &rows, &err) < 0)
		return;
	for (size_t i = 0; i < rows.n; i++)
		if (!rows.items[i].vg || strlen(rows.items[i].device_uuid) != 4 + 2 * 32 + 6)
			abort();
}

static void read_groups(const uint8_t *data, size_t size, const char *list)
{
	cleanup(lvm_group_rows_release) struct lvm_group_rows rows = {0};
	struct error err = {0};

	if (lvm_report_groups(data, size, list, &rows, &err) < 0)
		return;
	for (size_t i = 0; i < rows.n; i++)
		if (!rows.items[i].vg || (*list == 'p') != (rows.items[i].device != NULL))
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* In memory of its own, so that a read past the end is seen. */
	cleanup_free uint8_t *text = xmemdup(data, size);
	cleanup_free char *value = NULL;
	struct error err = {0};

	read_pools(text, size);
	read_groups(text, size, "vg");
	read_groups(text, size, "pv");
	if (lvm_report_setting(text, size, "profile_dir", &value, &err) == 0
	    && strlen(value) > size)
		abort();
	return 0;
}
