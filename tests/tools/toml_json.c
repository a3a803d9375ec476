/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TOML documents as JSON, a line each: stdin is "LENGTH\n" and that many bytes, again and again. A
 * document that is refused is a line "error: ..".
 */
#include <stdio.h>
#include <stdlib.h>

#include "pkg/base/alloc.h"
#include "pkg/toml/toml.h"

static void show(const void *text, size_t len)
{
	cleanup(jdoc_free_ptr) struct jdoc *doc = NULL;
	struct jout o = {.compact = true};
	struct error err = {0};
	char reason[1024];

	if (toml_parse(text, len, "document", &doc, &err) < 0) {
		error_text(&err, reason, sizeof(reason));
		printf("error: %s\n", reason);
		return;
	}
	jout_copy(&o, NULL, jdoc_root(doc));
	printf("%.*s\n", (int)o.text.len, (const char *)o.text.data);
	jout_release(&o);
}

int main(void)
{
	size_t len;

	while (scanf("%zu", &len) == 1 && getchar() == '\n') {
		char *text = xmalloc(len + 1);

		if (fread(text, 1, len, stdin) != len)
			return 2;
		show(text, len);
		free(text);
	}
	return fflush(stdout) == 0 ? 0 : 2;
}
