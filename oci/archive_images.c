/* SPDX-License-Identifier: Apache-2.0 */
/* Gathers names; decides nothing. */
#include "oci/archive_images.h"

#include <stdlib.h>
#include <string.h>

#include "pkg/base/alloc.h"

static void add_name(struct oci_strings *names, const char *name)
{
	for (size_t i = 0; i < names->n; i++)
		if (strcmp(names->items[i], name) == 0)
			return;
	names->items = xrealloc(names->items, names->n + 1, sizeof(*names->items));
	names->items[names->n++] = xstrdup(name);
}

static struct oci_archive_image *image_of(const struct oci_index *index, size_t i,
					  struct oci_archive_images *ret)
{
	for (size_t j = 0; j < ret->n; j++)
		if (digest_equal(&index->entries[ret->items[j].index].digest,
				 &index->entries[i].digest))
			return &ret->items[j];
	ret->items[ret->n].index = i;
	return &ret->items[ret->n++];
}

void oci_archive_images_of_index(const struct oci_index *index, struct oci_archive_images *ret)
{
	*ret = (struct oci_archive_images){0};
	ret->items = xcalloc(index->n + 1, sizeof(*ret->items));
	for (size_t i = 0; i < index->n; i++) {
		struct oci_archive_image *image;

		if (!oci_index_is_image(&index->entries[i]))
			continue;
		image = image_of(index, i, ret);
		if (index->image_names[i])
			add_name(&image->names, index->image_names[i]);
		else if (index->ref_names[i])
			add_name(&image->names, index->ref_names[i]);
	}
}

void oci_archive_images_of_docker(const struct docker_manifest *m, struct oci_archive_images *ret)
{
	*ret = (struct oci_archive_images){0};
	ret->items = xcalloc(m->n + 1, sizeof(*ret->items));
	for (size_t i = 0; i < m->n; i++) {
		ret->items[i].index = i;
		for (size_t j = 0; j < m->images[i].tags.n; j++)
			add_name(&ret->items[i].names, m->images[i].tags.items[j]);
	}
	ret->n = m->n;
}

void oci_archive_images_release(struct oci_archive_images *images)
{
	for (size_t i = 0; i < images->n; i++)
		oci_strings_release(&images->items[i].names);
	free(images->items);
	*images = (struct oci_archive_images){0};
}
