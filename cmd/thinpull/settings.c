/* SPDX-License-Identifier: Apache-2.0 */
/* Gathers the settings from file, environment and flags, in this order, the later ones winning. */
#include "cmd/thinpull/settings.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/thinpull/sizes.h"
#include "cmd/thinpull/suggest.h"
#include "oci/store.h"
#include "pkg/base/alloc.h"
#include "pkg/base/fdio.h"
#include "pkg/json/jdoc.h"

#define SETTINGS_CONFIG_MAX_BYTES (1 << 20)
#define SETTINGS_LOCK_TIMEOUT_MS  (60 * 1000)
#define SETTINGS_LOCK_TIMEOUT_MAX (30 * 24 * 3600) /* in ms it fits 32 bits */
#define SETTINGS_MIN_FREE_PERCENT 10

/* As of LVM: a lower threshold would only waste. */
enum { AUTOEXTEND_THRESHOLD = 80, AUTOEXTEND_PERCENT = 20, AUTOEXTEND_THRESHOLD_MIN = 50 };

const struct option_spec settings_options[] = {
	{"root", 0, "DIR", "where pools, images and the catalog are", 0},
	{"run-dir", 0, "DIR", "where mount points are made (default: /run/thinpull)", 0},
	{"pool", 0, "NAME", "the pool to use (default: default)", 0},
	{"engine", 0, "auto|kernel|file", "who runs the pool (default: auto)", 0},
	{"config", 0, "FILE", "instead of /etc/thinpull/config.json", 0},
	{"autoextend-threshold", 0, "PERCENT",
	 "when a loop pool is made larger; 100 = never (default: 80)", 0},
	{"autoextend-percent", 0, "PERCENT", "by how much of its size (default: 20)", 0},
	{"lock-timeout", 0, "SECONDS", "how long to wait for other writers (default: 60)", 0},
	{"json", 0, NULL, "results and errors as JSON", 0},
	{"progress", 0, "auto|plain|json|none", "how progress is shown on standard error", 0},
	{"quiet", 'q', NULL, "no progress; of tables the first column only", 0},
	{"debug", 0, NULL, "say on standard error what is being done", 0},
	{"help", 'h', NULL, "help on the verb", 0},
	{"version", 0, NULL, "same as the verb version", 0},
	{0},
};

/* --- one setting: text from any of the three places ------------------------------------------- */

static int set_folder(char **folder, const char *text, const char *what, struct error *err)
{
	cleanup_free char *cwd = NULL;

	if (!*text)
		return error_set(err, ERR_USAGE, "%s: empty", what);
	free(steal(folder));
	if (*text == '/') {
		*folder = xstrdup(text);
		return 0;
	}
	cwd = getcwd(NULL, 0);
	if (!cwd)
		return error_sys(err, "%s: current folder", what);
	*folder = xasprintf("%s/%s", strcmp(cwd, "/") == 0 ? "" : cwd, text);
	return 0;
}

static int set_root(struct settings *s, const char *text, const char *what, struct error *err)
{
	return set_folder(&s->root, text, what, err);
}

static int set_run_dir(struct settings *s, const char *text, const char *what, struct error *err)
{
	return set_folder(&s->run_dir, text, what, err);
}

static int set_pool(struct settings *s, const char *text, const char *what, struct error *err)
{
	if (!store_is_name(text))
		return error_set(err, ERR_USAGE,
				 "%s: '%.60s' is not a name: letters, digits, and _.- after the "
				 "first",
				 what, text);
	free(s->pool);
	s->pool = xstrdup(text);
	return 0;
}

static int set_engine(struct settings *s, const char *text, const char *what, struct error *err)
{
	static const enum thin_engine engines[] = {THIN_ENGINE_AUTO, THIN_ENGINE_KERNEL,
						   THIN_ENGINE_FILE};

	for (size_t i = 0; i < ARRAY_SIZE(engines); i++)
		if (strcmp(text, thin_engine_name(engines[i])) == 0) {
			s->engine = engines[i];
			return 0;
		}
	return error_set(err, ERR_USAGE, "%s: '%.40s' is none of auto, kernel, file", what, text);
}

static int set_progress(struct settings *s, const char *text, const char *what, struct error *err)
{
	static const char *const names[] = {"auto", "plain", "json", "none"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(text, names[i]) == 0) {
			s->progress = (enum progress_mode)i;
			return 0;
		}
	return error_set(err, ERR_USAGE, "%s: '%.40s' is none of auto, plain, json, none", what,
			 text);
}

