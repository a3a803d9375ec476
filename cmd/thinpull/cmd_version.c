/* SPDX-License-Identifier: Apache-2.0 */
/* version: of the program, of what it is built with, and of what it writes. */
#include "cmd/thinpull/command.h"
#include "cmd/thinpull/version.h"

#include <gnu/libc-version.h>

#include "cmd/thinpull/context.h"
#include "cmd/thinpull/output.h"
#include "cmd/thinpull/report.h"
#include "pkg/ext4/base.h"

#define VERSION_POOL_FORMAT 2

void version_json(struct jout *o)
{
	jout_string(o, "version", THINPULL_VERSION);
	jout_uint(o, "layout_version", EXT4_LAYOUT_VERSION);
	jout_uint(o, "pool_format", VERSION_POOL_FORMAT);
	jout_string(o, "compiler", __VERSION__);
	jout_object(o, "libraries");
	jout_string(o, "libc", gnu_get_libc_version());
	jout_end_object(o);
}

void version_text(void)
{
	report_fact("Layout", "%d", EXT4_LAYOUT_VERSION);
	report_fact("Pool format", "%d", VERSION_POOL_FORMAT);
	report_fact("Compiler", "%s", __VERSION__);
	report_fact("libc", "%s", gnu_get_libc_version());
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
