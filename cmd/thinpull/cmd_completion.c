/* SPDX-License-Identifier: Apache-2.0 */
/* completion SHELL: a script for it, on stdout. */
#include "cmd/thinpull/command.h"

#include <string.h>

#include "cmd/thinpull/completion.h"
#include "cmd/thinpull/context.h"
#include "cmd/thinpull/output.h"
#include "pkg/base/alloc.h"

static const struct shell {
	const char *name;
	void (*write)(struct buffer *out);
} shells[] = {
	{"bash", completion_bash},
	{"zsh", completion_zsh},
	{"fish", completion_fish},
};

static const struct shell *find_shell(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(shells); i++)
		if (strcmp(shells[i].name, name) == 0)
			return &shells[i];
	return NULL;
}

static void print_json(const struct shell *shell, const char *script)
{
	cleanup_jout struct jout o = {0};

	jout_object(&o, NULL);
	jout_string(&o, "shell", shell->name);
	jout_string(&o, "script", script);
	jout_end_object(&o);
	output_json(&o);
}

int cmd_completion(const struct context *context, struct error *err)
{
	const char *name = context->args->operands[0];
	const struct shell *shell = find_shell(name);
	cleanup_buffer struct buffer script = {0};
	cleanup_free char *text = NULL;

	if (!shell)
		return error_set(err, ERR_USAGE, "'%.60s' is none of bash, zsh, fish", name);
	shell->write(&script);
	text = buffer_detach(&script);
	if (args_has(context->args, "json"))
		print_json(shell, text);
	else
		output_text("%s", text);
	return 0;
}
