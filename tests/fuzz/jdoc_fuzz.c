/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as JSON: what is taken is written out again, and that reads back to the same text. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pkg/json/jdoc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Recursion is bounded by the depth that the parser lets pass. */
static void write_value(struct jout *o, const char *key, struct jval v)
{
	struct error err = {0};
	const char *text, *name;
	struct jval child;
	void *iter = NULL;

	if (jdoc_is_object(v)) {
		jout_object(o, key);
		while (jdoc_each(v, &iter, &name, &child))
			write_value(o, name, child);
		jout_end_object(o);
	} else if (jdoc_is_array(v)) {
		jout_array(o, key);
		for (size_t i = 0; i < jdoc_length(v); i++)
			write_value(o, NULL, jdoc_at(v, i));
		jout_end_array(o);
	} else if (jdoc_string_value(v, &text, &err) == 0) {
		jout_string(o, key, text);
	} else if (jdoc_present(v)) {
		jout_bool(o, key, true); /* numbers, too */
	} else {
		jout_string(o, key, NULL);
	}
}

static void rewrite(const void *json, size_t len, bool must_parse, struct jout *o)
{
	cleanup(jdoc_free_ptr) struct jdoc *doc = NULL;
	struct error err = {0};

	if (jdoc_parse(json, len, "doc", &doc, &err) == 0)
		write_value(o, NULL, jdoc_root(doc));
	else if (must_parse || err.kind != ERR_INVALID)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup(jout_release) struct jout first = {0}, second = {0};

	rewrite(data, size, false, &first);
	if (first.text.len == 0)
		return 0;
	rewrite(first.text.data, first.text.len, true, &second);
	if (first.text.len != second.text.len
	    || memcmp(first.text.data, second.text.data, first.text.len) != 0)
		abort();
	return 0;
}
