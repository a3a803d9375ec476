/* SPDX-License-Identifier: Apache-2.0 */
/* One run of a helper; the protocol is auth_helper.c's. */
#pragma once

#include "pkg/base/buffer.h"
#include "pkg/base/error.h"

struct auth_helper_run {
	const char *program; /* absolute path */
	const char *verb;    /* its only argument */
	const char *input;
	size_t input_len;
	unsigned timeout_ms;
};

/*
 * Run it to its end. It gets our environment without DOCKER_AUTH_CONFIG, and no open files of ours.
 * @ret_out: what it said, at most AUTH_HELPER_OUTPUT_MAX bytes; wipe it.   @ret_status: of waitpid().
 * Errors: ERR_SYSTEM: not started, timed out (killed then), said more; ERR_INTERRUPTED.
 */
MUST_CHECK int auth_helper_run(const struct auth_helper_run *run, struct buffer *ret_out,
			       int *ret_status, struct error *err);

enum { AUTH_HELPER_OUTPUT_MAX = 64 << 10 };
