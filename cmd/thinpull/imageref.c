/* SPDX-License-Identifier: Apache-2.0 */
/* Chooses the source by the prefix of a reference and compares references with recorded ones. */
#include "cmd/thinpull/imageref.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "oci/archive.h"
#include "oci/layout.h"
#include "oci/place.h"
#include "pkg/base/alloc.h"
#include "registry/reference.h"
#include "registry/short_name.h"
#include "registry/source.h"

#define IMAGEREF_MIN_DIGITS 12

int imageref_check(const char *text, struct error *err)
{
	if (!*text)
		return error_set(err, ERR_USAGE, "empty reference");
	if (*text == '-')
		return error_set(err, ERR_USAGE, "a reference does not start with '-'");
	for (const unsigned char *p = (const unsigned char *)text; *p; p++)
		if (*p <= ' ' || *p == 0x7f)
			return error_set(err, ERR_USAGE,
					 "spaces or control characters in a reference");
	return 0;
}

static const enum oci_archive_kind archives[] = {OCI_ARCHIVE_LAYOUT, OCI_ARCHIVE_DOCKER};

/* What follows a prefix, or NULL. */
static const char *after(const char *text, const char *prefix)
{
	size_t len = strlen(prefix);

	return strncmp(text, prefix, len) == 0 ? text + len : NULL;
}

bool imageref_is_remote(const char *text)
{
	return after(text, "docker://") != NULL;
}

bool imageref_is_place(const char *text)
{
	return imageref_is_remote(text) || after(text, "oci:") || after(text, "oci-archive:")
	       || after(text, "docker-archive:");
}

char *imageref_full_name(const char *text)
{
	cleanup(reference_release) struct reference r = {0};
	cleanup_free char *whole = NULL;
	struct error ignored = {0};

	if (imageref_check(text, &ignored) < 0 || short_name_expand(text, &whole, &ignored) < 0
	    || reference_parse(whole, &r, &ignored) < 0)
		return NULL;
	return reference_name(&r);
}

bool imageref_same(const char *a, const char *b)
{
	cleanup_free char *x = imageref_full_name(a), *y = imageref_full_name(b);

	return x && y && strcmp(x, y) == 0;
}

int imageref_open_source(const char *text, const struct session_options *options,
			 const char *spool_dir, struct source **ret, struct error *err)
{
	cleanup_free char *whole = NULL;

	if (imageref_check(text, err) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(archives); i++) {
		const char *rest = after(text, oci_archive_prefix(archives[i]));

		if (rest)
			return oci_archive_open_source(rest, archives[i], spool_dir, imageref_same,
						       ret, err);
	}
	if (after(text, "oci:"))
		return oci_layout_open(after(text, "oci:"), ret, err);
	if (short_name_expand(text, &whole, err) < 0)
		return -1;
	return registry_source_open_with(whole, options, ret, err);
}

char *imageref_with_digest(const char *ref, const char *digest)
{
	const char *at = strrchr(ref, '@');
	struct error ignored = {0};
	struct digest named;

	if (at && digest_parse(at + 1, &named, &ignored) == 0)
		return xstrdup(ref);
	return xasprintf("%s@%s", ref, digest);
}

