/* SPDX-License-Identifier: Apache-2.0 */
/* export NAME|REF -o FILE: the file system of a container or an image, in one of several forms. */
#include "cmd/thinpull/command.h"

#include <string.h>

#include "cmd/thinpull/context.h"
#include "cmd/thinpull/export_raw.h"
#include "cmd/thinpull/export_tar.h"
#include "cmd/thinpull/imageref.h"
#include "cmd/thinpull/outfile.h"
#include "cmd/thinpull/output.h"
#include "pkg/base/alloc.h"
#include "pkg/thin/volume.h"

/* The first is the default. */
static const struct export_form {
	const char *name;
	/* Writes it all and says how long it is; NULL: not there yet. */
	int (*write)(struct thin_volume *volume, struct outfile *out, uint64_t *ret_size,
		     struct error *err);
} forms[] = {
	{"raw", export_raw},
	{"tar", export_tar},
	{"oci-archive", NULL},
};

/* Containers first; what is the name of none must be an image. */
static int find_volume(struct store *store, const char *text, char **ret, struct error *err)
{
	bool is_container = false;

	if (store_is_name(text) && store_is_container(store, text, &is_container, err) < 0)
		return -1;
	if (is_container) {
		*ret = xstrdup(text);
		return 0;
	}
	return imageref_find(store, text, ret, err);
}

static void print_result(const char *name, const struct export_form *form,
			 const struct outfile *out, uint64_t size)
{
	cleanup_jout struct jout o = {0};

	jout_object(&o, NULL);
	jout_string(&o, "name", name);
	jout_string(&o, "file", out->name);
	jout_string(&o, "format", form->name);
	jout_uint(&o, "size_bytes", size);
	jout_uint(&o, "written_bytes", outfile_written(out));
	jout_end_object(&o);
	output_json(&o);
}

static int choose_form(const char *name, const struct export_form **ret, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		if (name && strcmp(forms[i].name, name) != 0)
			continue;
		if (!forms[i].write)
			return error_set(err, ERR_UNSUPPORTED, "--format %s is not there yet",
					 name);
		*ret = &forms[i];
		return 0;
	}
	return error_set(err, ERR_USAGE,
			 "option --format: '%.40s' is none of raw, tar, oci-archive", name);
}

static int check_options(const struct args *args, const struct export_form **ret_form,
			 const char **ret_path, struct error *err)
{
	*ret_path = args_value(args, "output");
	if (choose_form(args_value(args, "format"), ret_form, err) < 0
	    || imageref_check(args->operands[0], err) < 0)
		return -1;
	if (!*ret_path)
		return error_set(err, ERR_USAGE, "where to? -o FILE, or -o - for standard output");
	return 0;
}

static int export(const struct context *context, struct error *err)
{
	/* Closed in reverse order: the session holds the volume, the store the session. */
	cleanup(store_close_ptr) struct store *store = NULL;
	cleanup(snapshots_close_ptr) struct snapshots *session = NULL;
	cleanup(thin_volume_close_ptr) struct thin_volume *volume = NULL;
	cleanup_outfile struct outfile out = {.fd = -1};
	cleanup_free char *name = NULL;
	const struct export_form *form = NULL;
	const char *path;
	uint64_t size;

	if (check_options(context->args, &form, &path, err) < 0
	    || context_open_store(context, &store, err) < 0
	    || find_volume(store, context->args->operands[0], &name, err) < 0
	    || store_open_volume(store, name, &session, &volume, err) < 0
	    || outfile_open(path, &out, err) < 0 || form->write(volume, &out, &size, err) < 0
	    || outfile_commit(&out, size, err) < 0)
		return -1;
	if (context->settings->json && !out.is_stdout)
		print_result(name, form, &out, size);
	return 0;
}

int cmd_export(const struct context *context, struct error *err)
{
	if (export(context, err) < 0)
		return error_wrap(err, "export %s", context->args->operands[0]);
	return 0;
}
