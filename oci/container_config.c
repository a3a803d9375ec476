/* SPDX-License-Identifier: Apache-2.0 */
/* By the manifest that the container was made from: its reference may stand for another by now. */
#include "oci/container_config.h"

#include <unistd.h>

#include "oci/container_internal.h"
#include "oci/manifest.h"
#include "pkg/base/log.h"

/* A container's file system for reading. Closed in reverse order. */
struct tree {
	struct snapshots *session;
	struct thin_volume *volume;
	struct ext4_reader *fs;
};

static void tree_close(struct tree *t)
{
	ext4_reader_close(t->fs);
	thin_volume_close(t->volume);
	snapshots_close(t->session);
	*t = (struct tree){0};
}

static int tree_open_once(struct container *c, struct tree *t, struct error *err)
{
	if (container_open_volume(c, &t->session, &t->volume, err) < 0)
		return -1;
	return ext4_reader_open(t->volume, &t->fs, err);
}

/* One that was in use when the machine went down: a kernel mounts it and brings it up to date. */
static int replay_journal(struct container *c, struct error *err)
{
	cleanup_free char *point = NULL;

	log_debug("container %s was not unmounted: mounting it once", c->entry.name);
	if (container_mount(c, NULL, &point, err) < 0)
		return -1;
	return container_unmount(c, err);
}

static int tree_open(struct container *c, struct tree *t, struct error *err)
{
	if (container_check_at_rest(c->store, &c->entry, err) < 0)
		return -1;
	if (tree_open_once(c, t, err) == 0)
		return 0;
	if (err->kind != ERR_UNSUPPORTED || c->entry.place != RECORD_IN_FILE || c->entry.read_only
	    || geteuid() != 0)
		return -1;
	tree_close(t);
	if (replay_journal(c, err) < 0)
		return -1;
	return tree_open_once(c, t, err);
}

static int read_runconfig(struct store *s, const struct digest *manifest_digest,
			  struct oci_runconfig *ret, struct error *err)
{
	cleanup(oci_manifest_release) struct oci_manifest manifest = {0};
	cleanup_buffer struct buffer text = {0};
	struct content *content;

	if (store_content(s, &content, err) < 0
	    || content_get(content, manifest_digest, &text, err) < 0
	    || oci_manifest_parse(text.data, text.len, "manifest", &manifest, err) < 0)
		return -1;
	buffer_clear(&text);
	if (content_get(content, &manifest.config.digest, &text, err) < 0)
		return -1;
	return oci_runconfig_parse(text.data, text.len, "config", ret, err);
}

int container_config(struct container *c, const struct bundle_options *options, struct buffer *ret,
		     struct error *err)
{
	cleanup(oci_runconfig_release) struct oci_runconfig image = {0};
	cleanup(tree_close) struct tree tree = {0};
	struct bundle_options own = *options;

	if (!own.hostname)
		own.hostname = c->entry.name;
	own.read_only = own.read_only || c->entry.read_only;
	if (read_runconfig(c->store, &c->entry.manifest, &image, err) < 0
	    || tree_open(c, &tree, err) < 0)
		return -1;
	return bundle_config(&image, tree.fs, &own, ret, err);
}
