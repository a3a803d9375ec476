/* SPDX-License-Identifier: Apache-2.0 */
/* version: of the program, of what it is built with, and of what it writes. */
#include "cmd/thinpull/command.h"
#include "cmd/thinpull/version.h"

#include <gnu/libc-version.h>

#include "cmd/thinpull/context.h"
#include "cmd/thinpull/output.h"
#include "cmd/thinpull/report.h"
#include "pkg/base/alloc.h"
#include "pkg/catalog/library.h"
#include "pkg/digest/library.h"
#include "pkg/ext4/base.h"
#include "pkg/ext4/library.h"
#include "pkg/json/library.h"
#include "pkg/stream/library.h"
#include "registry/http_library.h"

#define VERSION_POOL_FORMAT 2

static const struct library {
	const char *name;
	const char *(*version)(void);
} libraries[] = {
	{"libc", gnu_get_libc_version},	     {"libcrypto", digest_library_version},
	{"libext2fs", ext4_library_version}, {"isa-l", stream_isal_version},
	{"libzstd", stream_zstd_version},    {"libcurl", http_library_version},
	{"jansson", jdoc_library_version},   {"sqlite3", catalog_library_version},
};

void version_json(struct jout *o)
{
	jout_string(o, "version", THINPULL_VERSION);
	jout_uint(o, "layout_version", EXT4_LAYOUT_VERSION);
	jout_uint(o, "pool_format", VERSION_POOL_FORMAT);
	jout_string(o, "compiler", __VERSION__);
	jout_object(o, "libraries");
	for (size_t i = 0; i < ARRAY_SIZE(libraries); i++)
		jout_string(o, libraries[i].name, libraries[i].version());
	jout_end_object(o);
}

void version_text(void)
{
	report_fact("Layout", "%d", EXT4_LAYOUT_VERSION);
	report_fact("Pool format", "%d", VERSION_POOL_FORMAT);
	report_fact("Compiler", "%s", __VERSION__);
	for (size_t i = 0; i < ARRAY_SIZE(libraries); i++)
		report_fact(libraries[i].name, "%s", libraries[i].version());
}

int cmd_version(const struct context *context, struct error *err)
{
	cleanup_jout struct jout o = {0};

	(void)err;
	if (args_has(context->args, "json")) {
		jout_object(&o, NULL);
		jout_string(&o, "name", "thinpull");
		version_json(&o);
		jout_end_object(&o);
		output_json(&o);
		return 0;
	}
	output_line("thinpull %s", THINPULL_VERSION);
	if (!args_has(context->args, "quiet"))
		version_text();
	return 0;
}
