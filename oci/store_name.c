/* SPDX-License-Identifier: Apache-2.0 */
/* Other names for what is there: a second reference to an image, a new name of a container. */
#include <stdlib.h>
#include <string.h>

#include "oci/container.h"
#include "oci/container.h"
#include "oci/store_internal.h"
#include "pkg/base/alloc.h"

static void free_image_ptr(struct content_image **image)
{
	if (*image)
		content_images_free(*image, 1);
}

int store_tag_image(struct store *s, const char *ref, const char *new_ref, struct error *err)
{
	cleanup(snapshots_close_ptr) struct snapshots *snapshots = NULL;
	cleanup(free_image_ptr) struct content_image *image = NULL;
	struct content *content;

	/* Under the pool's lock, so that nobody removes it, and with it its layers, meanwhile. */
	if (store_write(s, &snapshots, err) < 0 || store_find_image(s, ref, &image, err) < 0
	    || store_content(s, &content, err) < 0)
		return -1;
	if (strcmp(ref, new_ref) == 0)
		return 0;
	free(image->ref);
	image->ref = xstrdup(new_ref);
	return content_set_image(content, image, err);
}

int store_rename_container(struct store *s, const char *name, const char *new_name,
			   struct error *err)
{
	cleanup(container_close_ptr) struct container *held = NULL;
	cleanup(container_state_release) struct container_state state = {0};
	cleanup(snapshots_close_ptr) struct snapshots *snapshots = NULL;

	if (!store_is_name(new_name))
		return error_set(err, ERR_USAGE,
				 "'%.60s' is not a name: letters, digits, and _.- after the first",
				 new_name);
	/* Whoever holds a container goes on calling it by the name that it had. */
	if (container_open(s, name, &held, err) < 0
	    || container_state(s, container_entry(held), &state, err) < 0)
		return -1;
	/* Its mount point may have the name, which the next one of that name would use, too. */
	if (state.mount_point)
		return error_set(err, ERR_BUSY, "container %s is mounted on %s", name,
				 state.mount_point);
	if (store_write(s, &snapshots, err) < 0)
		return -1;
	return snapshots_rename_container(snapshots, name, new_name, err);
}
