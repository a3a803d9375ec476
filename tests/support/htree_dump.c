/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/htree_dump.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pkg/base/alloc.h"
#include "tests/support/cmocka.h"
#include "tests/support/e2fsprogs.h"

/* Several entries on a line: "13 0x0021828e-04316dbb (36) name   "; inode 0 is not in use. */
static void add_names(struct htree_dump *d, const char *line)
{
	uint32_t inode, hash, minor;
	unsigned len;
	int used;

	while (sscanf(line, "%u 0x%x-%x (%u)%n", &inode, &hash, &minor, &len, &used) == 4) {
		const char *name = line + used + 1, *end = strstr(name, "   ");

		assert_non_null(end);
		line = end + 3;
		if (inode == 0)
			continue;
		ALLOC_GROW(d->names, d->n + 1, d->room);
		d->names[d->n++] = (struct htree_name){xstrndup(name, (size_t)(end - name)), inode,
						       hash, d->leaves - 1};
	}
}

static void parse(struct htree_dump *d, char *text)
{
	uint32_t of_node = 0, key = 0, hash;
	unsigned entry;
	char *line;

	while ((line = strsep(&text, "\n"))) {
		if (strstr(line, "Number of entries (count)")) {
			of_node = key;
		} else if (sscanf(line, "Entry #%u: Hash 0x%x", &entry, &hash) == 2) {
			/* a node says nothing of its first one */
			key = entry ? hash : of_node;
		} else if (strncmp(line, "Reading directory block", 23) == 0) {
			ALLOC_GROW(d->keys, d->leaves + 1, d->keys_room);
			d->keys[d->leaves++] = key;
		} else if (d->leaves) {
			add_names(d, line);
		} else {
			(void)sscanf(line, " Indirect levels: %u", &d->levels);
		}
	}
}

static void check(const struct htree_dump *d)
{
	for (size_t i = 1; i < d->leaves; i++)
		assert_true(d->keys[i - 1] <= d->keys[i]);
	for (size_t i = 0; i < d->n; i++) {
		const struct htree_name *name = &d->names[i];
		size_t next = name->leaf + 1;

		/* an odd key: the leaf before ends with this hash, too */
		if (name->hash < (d->keys[name->leaf] & ~1U)
		    || (next < d->leaves && name->hash >= d->keys[next]))
			fail_msg("%s (%08x) in a leaf from %08x", name->name, name->hash,
				 d->keys[name->leaf]);
	}
}

struct htree_dump htree_dump(const struct memory_volume *v, const char *path)
{
	cleanup_free char *request = xasprintf("htree_dump %s", path);
	cleanup_free char *text = debugfs_output(v, request);
	struct htree_dump d = {0};

	assert_non_null(strstr(text, "Root node dump"));
	assert_null(strstr(text, "ERROR"));
	assert_null(strstr(text, "orrupt"));
	parse(&d, text);
	check(&d);
	return d;
}

void htree_dump_release(struct htree_dump *d)
{
	for (size_t i = 0; i < d->n; i++)
		free(d->names[i].name);
	free(d->names);
	free(d->keys);
	*d = (struct htree_dump){0};
}
