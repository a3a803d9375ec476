/* SPDX-License-Identifier: Apache-2.0 */
/* import FILE|DIR|-: what is in an archive becomes images, under the names it has there. */
#include "cmd/thinpull/command.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cmd/thinpull/imageref.h"
#include "cmd/thinpull/output.h"
#include "cmd/thinpull/pull.h"
#include "oci/archive.h"
#include "pkg/base/alloc.h"

struct importing {
	const struct context *context;
	struct store *store;
	struct oci_archive *archive;
	struct place place; /* path: NULL for standard input */
	bool is_folder;
	char *tag; /* of --tag, normalised, or NULL */
	size_t done;
	struct jout o;
};

static void importing_release(struct importing *p)
{
	if (p->archive)
		oci_archive_close(p->archive);
	store_close(p->store);
	place_release(&p->place);
	free(p->tag);
	jout_release(&p->o);
}

/* --- the operand ------------------------------------------------------------------------------ */

static const struct {
	const char *text;
	enum oci_archive_kind kind;
	enum place_kind place;
} prefixes[] = {
	{"oci:", OCI_ARCHIVE_LAYOUT, PLACE_FOLDER},
	{"oci-archive:", OCI_ARCHIVE_LAYOUT, PLACE_FILE},
	{"docker-archive:", OCI_ARCHIVE_DOCKER, PLACE_FILE},
	{"", OCI_ARCHIVE_ANY, PLACE_FILE},
};

