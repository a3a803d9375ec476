/* SPDX-License-Identifier: Apache-2.0 */
/* export NAME|REF -o FILE: the file system of a container or an image, in one of several forms. */
#include "cmd/thinpull/command.h"

#include <string.h>

#include "cmd/thinpull/context.h"
#include "cmd/thinpull/export_image.h"
#include "cmd/thinpull/export_raw.h"
#include "cmd/thinpull/export_tar.h"
#include "cmd/thinpull/imageref.h"
#include "cmd/thinpull/outfile.h"
#include "cmd/thinpull/output.h"
#include "pkg/base/alloc.h"
#include "pkg/thin/volume.h"

/* What is exported. */
struct subject {
	struct store *store;
	char *name; /* of a container, or a reference as recorded */
	bool is_container;
};

static void subject_release(struct subject *s)
{
	free(s->name);
	store_close(s->store);
}

/* Writes it all and says how long it is. */
typedef int export_fn(struct subject *s, struct outfile *out, uint64_t *ret_size,
		      struct error *err);

typedef int export_volume_fn(struct thin_volume *volume, struct outfile *out, uint64_t *ret_size,
			     struct error *err);

static int write_volume(struct subject *s, export_volume_fn *write, struct outfile *out,
			uint64_t *ret_size, struct error *err)
{
	/* Closed in reverse order: the session holds the volume. */
	cleanup(snapshots_close_ptr) struct snapshots *session = NULL;
	cleanup(thin_volume_close_ptr) struct thin_volume *volume = NULL;

	if (store_open_volume(s->store, s->name, &session, &volume, err) < 0)
		return -1;
	return write(volume, out, ret_size, err);
}

static int write_raw(struct subject *s, struct outfile *out, uint64_t *ret_size, struct error *err)
{
	return write_volume(s, export_raw, out, ret_size, err);
}

static int write_tar(struct subject *s, struct outfile *out, uint64_t *ret_size, struct error *err)
{
	return write_volume(s, export_tar, out, ret_size, err);
}

static int write_image(struct subject *s, struct outfile *out, uint64_t *ret_size,
		       struct error *err)
{
	return export_image(s->store, s->name, s->is_container, out, ret_size, err);
}

/* The first is the default. */
static const struct export_form {
	const char *name;
	export_fn *write;
} forms[] = {
	{"raw", write_raw},
	{"tar", write_tar},
	{"oci-archive", write_image},
};

/* Containers first; what is the name of none must be an image. */
static int find_subject(struct subject *s, const char *text, struct error *err)
{
	if (store_is_name(text) && store_is_container(s->store, text, &s->is_container, err) < 0)
		return -1;
	if (s->is_container) {
		s->name = xstrdup(text);
		return 0;
	}
	return imageref_find(s->store, text, &s->name, err);
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
	cleanup(subject_release) struct subject subject = {0};
	cleanup_outfile struct outfile out = {.fd = -1};
	const struct export_form *form = NULL;
	const char *path;
	uint64_t size;

	if (check_options(context->args, &form, &path, err) < 0
	    || context_open_store(context, &subject.store, err) < 0
	    || find_subject(&subject, context->args->operands[0], err) < 0
	    || outfile_open(path, &out, err) < 0 || form->write(&subject, &out, &size, err) < 0
	    || outfile_commit(&out, size, err) < 0)
		return -1;
	if (context->settings->json && !out.is_stdout)
		print_result(subject.name, form, &out, size);
	return 0;
}

int cmd_export(const struct context *context, struct error *err)
{
	if (export(context, err) < 0)
		return error_wrap(err, "export %s", context->args->operands[0]);
	return 0;
}
