/* SPDX-License-Identifier: Apache-2.0 */
/* An image layout folder as a source. Trusts nothing in it: blobs must be regular files. */
#include "oci/layout.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "oci/document.h"
#include "oci/index.h"
#include "oci/manifest.h"
#include "pkg/base/alloc.h"
#include "pkg/base/fdio.h"
#include "pkg/json/jdoc.h"

enum { LAYOUT_FILE_MAX_BYTES = 4096 };

/* What of a folder is meant; at most one of ref and index. */
struct selection {
	char *ref;
	bool has_index;
	size_t index;
	struct digest digest; /* decides over the others */
};

struct layout_source {
	struct source source;
	char *dir;
	struct oci_descriptor chosen;
};

/* --- the reference ---------------------------------------------------------------------------- */

static bool is_folder(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* The length of the longest beginning of text that is a folder, 0 if none is. */
static size_t folder_length(const char *text)
{
	cleanup_free char *path = xstrdup(text);

	for (size_t len = strlen(text); len > 0; len--) {
		if (text[len] && text[len] != ':' && text[len] != '@')
			continue;
		path[len] = '\0';
		if (is_folder(path))
			return len;
	}
	return 0;
}

static int check_characters(const char *text, struct error *err)
{
	for (const char *p = text; *p; p++)
		if (isspace((unsigned char)*p) || iscntrl((unsigned char)*p))
			return error_set(err, ERR_USAGE,
					 "a reference has no spaces or control characters");
	if (!*text || *text == '-')
		return error_set(err, ERR_USAGE, "oci:DIR[:REF] is expected");
	return 0;
}

static int parse_index(const char *digits, struct selection *sel, struct error *err)
{
	char *end;

	errno = 0;
	sel->index = strtoul(digits, &end, 10);
	if (!isdigit((unsigned char)*digits) || *end || errno)
		return error_set(err, ERR_USAGE, "'@%.80s' is neither an index nor a digest",
				 digits);
	sel->has_index = true;
	return 0;
}

/* What follows the folder: [:REF|:@INDEX|@INDEX][@DIGEST]. */
static int parse_selection(const char *text, struct selection *sel, struct error *err)
{
	cleanup_free char *rest = xstrdup(text);
	char *at = strrchr(rest, '@');

	if (at && strchr(at, ':')) {
		if (digest_parse(at + 1, &sel->digest, err) < 0) {
			err->kind = ERR_USAGE;
			return -1;
		}
		*at = '\0';
	}
	if (!*rest)
		return 0;
	if (rest[0] == '@')
		return parse_index(rest + 1, sel, err);
	if (rest[1] == '@')
		return parse_index(rest + 2, sel, err);
	if (!rest[1])
		return error_set(err, ERR_USAGE, "nothing follows the ':' after the folder");
	sel->ref = xstrdup(rest + 1);
	return 0;
}

/* --- the recorded name ------------------------------------------------------------------------ */

static bool has_parent_part(const char *path)
{
	for (const char *p = path; (p = strstr(p, "..")); p += 2)
		if ((p == path || p[-1] == '/') && (p[2] == '/' || !p[2]))
			return true;
	return false;
}

/* Drop empty and "." parts of an absolute path, in place. */
static void tidy_path(char *path)
{
	char *to = path;

	for (const char *p = path; *p;) {
		size_t len;

		p += strspn(p, "/");
		len = strcspn(p, "/");
		if (len > 0 && !(len == 1 && *p == '.')) {
			*to++ = '/';
			memmove(to, p, len);
			to += len;
		}
		p += len;
	}
	if (to == path)
		*to++ = '/';
	*to = '\0';
}

/* Links stay as they were given; only ".." needs the real path to be right. */
static int absolute(const char *dir, char **ret, struct error *err)
{
	cleanup_free char *path = NULL;

	if (has_parent_part(dir)) {
		path = realpath(dir, NULL);
		if (!path)
			return error_sys(err, "resolve %s", dir);
	} else if (dir[0] == '/') {
		path = xstrdup(dir);
	} else {
		cleanup_free char *cwd = getcwd(NULL, 0);

		if (!cwd)
			return error_sys(err, "get the current folder");
		path = xasprintf("%s/%s", cwd, dir);
	}
	tidy_path(path);
	*ret = steal(&path);
	return 0;
}

int oci_layout_split(const char *text, char **ret_dir, char **ret_name, struct error *err)
{
	cleanup_free char *given = NULL, *dir = NULL;
	size_t len;

	if (check_characters(text, err) < 0)
		return error_wrap(err, "oci:%s", text);
	len = folder_length(text);
	if (len == 0)
		len = strcspn(text, ":");
	if (len == 0 || (text[len] && (text[len] != ':' || !text[len + 1])))
		return error_set(err, ERR_USAGE, "oci:%s: oci:DIR[:NAME] is expected", text);
	given = xstrndup(text, len);
	if (absolute(given, &dir, err) < 0)
		return -1;
	if (!jout_is_text(text))
		return error_set(err, ERR_UNSUPPORTED, "oci:%s: the name is not UTF-8", text);
	*ret_name = text[len] ? xstrdup(text + len + 1) : NULL;
	*ret_dir = steal(&dir);
	return 0;
}

static char *recorded_name(const char *dir, const struct selection *sel)
{
	struct buffer name = {0};
	char text[DIGEST_TEXT_BYTES];

	buffer_printf(&name, "oci:%s", dir);
	if (sel->ref)
		buffer_printf(&name, ":%s", sel->ref);
	if (sel->has_index)
		buffer_printf(&name, "@%zu", sel->index);
	if (sel->digest.algorithm != DIGEST_NONE)
		buffer_printf(&name, "@%s", digest_format(&sel->digest, text));
	return buffer_detach(&name);
}

/* --- the folder ------------------------------------------------------------------------------- */

static char *blob_path(const char *dir, const struct digest *d)
{
	char hex[DIGEST_TEXT_BYTES];

	return xasprintf("%s/blobs/%s/%s", dir, digest_algorithm_name(d->algorithm),
			 digest_hex(d, hex));
}

int oci_layout_check(const char *dir, struct error *err)
{
	cleanup_free char *path = xasprintf("%s/oci-layout", dir);
	cleanup_buffer struct buffer text = {0};
	cleanup(jdoc_free_ptr) struct jdoc *doc = NULL;
	const char *version;

	if (fdio_read_file(path, LAYOUT_FILE_MAX_BYTES, &text, err) < 0) {
		if (err->kind == ERR_NOT_FOUND)
			error_set(err, ERR_NOT_FOUND,
				  "not an OCI image layout: it has no file oci-layout");
		return -1;
	}
	if (jdoc_parse(text.data, text.len, "oci-layout", &doc, err) < 0
	    || jdoc_string(jdoc_root(doc), "imageLayoutVersion", JDOC_REQUIRED, &version, err) < 0)
		return -1;
	if (strcmp(version, "1.0.0") != 0)
		return error_set(err, ERR_INVALID,
				 "oci-layout.imageLayoutVersion: '%.60s', 1.0.0 is expected",
				 version);
	return 0;
}

static int read_index(const char *dir, struct oci_index *ret, struct error *err)
{
	cleanup_free char *path = xasprintf("%s/index.json", dir);
	cleanup_buffer struct buffer text = {0};

	if (fdio_read_file(path, OCI_DOCUMENT_MAX_BYTES, &text, err) < 0)
		return -1;
	return oci_index_parse(text.data, text.len, "index.json", ret, err);
}

/* --- choosing --------------------------------------------------------------------------------- */

static int list_names(const struct oci_index *index, const char *problem, struct error *err)
{
	cleanup_buffer struct buffer list = {0};

	for (size_t i = 0; i < index->n && list.len < 150; i++) {
		const char *name = index->ref_names[i];

		if (!oci_index_is_image(&index->entries[i]))
			continue;
		if (name)
			buffer_printf(&list, " :%s", name);
		else
			buffer_printf(&list, " @%zu", i);
	}
	return error_set(err, ERR_USAGE, "%s; choose one of:%s", problem, (char *)list.data);
}

static int choose_only(const struct oci_index *index, struct oci_descriptor *ret, struct error *err)
{
	size_t found = index->n, count = 0;

	for (size_t i = 0; i < index->n; i++)
		if (oci_index_is_image(&index->entries[i])) {
			found = i;
			count++;
		}
	if (count == 0)
		return oci_index_no_image(index, "layout", err);
	if (count > 1)
		return list_names(index, "the layout has several images", err);
	*ret = index->entries[found];
	return 0;
}

/* 0 = found, 1 = no entry has the name. */
static int choose_named(const struct oci_index *index, char *const *names, const char *ref,
			struct oci_descriptor *ret, struct error *err)
{
	bool found = false;

	for (size_t i = 0; i < index->n; i++) {
		if (!names[i] || strcmp(names[i], ref) != 0)
			continue;
		if (found)
			return error_set(err, ERR_INVALID,
					 "index.json has several entries named '%s'", ref);
		*ret = index->entries[i];
		found = true;
	}
	return found ? 0 : 1;
}

static int choose_ref(const struct oci_index *index, const char *ref, struct oci_descriptor *ret,
		      struct error *err)
{
	int rc = choose_named(index, index->ref_names, ref, ret, err);

	if (rc == 1)
		rc = choose_named(index, index->image_names, ref, ret, err);
	return rc == 1 ? error_set(err, ERR_NOT_FOUND, "no image named '%s' in the layout", ref)
		       : rc;
}

/* A document that no entry lists, but that is there: its own bytes must say what it is. */
static int choose_blob(const char *dir, const struct digest *digest, struct oci_descriptor *ret,
		       struct error *err)
{
	cleanup_free char *path = blob_path(dir, digest);
	cleanup_buffer struct buffer text = {0};
	struct oci_descriptor d = {.digest = *digest};
	char name[DIGEST_TEXT_BYTES];

	if (fdio_read_file(path, OCI_DOCUMENT_MAX_BYTES, &text, err) < 0) {
		if (err->kind == ERR_NOT_FOUND)
			error_set(err, ERR_NOT_FOUND, "no %s in the layout",
				  digest_format(digest, name));
		return -1;
	}
	if (oci_document_sniff(text.data, text.len, digest_format(digest, name), &d.media_type,
			       d.media_type_text, sizeof(d.media_type_text), err)
	    < 0)
		return -1;
	if (d.media_type == MEDIA_UNKNOWN && !d.media_type_text[0])
		return error_set(err, ERR_INVALID, "%s is neither a manifest nor an index", name);
	if (!d.media_type_text[0])
		snprintf(d.media_type_text, sizeof(d.media_type_text), "%s",
			 oci_document_default_type(d.media_type));
	d.size_bytes = text.len;
	*ret = d;
	return 0;
}

static int choose(const char *dir, const struct selection *sel, const struct oci_index *index,
		  struct oci_descriptor *ret, struct error *err)
{
	if (sel->digest.algorithm != DIGEST_NONE) {
		for (size_t i = 0; i < index->n; i++)
			if (digest_equal(&index->entries[i].digest, &sel->digest)) {
				*ret = index->entries[i];
				return 0;
			}
		return choose_blob(dir, &sel->digest, ret, err);
	}
	if (sel->has_index && sel->index >= index->n)
		return error_set(err, ERR_NOT_FOUND, "the layout has no entry %zu, only %zu",
				 sel->index, index->n);
	if (sel->has_index) {
		*ret = index->entries[sel->index];
		return 0;
	}
	return sel->ref ? choose_ref(index, sel->ref, ret, err) : choose_only(index, ret, err);
}

static int find_image(const char *dir, const struct selection *sel, struct oci_descriptor *ret,
		      struct error *err)
{
	struct oci_index index;
	int rc;

	if (oci_layout_check(dir, err) < 0 || read_index(dir, &index, err) < 0)
		return -1;
	rc = choose(dir, sel, &index, ret, err);
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

static int open_folder(const char *text, size_t len, struct selection *sel, struct source **ret,
		       struct error *err)
{
	static const struct source_ops ops = {layout_resolve, layout_fetch, layout_close};
	cleanup_free char *given = xstrndup(text, len), *dir = NULL;
	struct oci_descriptor chosen;
	struct layout_source *l;

	if (parse_selection(text + len, sel, err) < 0 || absolute(given, &dir, err) < 0)
		return -1;
	if (find_image(dir, sel, &chosen, err) < 0)
		return error_wrap(err, "oci:%s", dir);
	/* Its name is recorded as JSON, and must come back from there as it is. */
	if (!jout_is_text(dir))
		return error_set(err, ERR_UNSUPPORTED, "oci:%s: the folder's name is not UTF-8",
				 dir);
	l = xcalloc(1, sizeof(*l));
	l->source.ops = &ops;
	l->source.local = true;
	l->source.name = recorded_name(dir, sel);
	l->dir = steal(&dir);
	l->chosen = chosen;
	*ret = &l->source;
	return 0;
}

int oci_layout_open(const char *text, struct source **ret, struct error *err)
{
	struct selection sel = {0};
	size_t len;
	int rc;

	if (check_characters(text, err) < 0)
		return error_wrap(err, "oci:%s", text);
	len = folder_length(text);
	if (len == 0)
		return error_set(err, ERR_NOT_FOUND, "oci:%s: no such folder", text);
	rc = open_folder(text, len, &sel, ret, err);
	free(sel.ref);
	return rc;
}
