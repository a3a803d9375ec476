/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Configuration files that belong to other tools: where they lie, how they are read. Unlike what
 * comes from images, they may be links, as deployment tools like to make them.
 */
#pragma once

#include "pkg/base/buffer.h"
#include "pkg/json/jdoc.h"

enum { CONFIG_FILE_MAX_BYTES = 1 << 20 };

/* $XDG_CONFIG_HOME/NAME or $HOME/.config/NAME; NULL if neither is set. Owned. */
char *config_file_of_user(const char *name);

/*
 * A regular file as a whole. @ret: added to.
 * Returns 0; 1 = there is none; -1. Errors: ERR_INVALID (too large, no regular file), ERR_SYSTEM.
 */
MUST_CHECK int config_file_read(const char *path, struct buffer *ret, struct error *err);

/* The same as TOML; errors name the file, those of what is in it the file's last part. */
MUST_CHECK int config_file_read_toml(const char *path, struct jdoc **ret, struct error *err);

/* Files in a folder, sorted by name. */
struct config_files {
	char **names;
	size_t n, room;
};

/*
 * Those whose name ends with the suffix; none if there is no such folder, or it may not be read,
 * which is logged. Errors: ERR_SYSTEM.
 */
MUST_CHECK int config_files_list(const char *folder, const char *suffix, struct config_files *ret,
				 struct error *err);
void config_files_release(struct config_files *files);

/* A member of any type; absent if there is none. */
struct jval config_member(struct jval table, const char *key);

/*
 * A member that is one string or an array of them: each in turn is given to `use`.
 * Errors: ERR_INVALID, and those of `use`.
 */
MUST_CHECK int config_each_string(struct jval value,
				  int (*use)(void *arg, const char *text, struct error *err),
				  void *arg, struct error *err);

/*
 * Keys of a table that we do not know are left aside with a warning, as their owners do it, too.
 * One that is a known key but for its case is ERR_INVALID: some take it for that.
 * @known: ends with NULL.
 */
MUST_CHECK int config_check_keys(struct jval table, const char *const *known, struct error *err);
