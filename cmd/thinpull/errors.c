/* SPDX-License-Identifier: Apache-2.0 */
/* The table of exit statuses, which others script against. */
#include "cmd/thinpull/errors.h"

#include <stdio.h>

#include "cmd/thinpull/output.h"
#include "pkg/json/jdoc.h"

enum { STATUS_OF_RUN = 125 };

int errors_exit_status(const struct error *err, bool runs)
{
	static const int statuses[ERR_KINDS] = {
		[ERR_NONE] = 0,		 [ERR_SYSTEM] = 1,	 [ERR_NOT_FOUND] = 2,
		[ERR_USAGE] = 3,	 [ERR_UNAUTHORIZED] = 4, [ERR_VERIFICATION] = 5,
		[ERR_NO_SPACE] = 6,	 [ERR_BUSY] = 7,	 [ERR_INCONSISTENT] = 8,
		[ERR_NETWORK] = 9,	 [ERR_UNSUPPORTED] = 10, [ERR_INVALID] = 11,
		[ERR_INTERRUPTED] = 128,
	};

	if (runs && err->kind != ERR_USAGE && err->kind != ERR_INTERRUPTED)
		return STATUS_OF_RUN;
	if (err->kind >= ERR_KINDS)
		return 1;
	return statuses[err->kind] + (err->kind == ERR_INTERRUPTED ? err->sys : 0);
}

void errors_print(const struct error *err, const char *hint, int status, bool json)
{
	cleanup_jout struct jout o = {.compact = true};
	char message[sizeof(err->context) + sizeof(err->cause) + 4];

	error_text(err, message, sizeof(message));
	output_make_printable(message);
	fprintf(stderr, hint ? "thinpull: %s (%s)\n" : "thinpull: %s\n", message, hint);
	if (!json)
		return;
	jout_object(&o, NULL);
	jout_object(&o, "error");
	jout_uint(&o, "code", (uint64_t)status);
	jout_string(&o, "kind", error_kind_name(err->kind));
	jout_string(&o, "message", message);
	jout_string(&o, "hint", hint);
	jout_end_object(&o);
	jout_end_object(&o);
	fprintf(stderr, "%s\n", (const char *)o.text.data);
}
