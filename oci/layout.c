/* SPDX-License-Identifier: Apache-2.0 */
/* An image layout folder as a source. Trusts nothing in it: blobs must be regular files. */
#include "oci/layout.h"

#include <stdlib.h>
#include <string.h>

#include "oci/layout_choose.h"
#include "oci/manifest.h"
#include "pkg/base/alloc.h"
#include "pkg/base/fdio.h"
#include "pkg/json/jdoc.h"

enum { LAYOUT_FILE_MAX_BYTES = 4096 };

static const char prefix[] = "oci:";

struct layout_source {
	struct source source;
	char *dir;
	struct oci_descriptor chosen;
};

int oci_layout_split(const char *text, char **ret_dir, char **ret_name, struct error *err)
{
	cleanup_free char *given = NULL, *dir = NULL;
	size_t len;

	if (place_check(text, prefix, err) < 0)
		return error_wrap(err, "oci:%s", text);
	len = place_path_length(text, PLACE_FOLDER);
	if (len == 0)
		len = strcspn(text, ":");
	if (len == 0 || (text[len] && (text[len] != ':' || !text[len + 1])))
		return error_set(err, ERR_USAGE, "oci:%s: oci:DIR[:NAME] is expected", text);
	given = xstrndup(text, len);
	if (place_absolute(given, &dir, err) < 0)
		return -1;
	if (!jout_is_text(text))
		return error_set(err, ERR_UNSUPPORTED, "oci:%s: the name is not UTF-8", text);
	*ret_name = text[len] ? xstrdup(text + len + 1) : NULL;
	*ret_dir = steal(&dir);
	return 0;
}

/* --- the folder ------------------------------------------------------------------------------- */

static char *blob_path(const char *dir, const struct digest *d)
{
	char hex[DIGEST_TEXT_BYTES];

	return xasprintf("%s/blobs/%s/%s", dir, digest_algorithm_name(d->algorithm),
			 digest_hex(d, hex));
}

int oci_layout_check_mark(const void *json, size_t len, struct error *err)
{
	cleanup(jdoc_free_ptr) struct jdoc *doc = NULL;
	const char *version;

	if (jdoc_parse(json, len, "oci-layout", &doc, err) < 0
	    || jdoc_string(jdoc_root(doc), "imageLayoutVersion", JDOC_REQUIRED, &version, err) < 0)
		return -1;
	if (strcmp(version, "1.0.0") != 0)
		return error_set(err, ERR_INVALID,
				 "oci-layout.imageLayoutVersion: '%.60s', 1.0.0 is expected",
				 version);
	return 0;
}

int oci_layout_check(const char *dir, struct error *err)
{
	cleanup_free char *path = xasprintf("%s/oci-layout", dir);
	cleanup_buffer struct buffer text = {0};

	if (fdio_read_file(path, LAYOUT_FILE_MAX_BYTES, &text, err) < 0) {
		if (err->kind == ERR_NOT_FOUND)
			error_set(err, ERR_NOT_FOUND,
				  "not an OCI image layout: it has no file oci-layout");
		return -1;
	}
	return oci_layout_check_mark(text.data, text.len, err);
}

int oci_layout_read_index(const char *dir, struct oci_index *ret, struct error *err)
{
	cleanup_free char *path = xasprintf("%s/index.json", dir);
	cleanup_buffer struct buffer text = {0};

	if (oci_layout_check(dir, err) < 0
	    || fdio_read_file(path, OCI_DOCUMENT_MAX_BYTES, &text, err) < 0)
		return -1;
	return oci_index_parse(text.data, text.len, "index.json", ret, err);
}

static int read_blob(void *arg, const struct digest *d, struct buffer *ret, struct error *err)
{
	cleanup_free char *path = blob_path(arg, d);

	return fdio_read_file(path, OCI_DOCUMENT_MAX_BYTES, ret, err);
}

static int find_image(const struct place *place, struct oci_descriptor *ret, struct error *err)
{
	struct oci_index index;
	int rc;

	if (oci_layout_read_index(place->path, &index, err) < 0)
		return -1;
	rc = layout_choose(&index, place, read_blob, place->path, ret, err);
	oci_index_release(&index);
	return rc;
}

/* --- the source ------------------------------------------------------------------------------- */

static int layout_resolve(struct source *s, struct oci_descriptor *ret, struct buffer *ret_bytes,
			  struct error *err)
{
	(void)ret_bytes;
	(void)err;
	*ret = ((struct layout_source *)s)->chosen;
	return 0;
}

static int layout_fetch(struct source *s, const struct oci_descriptor *d, struct stream **ret,
			struct error *err)
{
	cleanup_free char *path = blob_path(((struct layout_source *)s)->dir, &d->digest);
	char text[DIGEST_TEXT_BYTES];

	if (stream_open_file(path, ret, err) == 0)
		return 0;
	if (err->kind == ERR_NOT_FOUND)
		error_set(err, ERR_NOT_FOUND, "no blob %s in the layout",
			  digest_format(&d->digest, text));
	return -1;
}

static void layout_close(struct source *s)
{
	struct layout_source *l = (struct layout_source *)s;

	free(l->dir);
	free(l->source.name);
	free(l);
}

int oci_layout_open(const char *text, struct source **ret, struct error *err)
{
	static const struct source_ops ops = {layout_resolve, layout_fetch, layout_close, NULL};
	cleanup(place_release) struct place place = {0};
	struct oci_descriptor chosen;
	struct layout_source *l;

	if (place_parse(text, prefix, PLACE_FOLDER, &place, err) < 0)
		return error_wrap(err, "oci:%s", text);
	if (find_image(&place, &chosen, err) < 0)
		return error_wrap(err, "oci:%s", place.path);
	l = xcalloc(1, sizeof(*l));
	l->source.ops = &ops;
	l->source.local = true;
	l->source.name = place_name(&place, prefix);
	l->dir = steal(&place.path);
	l->chosen = chosen;
	*ret = &l->source;
	return 0;
}