static int set_lock_timeout(struct settings *s, const char *text, const char *what,
			    struct error *err)
{
	uint64_t seconds;

	if (number_parse(text, what, SETTINGS_LOCK_TIMEOUT_MAX, &seconds, err) < 0)
		return -1;
	s->lock_timeout_ms = (unsigned)(seconds * 1000);
	return 0;
}

static int set_min_free_space(struct settings *s, const char *text, const char *what,
			      struct error *err)
{
	return percent_parse(text, what, &s->min_free_data_percent, err);
}

static int set_min_free_metadata(struct settings *s, const char *text, const char *what,
				 struct error *err)
{
	return percent_parse(text, what, &s->min_free_metadata_percent, err);
}

static int set_autoextend_threshold(struct settings *s, const char *text, const char *what,
				    struct error *err)
{
	unsigned percent;

	if (percent_parse(text, what, &percent, err) < 0)
		return -1;
	if (percent < AUTOEXTEND_THRESHOLD_MIN)
		return error_set(err, ERR_USAGE, "%s: %u is less than %d", what, percent,
				 AUTOEXTEND_THRESHOLD_MIN);
	s->autoextend.threshold = percent;
	return 0;
}

static int set_autoextend_percent(struct settings *s, const char *text, const char *what,
				  struct error *err)
{
	unsigned percent;

	if (percent_parse(text, what, &percent, err) < 0)
		return -1;
	if (percent == 0)
		return error_set(err, ERR_USAGE, "%s: must be more than 0", what);
	s->autoextend.percent = percent;
	return 0;
}

/* Where each setting can come from. */
static const struct setting {
	const char *key, *option, *variable;
	int (*set)(struct settings *s, const char *text, const char *what, struct error *err);
} setting_table[] = {
	{"root", "root", "THINPULL_ROOT", set_root},
	{"run_dir", "run-dir", "THINPULL_RUN_DIR", set_run_dir},
	{"pool", "pool", "THINPULL_POOL", set_pool},
	{"engine", "engine", "THINPULL_ENGINE", set_engine},
	{"progress", "progress", NULL, set_progress},
	{"lock_timeout", "lock-timeout", NULL, set_lock_timeout},
	{"autoextend_threshold", "autoextend-threshold", "THINPULL_AUTOEXTEND_THRESHOLD",
	 set_autoextend_threshold},
	{"autoextend_percent", "autoextend-percent", "THINPULL_AUTOEXTEND_PERCENT",
	 set_autoextend_percent},
	{"min_free_space", NULL, NULL, set_min_free_space},
	{"min_free_metadata", NULL, NULL, set_min_free_metadata},
};

/* --- the three places ------------------------------------------------------------------------- */

static int unknown_key(const char *path, const char *key, struct error *err)
{
	struct suggestion best = {0};

	for (size_t i = 0; i < ARRAY_SIZE(setting_table); i++)
		suggestion_try(&best, key, setting_table[i].key);
	if (best.word)
		return error_set(err, ERR_USAGE, "%s: unknown key '%.60s', did you mean '%s'?",
				 path, key, best.word);
	return error_set(err, ERR_USAGE, "%s: unknown key '%.60s'", path, key);
}

/* Strings and whole numbers are taken alike: 10 and "10" and "10%". */
static int config_value(struct settings *s, const struct setting *setting, struct jval root,
			const char *path, struct error *err)
{
	cleanup_free char *what = xasprintf("%s: %s", path, setting->key);
	struct error other = {0};
	char digits[24];
	const char *text;
	uint64_t number;

	if (jdoc_string(root, setting->key, JDOC_REQUIRED, &text, err) == 0)
		return setting->set(s, text, what, err);
	if (jdoc_uint(root, setting->key, JDOC_REQUIRED, &number, &other) < 0)
		return -1;
	snprintf(digits, sizeof(digits), "%llu", (unsigned long long)number);
	return setting->set(s, digits, what, err);
}

static int config_apply(struct settings *s, struct jval root, const char *path, struct error *err)
{
	const char *key;
	struct jval value;
	void *iter = NULL;

	if (!jdoc_is_object(root))
		return error_set(err, ERR_USAGE, "%s: not a JSON object", path);
	while (jdoc_each(root, &iter, &key, &value)) {
		const struct setting *found = NULL;

		for (size_t i = 0; i < ARRAY_SIZE(setting_table); i++)
			if (strcmp(setting_table[i].key, key) == 0)
				found = &setting_table[i];
		if (!found)
			return unknown_key(path, key, err);
		if (config_value(s, found, root, path, err) < 0)
			return -1;
	}
	return 0;
}

