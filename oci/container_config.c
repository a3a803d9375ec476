/* SPDX-License-Identifier: Apache-2.0 */
/* By the manifest that the container was made from: its reference may stand for another by now. */
#include "oci/container_config.h"

#include "oci/container_internal.h"
#include "oci/manifest.h"

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
	/* Closed in reverse order. */
	cleanup(snapshots_close_ptr) struct snapshots *session = NULL;
	cleanup(thin_volume_close_ptr) struct thin_volume *volume = NULL;
	cleanup(ext4_reader_close_ptr) struct ext4_reader *fs = NULL;
	struct bundle_options own = *options;

	if (!own.hostname)
		own.hostname = c->entry.name;
	own.read_only = own.read_only || c->entry.read_only;
	if (read_runconfig(c->store, &c->entry.manifest, &image, err) < 0
	    || container_open_volume(c, &session, &volume, err) < 0
	    || ext4_reader_open(volume, &fs, err) < 0)
		return -1;
	return bundle_config(&image, fs, &own, ret, err);
}
