/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What holds for every verb: flags win over the environment, that over the configuration file,
 * that over the defaults.
 */
#pragma once

#include <stdbool.h>

#include "cmd/thinpull/options.h"
#include "oci/store.h"
#include "pkg/base/error.h"

enum progress_mode { PROGRESS_AUTO, PROGRESS_PLAIN, PROGRESS_JSON, PROGRESS_NONE };

struct settings {
	char *root, *run_dir; /* absolute */
	char *pool;
	enum thin_engine engine;
	bool json, quiet, debug;
	enum progress_mode progress;
	unsigned lock_timeout_ms;
	unsigned min_free_data_percent, min_free_metadata_percent;
	struct store_autoextend autoextend;
};

/* The options that may stand before or after every verb. */
extern const struct option_spec settings_options[];

/*
 * @config_path: the file to read when --config is not given; it may be missing.
 * Errors: ERR_USAGE, naming where a value came from.
 */
MUST_CHECK int settings_load(const struct args *args, const char *config_path, struct settings *ret,
			     struct error *err);
void settings_release(struct settings *s);
