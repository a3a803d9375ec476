/* SPDX-License-Identifier: Apache-2.0 */
/* Fills and formats struct error. Knows nothing of exit codes or of any library's errors. */
#include "pkg/base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *error_kind_name(enum error_kind kind)
{
	static const char *const names[ERR_KINDS] = {
		[ERR_NONE] = "none",
		[ERR_SYSTEM] = "system",
		[ERR_NOT_FOUND] = "not_found",
		[ERR_USAGE] = "usage",
		[ERR_UNAUTHORIZED] = "unauthorized",
		[ERR_VERIFICATION] = "verification",
		[ERR_NO_SPACE] = "no_space",
		[ERR_BUSY] = "busy",
		[ERR_INCONSISTENT] = "inconsistent",
		[ERR_NETWORK] = "network",
		[ERR_UNSUPPORTED] = "unsupported",
		[ERR_INVALID] = "invalid",
		[ERR_INTERRUPTED] = "interrupted",
	};

	return kind < ERR_KINDS ? names[kind] : "unknown";
}

int error_set(struct error *err, enum error_kind kind, const char *fmt, ...)
{
	va_list ap;

	error_clear(err);
	err->kind = kind;
	va_start(ap, fmt);
	vsnprintf(err->cause, sizeof(err->cause), fmt, ap);
	va_end(ap);
	return -1;
}

static enum error_kind kind_of_errno(int sys)
{
	return sys == ENOSPC || sys == EDQUOT || sys == EFBIG ? ERR_NO_SPACE : ERR_SYSTEM;
}

int error_sys(struct error *err, const char *fmt, ...)
{
	int sys = errno;
	char reason[128];
	size_t used, room;
	va_list ap;

	error_clear(err);
	err->kind = kind_of_errno(sys);
	err->sys = sys;
	va_start(ap, fmt);
	vsnprintf(err->cause, sizeof(err->cause), fmt, ap);
	va_end(ap);
	snprintf(reason, sizeof(reason), ": %s", strerror(sys));
	/* A long path may be cut, what went wrong may not. */
	used = strlen(err->cause);
	room = sizeof(err->cause) - 1 - strlen(reason);
	snprintf(err->cause + (used < room ? used : room), sizeof(reason), "%s", reason);
	return -1;
}

int error_set_detail(struct error *err, enum error_detail detail)
{
	err->detail = detail;
	return -1;
}

int error_wrap(struct error *err, const char *fmt, ...)
{
	char outer[sizeof(err->context)];
	char inner[sizeof(err->context)];
	size_t len;
	va_list ap;

	memcpy(inner, err->context, sizeof(inner));
	va_start(ap, fmt);
	vsnprintf(outer, sizeof(outer), fmt, ap);
	va_end(ap);
	len = strlen(inner);
	if (len == 0) {
		memcpy(err->context, outer, sizeof(err->context));
		return -1;
	}
	/* The innermost parts say most: cut the new one when both do not fit. */
	if (len + sizeof(": ") < sizeof(err->context))
		snprintf(err->context, sizeof(err->context), "%.*s: %s",
			 (int)(sizeof(err->context) - sizeof(": ") - len), outer, inner);
	return -1;
}

void error_clear(struct error *err)
{
	memset(err, 0, sizeof(*err));
}

void error_make_printable(char *text)
{
	for (unsigned char *p = (unsigned char *)text; *p; p++) {
		if (*p < 0x20 || *p == 0x7f)
			*p = '?';
		/* U+0080 to U+009F in UTF-8: control characters to some terminals. */
		if (*p == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f)
			p[0] = p[1] = '?';
	}
}

void error_text(const struct error *err, char *buf, unsigned long size)
{
	const char *cause = err->cause[0] ? err->cause : error_kind_name(err->kind);

	if (err->context[0])
		snprintf(buf, size, "%s: %s", err->context, cause);
	else
		snprintf(buf, size, "%s", cause);
	error_make_printable(buf);
}