static bool is_folder(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* A name that is there as it stands may hold anything. */
static int parse_path(struct importing *p, const char *text, size_t prefix, struct error *err)
{
	enum place_kind kind = prefixes[prefix].place;

	if (prefixes[prefix].kind == OCI_ARCHIVE_ANY) {
		if (access(text, F_OK) == 0) {
			p->is_folder = is_folder(text);
			return place_absolute(text, &p->place.path, err);
		}
		if (place_path_length(text, PLACE_FOLDER) > place_path_length(text, PLACE_FILE))
			kind = PLACE_FOLDER;
	}
	p->is_folder = kind == PLACE_FOLDER;
	return place_parse(text, prefixes[prefix].text, kind, &p->place, err);
}

static int open_stdin(struct importing *p, struct error *err)
{
	int fd;

	if (isatty(STDIN_FILENO))
		return error_set(err, ERR_USAGE, "standard input is a terminal, not an archive");
	fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		return error_sys(err, "standard input");
	return oci_archive_open(fd, "standard input", OCI_ARCHIVE_ANY, store_spool_dir(p->store),
				&p->archive, err);
}

static int open_file(struct importing *p, enum oci_archive_kind kind, struct error *err)
{
	int fd = open(p->place.path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return error_sys(err, "open %s", p->place.path);
	return oci_archive_open(fd, p->place.path, kind, store_spool_dir(p->store), &p->archive,
				err);
}

static int open_archive(struct importing *p, const char *text, struct error *err)
{
	size_t i = 0;

	if (*text == '-') {
		if (place_parse_selection(text + 1, &p->place, err) < 0)
			return -1;
		return open_stdin(p, err);
	}
	while (strncmp(text, prefixes[i].text, strlen(prefixes[i].text)) != 0)
		i++;
	if (parse_path(p, text + strlen(prefixes[i].text), i, err) < 0)
		return -1;
	return p->is_folder ? oci_archive_open_folder(p->place.path, &p->archive, err)
			    : open_file(p, prefixes[i].kind, err);
}

/* --- names ------------------------------------------------------------------------------------ */

/* "3.20" is a name inside the layout, "example.org/x:3.20" one that means something elsewhere. */
static char *name_of(const struct importing *p, const char *text)
{
	if (oci_archive_kind(p->archive) == OCI_ARCHIVE_LAYOUT && !strpbrk(text, "/:"))
		return NULL;
	return imageref_full_name(text);
}

/* A pipe is nowhere, even if it has a path, as /dev/fd/63 of a shell's <(...). */
static bool can_be_found_again(const char *path)
{
	struct stat st;

	return path && stat(path, &st) == 0 && (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode));
}

/* By where it is, as pull would call it. */
static char *name_by_place(const struct importing *p, const struct oci_archive_image *image)
{
	struct place place = p->place;
	size_t n;

	if (!can_be_found_again(place.path))
		return NULL;
	(void)oci_archive_images(p->archive, &n);
	if (!place.ref && !place.has_index && image && n > 1) {
		place.has_index = true;
		place.index = image->index;
	}
	return place_name(&place,
			  p->is_folder ? "oci:" : oci_archive_prefix(oci_archive_kind(p->archive)));
}

static void find_names(const struct importing *p, const struct oci_archive_image *image,
		       struct oci_strings *ret)
{
	size_t n = image ? image->names.n : 0;

	ret->items = xcalloc(n + 1, sizeof(*ret->items));
	if (p->tag) {
		ret->items[ret->n++] = xstrdup(p->tag);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		char *name = name_of(p, image->names.items[i]);

		if (name)
			ret->items[ret->n++] = name;
	}
	if (ret->n > 0)
		return;
	ret->items[0] = name_by_place(p, image);
	ret->n = ret->items[0] ? 1 : 0;
}

static int check_names(const struct oci_strings *names, struct error *err)
{
	struct error ignored = {0};

	if (names->n && imageref_check(names->items[0], &ignored) == 0)
		return 0;
	return error_set(err, ERR_USAGE,
			 "the archive does not say what the image is called: --tag REF");
}

/* --- images ----------------------------------------------------------------------------------- */

static int import_source(struct importing *p, struct source *source,
			 const struct oci_strings *names, struct error *err)
{
	struct unpack_result result;

	if (check_names(names, err) < 0)
		return -1;
	source->name = xstrdup(names->items[0]);
	if (pull_source(p->context, p->store, source, &result, err) < 0)
		return -1;
	for (size_t i = 1; i < names->n; i++)
		if (store_tag_image(p->store, names->items[0], names->items[i], err) < 0)
			return error_wrap(err, "tag %s", names->items[i]);
	for (size_t i = 0; i < names->n; i++)
		if (pull_print(p->context, &p->o, &result, names->items[i], err) < 0)
			return -1;
	p->done++;
	return 0;
}

static int import_image(struct importing *p, const struct place *place, struct error *err)
{
	cleanup(source_close_ptr) struct source *source = NULL;
	cleanup(oci_strings_release) struct oci_strings names = {0};
	const struct oci_archive_image *image;

	if (oci_archive_source(p->archive, place, imageref_same, &source, &image, err) < 0)
		return -1;
	find_names(p, image, &names);
	return import_source(p, source, &names, err);
}

static int import_all(struct importing *p, struct error *err)
{
	size_t n;
	const struct oci_archive_image *images = oci_archive_images(p->archive, &n);

	if (n == 0)
		return error_set(err, ERR_NOT_FOUND, "no images in it");
	if (n > 1 && p->tag)
		return error_set(err, ERR_USAGE, "%zu images cannot all be called %s", n, p->tag);
	for (size_t i = 0; i < n; i++) {
		struct place place = {.has_index = true, .index = images[i].index};

		if (import_image(p, &place, err) < 0)
			return error_wrap(err, "image @%zu", images[i].index);
	}
	return 0;
}

static int import_tree(struct importing *p, struct error *err)
{
	cleanup(source_close_ptr) struct source *source = NULL;
	cleanup(oci_strings_release) struct oci_strings names = {0};
	struct oci_platform platform;

	if (p->place.ref || p->place.has_index || p->place.digest.algorithm != DIGEST_NONE)
		return error_set(err, ERR_NOT_FOUND,
				 "the tree of a file system: there is nothing to choose");
	if (!p->tag)
		return error_set(err, ERR_USAGE,
				 "the tree of a file system, without a name: --tag REF");
	if (context_platform(p->context, &platform, err) < 0
	    || oci_archive_tree_source(p->archive, &platform, &source, err) < 0)
		return -1;
	find_names(p, NULL, &names);
	return import_source(p, source, &names, err);
}

/* --- the verb --------------------------------------------------------------------------------- */

static int check(struct importing *p, struct error *err)
{
	const struct args *args = p->context->args;
	const char *tag = args_value(args, "tag");
	struct oci_platform platform;

	if (tag && imageref_new_tag(tag, &p->tag, err) < 0)
		return error_wrap(err, "option --tag");
	return context_platform(p->context, &platform, err);
}

static int import(struct importing *p, struct error *err)
{
	const struct args *args = p->context->args;
	bool all = args_has(args, "all");

	if (check(p, err) < 0 || context_open_store(p->context, &p->store, err) < 0
	    || open_archive(p, args->operands[0], err) < 0)
		return -1;
	if (all && (p->place.ref || p->place.has_index))
		return error_set(err, ERR_USAGE, "all of them, or one of them: not both");
	if (oci_archive_kind(p->archive) == OCI_ARCHIVE_TREE)
		return import_tree(p, err);
	return all ? import_all(p, err) : import_image(p, &p->place, err);
}

int cmd_import(const struct context *context, struct error *err)
{
	cleanup(importing_release) struct importing p = {.context = context};
	int rc;

	jout_array(&p.o, NULL);
	rc = import(&p, err);
	jout_end_array(&p.o);
	if (context->settings->json && (p.done || rc == 0))
		output_json(&p.o);
	return rc < 0 ? error_wrap(err, "import %s", context->args->operands[0]) : 0;
}
