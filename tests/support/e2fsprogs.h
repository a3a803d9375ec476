/* SPDX-License-Identifier: Apache-2.0 */
/* Asks e2fsck, debugfs and the kernel what they think of an ext4 a test has made. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "tests/support/memory_volume.h"
#include "tests/support/scratch.h"

/*
 * Run a shell command; its output, both streams, is appended to output (may be NULL).
 * Returns the exit status.
 */
int command_run(char **ret_output, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* `e2fsck -fn` finds nothing at all to say against it; prints what it said when it does. */
bool e2fsck_is_clean(const struct memory_volume *v);

/* Output of a debugfs request on the content ("htree_dump /d"), owned. */
char *debugfs_output(const struct memory_volume *v, const char *request);

/* Whether an ext4 can be loop-mounted here; found out by doing it once. */
bool can_loop_mount(void);
