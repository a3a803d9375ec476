/* SPDX-License-Identifier: Apache-2.0 */
/* Reads standard input byte by byte, so that a signal ends it and nothing is buffered elsewhere. */
#include "cmd/thinpull/prompt.h"

#include <errno.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "cmd/thinpull/progress.h"
#include "pkg/base/alloc.h"
#include "pkg/base/fdio.h"
#include "pkg/base/interrupt.h"
#include "pkg/base/secret.h"

enum { INPUT_MAX_BYTES = 64 << 10 };

/* To the end, or to a line end. @ret: has room for all of it. */
static int read_input(bool one_line, struct buffer *ret, struct error *err)
{
	buffer_reserve(ret, INPUT_MAX_BYTES + 1);
	while (ret->len <= INPUT_MAX_BYTES) {
		ssize_t n = read(STDIN_FILENO, ret->data + ret->len, 1);

		if (n < 0 && errno != EINTR)
			return error_sys(err, "read standard input");
		if (n < 0 && interrupt_check(err) < 0)
			return -1;
		if (n == 0 || (n == 1 && one_line && ret->data[ret->len] == '\n'))
			return 0;
		if (n == 1)
			ret->len++;
	}
	return error_set(err, ERR_USAGE, "more than %d bytes on standard input", INPUT_MAX_BYTES);
}

static int take_text(struct buffer *input, const char *what, char **ret, struct error *err)
{
	size_t len = input->len;

	if (len > 0 && input->data[len - 1] == '\n')
		len--;
	if (len > 0 && input->data[len - 1] == '\r')
		len--;
	if (len == 0)
		return error_set(err, ERR_USAGE, "%s is empty", what);
	if (memchr(input->data, 0, len))
		return error_set(err, ERR_USAGE, "%s has a NUL in it", what);
	*ret = xstrndup((const char *)input->data, len);
	return 0;
}

int prompt_read_password(char **ret, struct error *err)
{
	cleanup_secret_buffer struct buffer input = {0};

	if (read_input(false, &input, err) < 0)
		return -1;
	return take_text(&input, "the password on standard input", ret, err);
}

/* What is typed stays hidden until then; the line end too, so it is made. */
static void show_again(const struct termios *before)
{
	struct error ignored = {0};

	tcsetattr(STDIN_FILENO, TCSAFLUSH, before);
	if (fdio_write(STDERR_FILENO, "\n", 1, "standard error", &ignored) < 0)
		return;
}

static int read_hidden(struct buffer *ret, struct error *err)
{
	struct termios before, hidden;
	int rc;

	if (tcgetattr(STDIN_FILENO, &before) < 0)
		return error_sys(err, "look at the terminal");
	hidden = before;
	hidden.c_lflag &= ~(tcflag_t)ECHO;
	if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden) < 0)
		return error_sys(err, "set up the terminal");
	rc = read_input(true, ret, err);
	show_again(&before);
	return rc;
}

int prompt(const char *question, const char *option, enum prompt_flags flags, char **ret,
	   struct error *err)
{
	cleanup_secret_buffer struct buffer input = {0};
	cleanup_free char *text = xasprintf("%s: ", question);
	int rc;

	if (!isatty(STDIN_FILENO))
		return error_set(err, ERR_USAGE, "%s is missing, and standard input is no terminal",
				 option);
	if (fdio_write(STDERR_FILENO, text, strlen(text), "standard error", err) < 0)
		return -1;
	rc = flags & PROMPT_HIDDEN ? read_hidden(&input, err) : read_input(true, &input, err);
	return rc < 0 ? -1 : take_text(&input, question, ret, err);
}
