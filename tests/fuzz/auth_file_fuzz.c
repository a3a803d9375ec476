/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a file of credentials, the first says of which form: what is found can be sent, a
 * helper has the name of a program, and what is written holds what was there.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pkg/base/alloc.h"
#include "pkg/base/secret.h"
#include "registry/auth_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const hosts[] = {"h.io", "docker.io", "localhost:5000"};
static const char *const paths[] = {"team/a", "library/alpine", NULL};

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void look_for_entries(const struct auth_file *f)
{
	for (size_t i = 0; i < 9; i++) {
		cleanup(credential_release) struct credential c = {0};
		struct error err = {0};
		int rc = auth_file_find(f, hosts[i / 3], paths[i % 3], &c, &err);

		must(rc >= 0 || err.kind == ERR_INVALID);
		if (rc == 0) {
			must(!c.user || !strchr(c.user, ':'));
			must(credential_check(&c, &err) == 0);
		}
	}
}

static void look_for_helpers(const struct auth_file *f)
{
	for (size_t i = 0; i < ARRAY_SIZE(hosts); i++) {
		struct auth_file_helper h;
		struct error err = {0};
		int rc = auth_file_helper(f, hosts[i], &h, &err);

		must(rc >= 0 || err.kind == ERR_INVALID);
		must(rc != 0 || (*h.name && !strpbrk(h.name, "/ \n;$") && h.n_servers > 0));
	}
}

static void write_again(const struct auth_file *f, enum auth_file_format format)
{
	struct credential c = {.user = (char *)(uintptr_t) "u",
			       .password = (char *)(uintptr_t) "p"};
	cleanup(credential_release) struct credential found = {0};
	cleanup_secret_buffer struct buffer with = {0}, without = {0};
	cleanup(auth_file_free_ptr) struct auth_file *again = NULL, *empty = NULL;
	struct error err = {0};

	must(auth_file_write(f, "h.io", &c, &with));
	/* "Auths" alone is not ours to see; beside "auths" it is refused. */
	if (auth_file_parse(with.data, with.len, format, &again, &err) < 0) {
		must(strstr(err.cause, "which readers take for the same") != NULL);
		return;
	}
	must(auth_file_find(again, "h.io", NULL, &found, &err) == 0);
	must(!strcmp(found.password, "p"));
	must(auth_file_write(again, "h.io", NULL, &without));
	must(auth_file_parse(without.data, without.len, format, &empty, &err) == 0);
	must(auth_file_find(empty, "h.io", NULL, &found, &err) == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup(auth_file_free_ptr) struct auth_file *f = NULL;
	enum auth_file_format format = AUTH_FILE_CURRENT;
	struct error err = {0};

	if (size > 0 && data[0] == 'L') {
		format = AUTH_FILE_LEGACY;
		data++;
		size--;
	}
	if (auth_file_parse(data, size, format, &f, &err) < 0) {
		must(err.kind == ERR_INVALID);
		return 0;
	}
	look_for_entries(f);
	look_for_helpers(f);
	write_again(f, format);
	return 0;
}
