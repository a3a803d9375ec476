/* SPDX-License-Identifier: Apache-2.0 */
/* All that goes to stdout passes here, but for the volume of `export -o -`. */
#include "cmd/thinpull/output.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"

/* Of the first write that failed: stdio itself only remembers that one did. */
static int output_errno;

static void note(int printed)
{
	if (printed < 0 && !output_errno)
		output_errno = errno;
}

void output_make_printable(char *text)
{
	for (unsigned char *p = (unsigned char *)text; *p; p++) {
		if (*p < 0x20 || *p == 0x7f)
			*p = '?';
		else if (*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0)
			p[0] = p[1] = '?';
	}
}

void output_text(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	note(vprintf(fmt, ap));
	va_end(ap);
}

void output_bytes(const void *data, size_t len)
{
	note(fwrite(data, 1, len, stdout) == len ? 0 : -1);
}

void output_line(const char *fmt, ...)
{
	cleanup_free char *line = NULL;
	va_list ap;

	va_start(ap, fmt);
	line = xvasprintf(fmt, ap);
	va_end(ap);
	output_make_printable(line);
	note(printf("%s\n", line));
}

void output_json(const struct jout *o)
{
	note(printf("%s\n", o->text.len ? (const char *)o->text.data : ""));
}

int output_finish(struct error *err)
{
	note(fflush(stdout));
	if (!output_errno && !ferror(stdout))
		return 0;
	errno = output_errno ? output_errno : EIO;
	return error_sys(err, "write standard output");
}
