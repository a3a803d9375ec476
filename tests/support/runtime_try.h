/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs with a script in the runtime's place. It finds its arguments as $state, $log, $bundle,
 * $pid_file and $id, and says `started` once the container is.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "oci/runtime.h"
#include "pkg/base/buffer.h"

struct runtime_try {
	struct buffer config;
	struct runtime_options options;
};

/* In the scratch folder: program, run folder, root file system. */
void runtime_try_prepare(const char *dir, const char *script, struct runtime_try *ret);
void runtime_try_release(struct runtime_try *r);

/* Where user namespaces are not allowed there is nothing to test: skips. */
int runtime_try_run(const struct runtime_try *r, int *ret_status, struct error *err);

/* Run a script that says what it found wrong with its exit status; or one that fails so. */
void runtime_try_status(const char *dir, const char *script, int want);
void runtime_try_fails(const char *dir, const char *script, enum error_kind kind, const char *text);

/* The run in a process of its own, which ends with its status; the script says when it is ready. */
pid_t runtime_try_start(const struct runtime_try *r, int *ret_ready);
/* One word of the script; false: it has ended. */
bool runtime_try_told(int ready);
int runtime_try_end(pid_t pid);
