/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of the catalog, and what the machine says about each. */
#include "cmd/thinpull/listing.h"

#include <stdlib.h>
#include <string.h>

#include "pkg/base/alloc.h"

void listing_release(struct listing *l)
{
	for (size_t i = 0; i < l->n; i++)
		container_state_release(&l->items[i].state);
	free(l->items);
	catalog_containers_free(l->rows, l->n_rows);
	*l = (struct listing){0};
}

/* One that was removed meanwhile is as the catalog had it. */
static int look(struct store *store, const struct record *record, struct listed_container *c,
		struct error *err)
{
	const struct record_entry *e = record_find_container(record, c->row->name);

	if (e && container_state(store, e, &c->state, err) < 0)
		return -1;
	c->mapped_bytes = c->state.file ? c->state.used_bytes : c->row->mapped_bytes;
	return 0;
}

int listing_load(struct store *store, const char *only, struct listing *ret, struct error *err)
{
	cleanup(snapshots_close_ptr) struct snapshots *session = NULL;
	cleanup(listing_release) struct listing l = {0};

	if (store_containers(store, &l.rows, &l.n_rows, err) < 0
	    || (l.n_rows && store_read(store, &session, err) < 0))
		return -1;
	l.items = xcalloc(l.n_rows + 1, sizeof(*l.items));
	for (size_t i = 0; i < l.n_rows; i++) {
		if (only && strcmp(l.rows[i].name, only) != 0)
			continue;
		l.items[l.n].row = &l.rows[i];
		if (look(store, snapshots_record(session), &l.items[l.n++], err) < 0)
			return -1;
	}
	*ret = l;
	l = (struct listing){0};
	return 0;
}
