/* SPDX-License-Identifier: Apache-2.0 */
/* What runs: arguments, folder and user, out of the image and what was asked for. */
#include <stdlib.h>
#include <string.h>

#include "oci/bundle_internal.h"
#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/base/log.h"
#include "pkg/ext4/read_path.h"

enum {
	ACCOUNTS_MAX = 1 << 20, /* bytes of passwd, and of group */
	OPEN_FILES_MAX = 1024,
};

/* --- arguments -------------------------------------------------------------------------------- */

static void add_given(struct bundle_texts *list, const char *const *texts)
{
	for (; texts && *texts; texts++)
		bundle_texts_add(list, *texts);
}

static void add_strings(struct bundle_texts *list, const struct oci_strings *texts)
{
	for (size_t i = 0; i < texts->n; i++)
		bundle_texts_add(list, texts->items[i]);
}

static int make_args(const struct oci_runconfig *image, const struct bundle_options *options,
		     struct bundle_texts *ret, struct error *err)
{
	if (options->entrypoint)
		add_given(ret, options->entrypoint);
	else
		add_strings(ret, &image->entrypoint);
	if (options->cmd)
		add_given(ret, options->cmd);
	else if (!options->entrypoint)
		add_strings(ret, &image->cmd);
	if (ret->n == 0)
		return error_set(err, ERR_INVALID,
				 "nothing to run: the image names no command, so one must be given "
				 "after the other operands");
	for (size_t i = 0; i < ret->n; i++)
		if (bundle_check_text("argument", ret->items[i], err) < 0)
			return -1;
	return 0;
}

/* --- folder ----------------------------------------------------------------------------------- */

static int make_cwd(const struct oci_runconfig *image, const struct bundle_options *options,
		    char **ret, struct error *err)
{
	const char *text = options->working_dir ? options->working_dir : image->working_dir;
	cleanup_free char *clean = bundle_clean_path(text ? text : "");

	/* /proc/self/fd/7 may be a folder of the host that the runtime has open (CVE-2024-21626) */
	if (bundle_is_below(clean, "/proc"))
		return error_set(err, ERR_INVALID, "working directory '%.60s' is in /proc", text);
	if (bundle_check_text("working directory", clean, err) < 0)
		return -1;
	*ret = steal(&clean);
	return 0;
}

/* --- user ------------------------------------------------------------------------------------- */

struct accounts {
	struct buffer text;
	bool there; /* or else there is no such file */
};

static void accounts_release(struct accounts *a)
{
	buffer_release(&a->text);
}

static const struct buffer *accounts_text(const struct accounts *a)
{
	return a->there ? &a->text : NULL;
}

static int accounts_read(struct ext4_reader *fs, const char *path, struct accounts *ret,
			 struct error *err)
{
	ret->there = ext4_reader_read_file(fs, path, ACCOUNTS_MAX, &ret->text, err) == 0;
	if (!ret->there && err->kind != ERR_NOT_FOUND)
		return error_wrap(err, "in the container");
	if (!ret->there)
		error_clear(err);
	return 0;
}

/* In the user namespace of an ordinary user there is one user, its root. */
static void squash(struct oci_user *u)
{
	if (u->uid != 0 || u->gid != 0)
		log_warning("user %u:%u of the image is not mapped without root: what runs is root "
			    "of a user namespace of its own, which is you outside",
			    u->uid, u->gid);
	u->uid = u->gid = 0;
	u->n_groups = 0;
}

static int make_user(const struct oci_runconfig *image, struct ext4_reader *fs,
		     const struct bundle_options *options, struct oci_user *ret, struct error *err)
{
	cleanup(accounts_release) struct accounts passwd = {0}, group = {0};
	const char *user = options->user ? options->user : image->user;

	if (accounts_read(fs, "/etc/passwd", &passwd, err) < 0
	    || accounts_read(fs, "/etc/group", &group, err) < 0
	    || oci_user_resolve(user, accounts_text(&passwd), accounts_text(&group), ret, err) < 0)
		return -1;
	if (options->rootless)
		squash(ret);
	return 0;
}

/* --- together --------------------------------------------------------------------------------- */

int bundle_process_make(const struct oci_runconfig *image, struct ext4_reader *fs,
			const struct bundle_options *options, struct bundle_process *ret,
			struct error *err)
{
	if (make_args(image, options, &ret->args, err) < 0
	    || make_cwd(image, options, &ret->cwd, err) < 0
	    || make_user(image, fs, options, &ret->user, err) < 0)
		return -1;
	if (ret->user.home)
		ret->home = xasprintf("HOME=%s", ret->user.home);
	return bundle_env(image, options, ret->home, &ret->env, err);
}

void bundle_process_release(struct bundle_process *p)
{
	bundle_texts_release(&p->args);
	bundle_texts_release(&p->env);
	free(p->cwd);
	free(p->home);
	oci_user_release(&p->user);
}

static void put_capabilities(struct jout *o)
{
	static const char *const sets[] = {"ambient", "bounding", "effective", "permitted"};
	static const char *const names[] = {"CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"};

	jout_object(o, "capabilities");
	for (size_t i = 0; i < ARRAY_SIZE(sets); i++) {
		jout_array(o, sets[i]);
		for (size_t k = 0; k < ARRAY_SIZE(names); k++)
			jout_string(o, NULL, names[k]);
		jout_end_array(o);
	}
	jout_end_object(o);
}

static void put_limits(struct jout *o)
{
	jout_array(o, "rlimits");
	jout_object(o, NULL);
	jout_uint(o, "hard", OPEN_FILES_MAX);
	jout_uint(o, "soft", OPEN_FILES_MAX);
	jout_string(o, "type", "RLIMIT_NOFILE");
	jout_end_object(o);
	jout_end_array(o);
}

static void put_user(struct jout *o, const struct oci_user *u)
{
	jout_object(o, "user");
	if (u->n_groups) {
		jout_array(o, "additionalGids");
		for (size_t i = 0; i < u->n_groups; i++)
			jout_uint(o, NULL, u->groups[i]);
		jout_end_array(o);
	}
	jout_uint(o, "gid", u->gid);
	jout_uint(o, "uid", u->uid);
	jout_end_object(o);
}

void bundle_process_put(struct jout *o, const struct bundle_process *p, bool terminal)
{
	jout_object(o, "process");
	bundle_put_texts(o, "args", &p->args);
	put_capabilities(o);
	jout_string(o, "cwd", p->cwd);
	bundle_put_texts(o, "env", &p->env);
	jout_bool(o, "noNewPrivileges", true);
	put_limits(o);
	jout_bool(o, "terminal", terminal);
	put_user(o, &p->user);
	jout_end_object(o);
}
