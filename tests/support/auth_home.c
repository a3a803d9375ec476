/* SPDX-License-Identifier: Apache-2.0 */
/* A scratch folder as HOME. */
#include "tests/support/auth_home.h"

#include <stdlib.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "tests/support/layout_folder.h"

void auth_home_start(struct auth_home *h)
{
	static const char *const names[] = {"REGISTRY_AUTH_FILE", "DOCKER_AUTH_CONFIG",
					    "DOCKER_CONFIG", "XDG_CONFIG_HOME"};
	cleanup_free char *run = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		unsetenv(names[i]);
	h->folder = make_folder();
	run = xasprintf("%s/run", h->folder);
	setenv("HOME", h->folder, 1);
	setenv("XDG_RUNTIME_DIR", run, 1);
}

void auth_home_stop(struct auth_home *h)
{
	unsetenv("HOME");
	unsetenv("XDG_RUNTIME_DIR");
	remove_folder(h->folder);
}

void auth_home_put(const struct auth_home *h, const char *name, const char *text)
{
	put_file(h->folder, name, text);
}
