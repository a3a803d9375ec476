/* SPDX-License-Identifier: Apache-2.0 */
/* Any text as a status, a table or a UUID: what is understood can be written again, and reads alike. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/thin/kernel/status.h"
#include "pkg/thin/kernel/table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void statuses(const char *text)
{
	struct kernel_pool_status pool;
	struct kernel_thin_status thin;
	struct error err = {0};

	if (kernel_pool_status_parse(text, &pool, &err) == 0 && pool.discard_passdown
	    && !pool.discard)
		abort();
	if (kernel_thin_status_parse(text, &thin, &err) == 0 && thin.failed && thin.mapped_sectors)
		abort();
}

static void table(const char *text)
{
	struct kernel_pool_table t, back;
	cleanup_free char *written = NULL, *again = NULL;
	struct error err = {0};

	if (kernel_pool_table_parse(text, &t, &err) < 0)
		return;
	written = kernel_pool_table_format(&t);
	if (kernel_pool_table_parse(written, &back, &err) < 0)
		abort();
	again = kernel_pool_table_format(&back);
	if (strcmp(written, again) != 0)
		abort();
}

static void uuid(const char *text)
{
	struct kernel_names n;
	uint8_t pool[THIN_UUID_BYTES] = {0};
	uint32_t id, back;

	if (!kernel_names_parse_thin(text, &id))
		return;
	kernel_names_thin(pool, id, &n);
	if (strlen(n.uuid) != strlen(text) || !kernel_names_parse_thin(n.uuid, &back) || back != id)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_free char *text = xstrndup((const char *)data, size);

	statuses(text);
	table(text);
	uuid(text);
	return 0;
}
