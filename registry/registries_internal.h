/* SPDX-License-Identifier: Apache-2.0 */
/* Between registries_file.c, which reads one file, and registries_conf.c, which joins them. */
#pragma once

#include "registry/registries_conf.h"

enum registries_use { REGISTRIES_ALL, REGISTRIES_DIGEST_ONLY, REGISTRIES_TAG_ONLY };

struct registries_mirror {
	char *location, *ns;
	bool insecure;
	enum registries_use use;
};

/* [[registry]] */
struct registries_table {
	char *prefix, *location, *ns;
	bool insecure, blocked, digest_only;
	struct registries_mirror *mirrors;
	size_t n_mirrors, room;
};

struct registries_alias {
	char *name, *value; /* value: "" takes away what another file said */
};

struct registries_conf {
	struct registries_table *tables; /* of one prefix only one */
	size_t n_tables, tables_room;
	struct registries_alias *aliases;
	size_t n_aliases, aliases_room;
};

void registries_table_release(struct registries_table *table);

/* One file by itself. @ret: empty before. Errors: as of registries_conf_add(). */
MUST_CHECK int registries_file_parse(const void *text, size_t len, const char *name, bool drop_in,
				     struct registries_conf *ret, struct error *err);
