/* SPDX-License-Identifier: Apache-2.0 */
/* Empty folders for tests, under $TMPDIR or /tmp. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Its absolute path, owned. */
char *scratch_new(void);
/* Remove it with all that is in it, and free the string. */
void scratch_free(char *dir);

/* Setup and teardown of cmocka: a folder for each test, which is the current one while it runs;
 * *state is the absolute path. */
int scratch_set_up(void **state);
int scratch_tear_down(void **state);

/*
 * From now on as an ordinary user, who owns this folder, until the teardown; without root nothing
 * is to be done.
 */
void scratch_drop_root(const char *dir);

/* All of these end the test when they fail. */
void scratch_mkdir(const char *path, unsigned mode);
void scratch_write(const char *path, const char *text);
bool scratch_exists(const char *path); /* links are not followed */

/*
 * Folders of one name, one in the other, and each visited at once: a path longer than PATH_MAX.
 * The innermost holds a file "leaf".
 */
void scratch_deep(const char *name, size_t depth);

/* What a file holds; owned, terminated. */
char *scratch_read(const char *path, size_t *ret_len);
/* Type and permission bits; links are not followed. */
unsigned scratch_mode(const char *path);
