/* SPDX-License-Identifier: Apache-2.0 */
/* By tag, by number, or the only one. */
#include "oci/docker_choose.h"

#include <string.h>

static bool is_same(oci_archive_same_fn *same, const char *a, const char *b)
{
	return strcmp(a, b) == 0 || (same && same(a, b));
}

static bool has_tag(const struct docker_image *image, const char *ref, oci_archive_same_fn *same)
{
	for (size_t i = 0; i < image->tags.n; i++)
		if (is_same(same, image->tags.items[i], ref))
			return true;
	return false;
}

static int list_images(const struct docker_manifest *m, struct error *err)
{
	cleanup_buffer struct buffer list = {0};

	for (size_t i = 0; i < m->n && list.len < 150; i++)
		if (m->images[i].tags.n)
			buffer_printf(&list, " :%s", m->images[i].tags.items[0]);
		else
			buffer_printf(&list, " @%zu", i);
	return error_set(err, ERR_USAGE, "several images are in it; choose one of:%s",
			 (char *)list.data);
}

static int choose_by_tag(const struct docker_manifest *m, const char *ref,
			 oci_archive_same_fn *same, size_t *ret, struct error *err)
{
	size_t found = m->n;

	for (size_t i = 0; i < m->n; i++) {
		if (!has_tag(&m->images[i], ref, same))
			continue;
		if (found < m->n)
			return error_set(err, ERR_INVALID, "several images are called '%.120s'",
					 ref);
		found = i;
	}
	if (found == m->n)
		return error_set(err, ERR_NOT_FOUND, "no image named '%.120s' in it", ref);
	*ret = found;
	return 0;
}

int docker_choose(const struct docker_manifest *m, const struct place *place,
		  oci_archive_same_fn *same, size_t *ret, struct error *err)
{
	if (m->n == 0)
		return error_set(err, ERR_NOT_FOUND, "no images in it");
	if (place->ref)
		return choose_by_tag(m, place->ref, same, ret, err);
	if (place->has_index && place->index >= m->n)
		return error_set(err, ERR_NOT_FOUND, "it has no image %zu, only %zu", place->index,
				 m->n);
	if (!place->has_index && m->n > 1)
		return list_images(m, err);
	*ret = place->has_index ? place->index : 0;
	return 0;
}
