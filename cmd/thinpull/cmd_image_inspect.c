/* SPDX-License-Identifier: Apache-2.0 */
/*
 * image inspect REF: all about an image, one that is here or one that a source has, which is then
 * not pulled; or its documents as they are.
 */
#include "cmd/thinpull/command.h"

#include <string.h>

#include "cmd/thinpull/image_report.h"
#include "cmd/thinpull/imageref.h"
#include "cmd/thinpull/output.h"
#include "cmd/thinpull/pull.h"
#include "oci/image.h"

/* What is looked at; at most one of ref and source. */
struct subject {
	const struct context *context;
	struct store *store;
	char *ref; /* of an image here, as recorded */
	struct source *source;
	struct oci_platform platform;
};

static void subject_release(struct subject *s)
{
	free(s->ref);
	if (s->source)
		source_close(s->source);
	store_close(s->store);
}

static bool asked_for(const struct subject *s, const char *option)
{
	return args_has(s->context->args, option);
}

/* --- where it is ------------------------------------------------------------------------------ */

/* "docker://" says registry; a folder or an archive counts when no image here is of it. */
static int find_subject(struct subject *s, const struct asker *asker, struct error *err)
{
	const char *text = s->context->args->operands[0];

	if (!imageref_is_remote(text)) {
		if (pull_find(s->context, s->store, text, &s->ref, err) == 0)
			return 0;
		if (err->kind != ERR_NOT_FOUND || !imageref_is_place(text))
			return -1;
		error_clear(err);
	}
	return pull_open_source(s->context, asker, NULL, text, &s->source, err);
}

/* --- its documents ---------------------------------------------------------------------------- */

static int read_raw_here(struct subject *s, struct buffer *ret, struct error *err)
{
	struct content_image *image;
	struct content *content;
	int rc = -1;

	if (store_content(s->store, &content, err) < 0
	    || store_find_image(s->store, s->ref, &image, err) < 0)
		return -1;
	rc = content_get(content, asked_for(s, "platform") ? &image->manifest : &image->target, ret,
			 err);
	content_images_free(image, 1);
	return rc;
}

static int read_raw(struct subject *s, struct buffer *ret, struct error *err)
{
	struct oci_descriptor found;

	if (s->ref)
		return read_raw_here(s, ret, err);
	return oci_image_read_raw(s->source, asked_for(s, "platform") ? &s->platform : NULL, NULL,
				  &found, ret, err);
}

static int show_raw(struct subject *s, struct error *err)
{
	cleanup_buffer struct buffer bytes = {0};

	if (read_raw(s, &bytes, err) < 0)
		return -1;
	output_bytes(bytes.data, bytes.len);
	return 0;
}

/* --- all about it ----------------------------------------------------------------------------- */

static int show(struct subject *s, struct error *err)
{
	cleanup(image_details_release) struct image_details details = {0};
	int rc = s->ref ? image_details_read(s->store, s->ref, &details, err)
			: image_details_fetch(s->store, s->source, &s->platform, &details, err);

	if (rc < 0)
		return -1;
	if (args_has_flag(s->context->args, "config"))
		output_bytes(details.config_json.data, details.config_json.len);
	else if (s->context->settings->json)
		return image_report_json(&details, err);
	else if (s->context->settings->quiet)
		output_line("%s", details.image->ref);
	else
		image_report_text(&details);
	return 0;
}

static int inspect(const struct context *context, struct error *err)
{
	cleanup(subject_release) struct subject subject = {.context = context};
	cleanup_asker struct asker asker = {0};

	if (asker_read(context->args, &asker, err) < 0)
		return -1;
	if (args_has(context->args, "raw") && args_has_flag(context->args, "config"))
		return error_set(err, ERR_USAGE,
				 "--raw is the manifest, --config the config: one of them");
	if (imageref_check(context->args->operands[0], err) < 0
	    || context_platform(context, &subject.platform, err) < 0
	    || context_open_store(context, &subject.store, err) < 0
	    || find_subject(&subject, &asker, err) < 0)
		return -1;
	return args_has(context->args, "raw") ? show_raw(&subject, err) : show(&subject, err);
}

int cmd_image_inspect(const struct context *context, struct error *err)
{
	if (inspect(context, err) < 0)
		return error_wrap(err, "image inspect %s", context->args->operands[0]);
	return 0;
}
