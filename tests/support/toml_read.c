/* SPDX-License-Identifier: Apache-2.0 */
/* Compares documents as JSON, so that their order counts. */
#include "tests/support/toml_read.h"

#include "pkg/base/alloc.h"
#include "pkg/toml/toml.h"
#include "tests/support/cmocka.h"

void toml_reads(const char *toml, const char *json)
{
	cleanup(jdoc_free_ptr) struct jdoc *doc = NULL;
	/* Nothing stands behind it for a reader to run into. */
	cleanup_free char *text = xmemdup(toml, strlen(toml) ? strlen(toml) : 1);
	struct jout o = {.compact = true};
	struct error err = {0};

	assert_ok(toml_parse(text, strlen(toml), "doc", &doc, &err), &err);
	jout_copy(&o, NULL, jdoc_root(doc));
	assert_string_equal((char *)o.text.data, json);
	jout_release(&o);
}

void toml_refuses_bytes(const void *toml, size_t len, const char *reason)
{
	cleanup_free char *text = xmemdup(toml, len);
	struct jdoc *doc = NULL;
	struct error err = {0};

	if (toml_parse(text, len, "doc", &doc, &err) == 0) {
		jdoc_free(doc);
		fail_msg("read, though: %s", reason);
	}
	assert_error(&err, ERR_INVALID, reason);
}

void toml_refuses(const char *toml, const char *reason)
{
	toml_refuses_bytes(toml, strlen(toml), reason);
}