int imageref_new_tag(const char *text, char **ret, struct error *err)
{
	static const char *const prefixes[] = {"oci:", "oci-archive:", "docker-archive:"};
	cleanup(reference_release) struct reference r = {0};
	cleanup_free char *whole = NULL;

	if (imageref_check(text, err) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (after(text, prefixes[i]))
			return error_set(err, ERR_USAGE,
					 "'%s' is for what is pulled; a tag is a name as of a "
					 "registry",
					 prefixes[i]);
	if (short_name_expand(text, &whole, err) < 0 || reference_parse(whole, &r, err) < 0)
		return -1;
	if (r.digest.algorithm != DIGEST_NONE)
		return error_set(err, ERR_USAGE, "a tag cannot have a digest");
	*ret = reference_name(&r);
	return 0;
}

/* --- an image that is here -------------------------------------------------------------------- */

/* From the content, which is the truth: the catalog would look at the whole pool for it. */
struct image_list {
	struct content_image *items;
	size_t n;
	const char *pool;
};

static void image_list_release(struct image_list *list)
{
	content_images_free(list->items, list->n);
}

static int image_list_load(struct store *store, struct image_list *ret, struct error *err)
{
	struct content *content;

	ret->pool = store_pool_name(store);
	if (store_content(store, &content, err) < 0)
		return -1;
	return content_images(content, &ret->items, &ret->n, err);
}

/* The next one of this pool, NULL at the end. @i: counts from 0. */
static const struct content_image *next_image(const struct image_list *list, size_t *i)
{
	while (*i < list->n) {
		const struct content_image *image = &list->items[(*i)++];

		if (strcmp(image->pool, list->pool) == 0)
			return image;
	}
	return NULL;
}

static bool is_digest(const struct digest *d, const char *text)
{
	char own[DIGEST_TEXT_BYTES];

	return strcmp(digest_format(d, own), text) == 0;
}

static bool has_digest(const struct content_image *image, const char *digest)
{
	return is_digest(&image->target, digest) || is_digest(&image->manifest, digest);
}

/* The recorded reference itself, before one that has its digest behind it. */
static const struct content_image *find_by_name(const struct image_list *list, const char *text)
{
	const struct content_image *image;
	size_t i = 0;

	while ((image = next_image(list, &i)))
		if (strcmp(image->ref, text) == 0)
			return image;
	i = 0;
	while ((image = next_image(list, &i))) {
		const char *rest = after(text, image->ref);

		if (rest && *rest == '@' && has_digest(image, rest + 1))
			return image;
	}
	return NULL;
}

/* Is the image of this repository ("docker.io/library/alpine"), under whatever tag? */
static bool is_of_repository(const struct content_image *image, const char *repository, size_t len)
{
	const char *rest = image->ref + len;

	return strncmp(image->ref, repository, len) == 0 && (*rest == ':' || *rest == '@')
	       && !strchr(rest, '/');
}

/* A digest decides over the tag: REPOSITORY@DIGEST is any image of the two. */
static const struct content_image *find_by_digest(const struct image_list *list, const char *text)
{
	const char *at = strrchr(text, '@');
	const struct content_image *image;
	size_t i = 0;

	while (at && (image = next_image(list, &i)))
		if (is_of_repository(image, text, (size_t)(at - text)) && has_digest(image, at + 1))
			return image;
	return NULL;
}

/* In a folder or a file: looked at no further than its name, which may be all that is left. */
static char *normalise_place(const char *text, const char *prefix, enum place_kind kind)
{
	cleanup(place_release) struct place place = {0};
	struct error ignored = {0};
	const char *path = text + strlen(prefix);
	cleanup_free char *cwd = NULL;

	if (place_parse(path, prefix, kind, &place, &ignored) == 0)
		return place_name(&place, prefix);
	if (*path == '/')
		return NULL;
	cwd = getcwd(NULL, 0);
	return cwd ? xasprintf("%s%s/%s", prefix, cwd, path) : NULL;
}

/* The reference as a pull would record it; NULL when it makes no sense to a source. */
static char *normalise(const char *text)
{
	if (after(text, "oci:"))
		return normalise_place(text, "oci:", PLACE_FOLDER);
	for (size_t i = 0; i < ARRAY_SIZE(archives); i++)
		if (after(text, oci_archive_prefix(archives[i])))
			return normalise_place(text, oci_archive_prefix(archives[i]), PLACE_FILE);
	return imageref_full_name(text);
}

/* The hex digits in "sha256:0123456789ab.." or "0123456789ab.."; NULL when it is neither. */
static const char *digest_digits(const char *text)
{
	const char *digits = after(text, "sha256:");

	if (!digits)
		digits = text;
	if (strlen(digits) < IMAGEREF_MIN_DIGITS)
		return NULL;
	return strspn(digits, "0123456789abcdef") == strlen(digits) ? digits : NULL;
}

static bool digest_starts(const struct digest *d, const char *digits)
{
	char text[DIGEST_TEXT_BYTES];

	return strncmp(digest_hex(d, text), digits, strlen(digits)) == 0;
}

/* Returns NULL with *err filled when the digits fit images of different content. */
static const struct content_image *find_by_digits(const struct image_list *list, const char *digits,
						  struct error *err)
{
	const struct content_image *image, *found = NULL;
	size_t i = 0;

	while ((image = next_image(list, &i))) {
		if (!digest_starts(&image->target, digits)
		    && !digest_starts(&image->manifest, digits))
			continue;
		if (found && !digest_equal(&found->manifest, &image->manifest)) {
			error_set(err, ERR_USAGE, "'%s' fits several images", digits);
			return NULL;
		}
		if (!found)
			found = image;
	}
	return found;
}

int imageref_find(struct store *store, const char *text, char **ret_ref, struct error *err)
{
	cleanup(image_list_release) struct image_list list = {0};
	cleanup_free char *normal = NULL;
	const struct content_image *found;
	struct error several = {0};

	if (imageref_check(text, err) < 0 || image_list_load(store, &list, err) < 0)
		return -1;
	found = find_by_name(&list, text);
	if (!found) {
		normal = normalise(text);
		found = normal ? find_by_name(&list, normal) : NULL;
		if (!found && normal)
			found = find_by_digest(&list, normal);
	}
	if (!found && digest_digits(text))
		found = find_by_digits(&list, digest_digits(text), &several);
	if (several.kind != ERR_NONE) {
		*err = several;
		return -1;
	}
	if (!found)
		return error_set(err, ERR_NOT_FOUND, "no such image here");
	*ret_ref = xstrdup(found->ref);
	return 0;
}
