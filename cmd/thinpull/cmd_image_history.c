/* SPDX-License-Identifier: Apache-2.0 */
/* image history REF: how an image was made, topmost step first, with what each step added. */
#include "cmd/thinpull/command.h"

#include <string.h>

#include "cmd/thinpull/context.h"
#include "cmd/thinpull/imageref.h"
#include "cmd/thinpull/output.h"
#include "cmd/thinpull/table.h"
#include "oci/details.h"

#define SHORT_DIGEST_CHARS 19
#define SHORT_TEXT_CHARS   45

static void json_digest(struct jout *o, const char *key, const struct digest *d)
{
	char text[DIGEST_TEXT_BYTES];

	jout_string(o, key, d ? digest_format(d, text) : NULL);
}

static void json_step(struct jout *o, const struct image_step *step)
{
	const struct oci_history *history = step->history;
	const struct image_layer *layer = step->layer;

	jout_object(o, NULL);
	jout_string(o, "created", history ? history->created : NULL);
	jout_string(o, "created_by", history ? history->created_by : NULL);
	jout_string(o, "comment", history ? history->comment : NULL);
	jout_bool(o, "empty_layer", !layer);
	jout_uint(o, "size_bytes", layer ? layer->content_bytes : 0);
	json_digest(o, "digest", layer ? &layer->blob->digest : NULL);
	json_digest(o, "diff_id", layer ? &layer->diff_id : NULL);
	json_digest(o, "chain_id", layer ? &layer->chain_id : NULL);
	jout_end_object(o);
}

static void print_json(const struct image_step *steps, size_t n)
{
	cleanup_jout struct jout o = {0};

	jout_array(&o, NULL);
	for (size_t i = 0; i < n; i++)
		json_step(&o, &steps[i]);
	jout_end_array(&o);
	output_json(&o);
}

/* At most so many characters, the last of them dots when there are more. */
static void cell_cut(struct table *t, const char *text, bool whole)
{
	size_t chars = 0, bytes = 0, fits = 0;

	for (; text && text[bytes]; bytes++) {
		if (((unsigned char)text[bytes] & 0xc0) == 0x80)
			continue;
		if (chars == SHORT_TEXT_CHARS - 3)
			fits = bytes;
		chars++;
	}
	if (whole || chars <= SHORT_TEXT_CHARS)
		table_cell(t, text);
	else
		table_cellf(t, "%.*s...", (int)fits, text);
}

static void print_table(const struct image_step *steps, size_t n, bool whole)
{
	static const struct table_column columns[] = {
		{"LAYER", TABLE_LEFT}, {"CREATED", TABLE_LEFT}, {"CREATED BY", TABLE_LEFT},
		{"SIZE", TABLE_RIGHT}, {"COMMENT", TABLE_LEFT}, {0},
	};
	cleanup_table struct table t;
	char text[DIGEST_TEXT_BYTES];

	table_init(&t, columns);
	for (size_t i = 0; i < n; i++) {
		const struct oci_history *history = steps[i].history;
		const struct image_layer *layer = steps[i].layer;

		if (layer)
			table_cellf(&t, "%.*s", whole ? DIGEST_TEXT_BYTES : SHORT_DIGEST_CHARS,
				    digest_format(&layer->chain_id, text));
		else
			table_cell(&t, "-");
		table_cell(&t, history ? history->created : NULL);
		cell_cut(&t, history ? history->created_by : NULL, whole);
		table_cell_bytes(&t, layer ? layer->content_bytes : 0);
		cell_cut(&t, history ? history->comment : NULL, whole);
	}
	table_print(&t);
}

static void print_layers(const struct image_step *steps, size_t n)
{
	char text[DIGEST_TEXT_BYTES];

	for (size_t i = 0; i < n; i++)
		if (steps[i].layer)
			output_line("%s", digest_format(&steps[i].layer->chain_id, text));
}

static int history(const struct context *context, struct error *err)
{
	cleanup(store_close_ptr) struct store *store = NULL;
	cleanup(image_details_release) struct image_details details = {0};
	cleanup_free struct image_step *steps = NULL;
	cleanup_free char *ref = NULL;
	size_t n;

	if (imageref_check(context->args->operands[0], err) < 0
	    || context_open_store(context, &store, err) < 0
	    || imageref_find(store, context->args->operands[0], &ref, err) < 0
	    || image_details_read(store, ref, &details, err) < 0)
		return -1;
	steps = image_details_history(&details, &n);
	if (context->settings->json)
		print_json(steps, n);
	else if (context->settings->quiet)
		print_layers(steps, n);
	else
		print_table(steps, n, args_has(context->args, "no-trunc"));
	return 0;
}

int cmd_image_history(const struct context *context, struct error *err)
{
	if (history(context, err) < 0)
		return error_wrap(err, "image history %s", context->args->operands[0]);
	return 0;
}