/* @optional: a file that is not there is as good as an empty one. */
static int config_load(struct settings *s, const char *path, bool optional, struct error *err)
{
	/* fdio reads no links; here one is fine. */
	cleanup_free char *real = realpath(path, NULL);
	cleanup_buffer struct buffer text = {0};
	cleanup(jdoc_free_ptr) struct jdoc *doc = NULL;

	if (!real && optional && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (!real) {
		error_sys(err, "configuration %s", path);
		err->kind = ERR_USAGE;
		return -1;
	}
	if (fdio_read_file(real, SETTINGS_CONFIG_MAX_BYTES, &text, err) < 0
	    || jdoc_parse(text.data, text.len, path, &doc, err) < 0
	    || config_apply(s, jdoc_root(doc), path, err) < 0) {
		/* Whatever is wrong in there, it is the user's to mend. */
		if (err->kind != ERR_SYSTEM)
			err->kind = ERR_USAGE;
		return -1;
	}
	return 0;
}

static int environment_apply(struct settings *s, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(setting_table); i++) {
		const struct setting *setting = &setting_table[i];
		const char *text = setting->variable ? getenv(setting->variable) : NULL;

		if (text && *text && setting->set(s, text, setting->variable, err) < 0)
			return -1;
	}
	return 0;
}

static int flags_apply(struct settings *s, const struct args *args, struct error *err)
{
	char what[64];

	for (size_t i = 0; i < ARRAY_SIZE(setting_table); i++) {
		const struct setting *setting = &setting_table[i];
		const char *text = setting->option ? args_value(args, setting->option) : NULL;

		if (!text)
			continue;
		snprintf(what, sizeof(what), "option --%s", setting->option);
		if (setting->set(s, text, what, err) < 0)
			return -1;
	}
	s->json = args_has(args, "json");
	s->quiet = args_has(args, "quiet");
	s->debug = args_has(args, "debug");
	return 0;
}

/* --- defaults --------------------------------------------------------------------------------- */

static int default_root(struct settings *s, struct error *err)
{
	const char *data = getenv("XDG_DATA_HOME");
	const char *home = getenv("HOME");
	const struct passwd *pw;

	if (s->root)
		return 0;
	if (geteuid() == 0) {
		s->root = xstrdup("/var/lib/thinpull");
		return 0;
	}
	/* The XDG specification has relative paths ignored. */
	if (data && *data == '/') {
		s->root = xasprintf("%s/thinpull", data);
		return 0;
	}
	if (!home || *home != '/') {
		pw = getpwuid(geteuid());
		home = pw ? pw->pw_dir : NULL;
	}
	if (!home || *home != '/')
		return error_set(err, ERR_USAGE, "no home folder is known: use --root DIR");
	s->root = xasprintf("%s/.local/share/thinpull", home);
	return 0;
}

/* What is in it does not outlive a reboot: mount points do not either. */
static void default_run_dir(struct settings *s)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");

	if (s->run_dir)
		return;
	if (geteuid() == 0)
		s->run_dir = xstrdup("/run/thinpull");
	else if (runtime && *runtime == '/')
		s->run_dir = xasprintf("%s/thinpull", runtime);
	else
		s->run_dir = xasprintf("%s/run", s->root);
}

int settings_load(const struct args *args, const char *config_path, struct settings *ret,
		  struct error *err)
{
	const char *given = args_value(args, "config");
	struct settings s = {
		.pool = xstrdup("default"),
		.engine = THIN_ENGINE_AUTO,
		.lock_timeout_ms = SETTINGS_LOCK_TIMEOUT_MS,
		.min_free_data_percent = SETTINGS_MIN_FREE_PERCENT,
		.min_free_metadata_percent = SETTINGS_MIN_FREE_PERCENT,
		.autoextend = {.threshold = AUTOEXTEND_THRESHOLD, .percent = AUTOEXTEND_PERCENT},
	};

	if (config_load(&s, given ? given : config_path, !given, err) < 0
	    || environment_apply(&s, err) < 0 || flags_apply(&s, args, err) < 0
	    || default_root(&s, err) < 0) {
		settings_release(&s);
		return -1;
	}
	default_run_dir(&s);
	*ret = s;
	return 0;
}

void settings_release(struct settings *s)
{
	free(s->root);
	free(s->run_dir);
	free(s->pool);
	memset(s, 0, sizeof(*s));
}
