/* SPDX-License-Identifier: Apache-2.0 */
/* Files under a temporary name, locked while they are written, and index.json, replaced whole. */
#include "oci/layout_writer.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "oci/document.h"
#include "oci/layout.h"
#include "oci/manifest.h"
#include "pkg/base/alloc.h"
#include "pkg/base/fdio.h"
#include "pkg/base/interrupt.h"
#include "pkg/json/jdoc.h"

#define KEY_REF "org.opencontainers.image.ref.name"

struct layout_writer {
	char *dir;
	int fd; /* of the folder: locked while index.json is changed; -1: for blobs alone */
};

/* --- the folder ------------------------------------------------------------------------------- */

static int lock_fd(int fd, int how, const char *name, struct error *err)
{
	while (flock(fd, how) < 0) {
		if (errno != EINTR)
			return error_sys(err, "lock %s", name);
		if (interrupt_check(err) < 0)
			return -1;
	}
	return 0;
}

/* Of fdio_replace_file(), left by a kill: these files are written only by who has the lock. */
static bool is_left_over(const char *name)
{
	static const char *const begins[] = {"oci-layout.tmp.", "index.json.tmp."};

	for (size_t i = 0; i < ARRAY_SIZE(begins); i++)
		if (strncmp(name, begins[i], strlen(begins[i])) == 0)
			return true;
	return false;
}

/* Whether nothing of anybody's is in it. */
static int clear_folder(const char *path, bool *ret_empty, struct error *err)
{
	DIR *dir = opendir(path);
	struct dirent *entry;

	if (!dir)
		return error_sys(err, "open folder %s", path);
	*ret_empty = true;
	while ((entry = readdir(dir)))
		if (is_left_over(entry->d_name))
			unlinkat(dirfd(dir), entry->d_name, 0);
		else if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			*ret_empty = false;
	closedir(dir);
	return 0;
}

static int write_text(const struct layout_writer *w, const char *name, const char *text,
		      struct error *err)
{
	cleanup_free char *path = xasprintf("%s/%s", w->dir, name);

	return fdio_replace_file(path, text, strlen(text), err);
}

/* oci-layout is written first: a folder with that is ours, or somebody's, to go on with. */
static int make_layout(struct layout_writer *w, struct error *err)
{
	cleanup_free char *marker = xasprintf("%s/oci-layout", w->dir);
	cleanup_free char *index = xasprintf("%s/index.json", w->dir);
	bool empty = false;

	if (clear_folder(w->dir, &empty, err) < 0)
		return -1;
	if (access(marker, F_OK) < 0) {
		if (!empty)
			return error_set(err, ERR_USAGE, "%s is no image layout, and not empty",
					 w->dir);
		if (write_text(w, "oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}\n", err) < 0)
			return -1;
	}
	if (oci_layout_check(w->dir, err) < 0)
		return -1;
	if (access(index, F_OK) == 0)
		return 0;
	return write_text(w, "index.json", "{\"schemaVersion\":2,\"manifests\":[]}\n", err);
}

int layout_writer_open(const char *dir, struct layout_writer **ret, struct error *err)
{
	cleanup(layout_writer_close_ptr) struct layout_writer *w = xcalloc(1, sizeof(*w));
	int rc;

	w->dir = xstrdup(dir);
	w->fd = -1;
	if (fdio_mkdirs(dir, err) < 0)
		return -1;
	w->fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (w->fd < 0)
		return error_sys(err, "open folder %s", dir);
	if (lock_fd(w->fd, LOCK_EX, dir, err) < 0)
		return -1;
	rc = make_layout(w, err);
	flock(w->fd, LOCK_UN);
	if (rc < 0)
		return -1;
	*ret = steal(&w);
	return 0;
}

struct layout_writer *layout_writer_for_blobs(const char *dir)
{
	struct layout_writer *w = xcalloc(1, sizeof(*w));

	w->dir = xstrdup(dir);
	w->fd = -1;
	return w;
}

void layout_writer_close(struct layout_writer *w)
{
	if (!w)
		return;
	if (w->fd >= 0)
		close(w->fd);
	free(w->dir);
	free(w);
}

/* --- blobs ------------------------------------------------------------------------------------ */

static char *folder_of(const struct layout_writer *w, const struct oci_descriptor *d)
{
	return xasprintf("%s/blobs/%s", w->dir, digest_algorithm_name(d->digest.algorithm));
}

/* @before, @after: of its name. */
static char *path_of(const struct layout_writer *w, const struct oci_descriptor *d,
		     const char *before, const char *after)
{
	cleanup_free char *folder = folder_of(w, d);
	char hex[DIGEST_TEXT_BYTES];

	return xasprintf("%s/%s%s%s", folder, before, digest_hex(&d->digest, hex), after);
}

static char *blob_path(const struct layout_writer *w, const struct oci_descriptor *d)
{
	return path_of(w, d, "", "");
}

static char *part_path(const struct layout_writer *w, const struct oci_descriptor *d)
{
	return path_of(w, d, ".", ".part");
}

char *layout_writer_spool_dir(const struct layout_writer *w)
{
	return xasprintf("%s/blobs/.spool", w->dir);
}

bool layout_writer_has(const struct layout_writer *w, const struct oci_descriptor *d)
{
	cleanup_free char *path = blob_path(w, d);
	cleanup(stream_close_ptr) struct stream *in = NULL;
	struct error ignored = {0};

	return stream_open_file(path, &in, &ignored) == 0
	       && stream_verify(&in, &d->digest, d->size_bytes, "blob", &ignored) == 0
	       && stream_finish(in, &ignored) == 0;
}

/* Whether the file still has this name: who wrote it before may have given it another one. */
static bool is_at(int fd, const char *path)
{
	struct stat here, there;

	return fstat(fd, &here) == 0 && lstat(path, &there) == 0 && here.st_ino == there.st_ino
	       && here.st_dev == there.st_dev;
}

/* The file of a blob that is being written, locked, and empty whoever began it. */
static int open_part(const char *path, int *ret_fd, struct error *err)
{
	for (;;) {
		cleanup_fd int fd =
			open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);

		if (fd < 0)
			return error_sys(err, "create %s", path);
		if (lock_fd(fd, LOCK_EX, path, err) < 0)
			return -1;
		if (!is_at(fd, path))
			continue;
		if (ftruncate(fd, 0) < 0)
			return error_sys(err, "empty %s", path);
		*ret_fd = steal_fd(&fd);
		return 0;
	}
}

int layout_writer_begin(struct layout_writer *w, const struct oci_descriptor *d, int *ret_fd,
			struct error *err)
{
	cleanup_free char *folder = folder_of(w, d), *path = part_path(w, d);
	int fd = -1;

	*ret_fd = -1;
	if (d->digest.algorithm == DIGEST_NONE)
		return error_set(err, ERR_UNSUPPORTED, "a digest of an unknown algorithm");
	if (layout_writer_has(w, d))
		return 0;
	if (fdio_mkdirs(folder, err) < 0 || open_part(path, &fd, err) < 0)
		return -1;
	/* Somebody else may have finished it while this one waited. */
	if (layout_writer_has(w, d))
		layout_writer_abort(w, d, &fd);
	*ret_fd = fd;
	return 0;
}

int layout_writer_commit(struct layout_writer *w, const struct oci_descriptor *d, int *fd,
			 struct error *err)
{
	cleanup_free char *from = part_path(w, d), *to = blob_path(w, d), *folder = folder_of(w, d);

	if (fsync(*fd) < 0) {
		error_sys(err, "write %s", from);
		layout_writer_abort(w, d, fd);
		return -1;
	}
	if (rename(from, to) < 0) {
		error_sys(err, "rename %s", from);
		layout_writer_abort(w, d, fd);
		return -1;
	}
	close(*fd);
	*fd = -1;
	return fdio_sync_dir(folder, err);
}

void layout_writer_abort(struct layout_writer *w, const struct oci_descriptor *d, int *fd)
{
	cleanup_free char *path = part_path(w, d);

	unlink(path);
	close(*fd);
	*fd = -1;
}

int layout_writer_adopt(struct layout_writer *w, const struct oci_descriptor *d, int fd,
			const char *path, struct error *err)
{
	cleanup_free char *folder = folder_of(w, d), *to = blob_path(w, d);

	if (fdio_mkdirs(folder, err) < 0)
		return -1;
	if (fsync(fd) < 0)
		return error_sys(err, "write %s", path);
	/* With the lock nobody removes the name, so that none but this file can have it. */
	if (lock_fd(fd, LOCK_EX, path, err) < 0)
		return -1;
	if (!is_at(fd, path))
		return 1;
	if (rename(path, to) < 0)
		return errno == EXDEV ? 1 : error_sys(err, "rename %s", path);
	return fdio_sync_dir(folder, err);
}

static int copy_into(int fd, const char *dir, struct stream *in, struct error *err)
{
	const uint8_t *data;
	size_t len;
	int status;

	while ((status = stream_peek(in, &data, &len, err)) == 0) {
		if (interrupt_check(err) < 0 || fdio_write(fd, data, len, dir, err) < 0)
			return -1;
		stream_advance(in, len);
	}
	return status < 0 ? -1 : stream_finish(in, err);
}

int layout_writer_copy(struct layout_writer *w, const struct oci_descriptor *d, struct stream **in,
		       struct error *err)
{
	int fd, rc;

	if (layout_writer_begin(w, d, &fd, err) < 0)
		return -1;
	if (fd < 0)
		return 0;
	rc = stream_verify(in, &d->digest, d->size_bytes, "blob", err);
	if (rc == 0)
		rc = copy_into(fd, w->dir, *in, err);
	if (rc < 0) {
		layout_writer_abort(w, d, &fd);
		return -1;
	}
	return layout_writer_commit(w, d, &fd, err);
}

int layout_writer_put(struct layout_writer *w, const struct oci_descriptor *d, const void *data,
		      size_t len, struct error *err)
{
	int fd;

	if (layout_writer_begin(w, d, &fd, err) < 0)
		return -1;
	if (fd < 0)
		return 0;
	if (fdio_write(fd, data, len, w->dir, err) < 0) {
		layout_writer_abort(w, d, &fd);
		return -1;
	}
	return layout_writer_commit(w, d, &fd, err);
}

/* A file that nobody has locked is nobody's. */
static void remove_part(int folder, const char *name)
{
	cleanup_fd int fd = openat(folder, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
		unlinkat(folder, name, 0);
}

static void mend_folder(const char *dir, enum digest_algorithm algorithm)
{
	cleanup_free char *path = xasprintf("%s/blobs/%s", dir, digest_algorithm_name(algorithm));
	DIR *folder = opendir(path);
	struct dirent *entry;

	if (!folder)
		return;
	while ((entry = readdir(folder))) {
		const char *dot = strrchr(entry->d_name, '.');

		if (entry->d_name[0] == '.' && strcmp(dot, ".part") == 0)
			remove_part(dirfd(folder), entry->d_name);
	}
	closedir(folder);
}

void layout_writer_mend(const char *dir)
{
	mend_folder(dir, DIGEST_SHA256);
	mend_folder(dir, DIGEST_SHA512);
}

/* --- the index -------------------------------------------------------------------------------- */

static bool has_name(struct jval entry, const char *name)
{
	struct error ignored = {0};
	struct jval notes;
	const char *text;

	return jdoc_is_object(entry)
	       && jdoc_object(entry, "annotations", JDOC_OPTIONAL, &notes, &ignored) == 0
	       && jdoc_present(notes)
	       && jdoc_string(notes, KEY_REF, JDOC_OPTIONAL, &text, &ignored) == 0 && text
	       && strcmp(text, name) == 0;
}

static void add_entry(struct jout *o, const struct oci_descriptor *d, const char *name)
{
	char text[DIGEST_TEXT_BYTES];

	jout_object(o, NULL);
	jout_string(o, "mediaType", d->media_type_text);
	jout_string(o, "digest", digest_format(&d->digest, text));
	jout_uint(o, "size", d->size_bytes);
	jout_object(o, "annotations");
	jout_string(o, KEY_REF, name);
	jout_end_object(o);
	jout_end_object(o);
}

/* Entries in their order, the new one last; members that are not understood stay. */
static int change_index(struct jval root, const struct oci_descriptor *d, const char *name,
			struct jout *o, struct error *err)
{
	struct jval entries, value;
	void *iter = NULL;
	const char *key;

	if (oci_document_check(root, MEDIA_INDEX, err) < 0
	    || jdoc_array(root, "manifests", JDOC_REQUIRED, &entries, err) < 0)
		return -1;
	jout_object(o, NULL);
	while (jdoc_each(root, &iter, &key, &value)) {
		if (strcmp(key, "manifests") != 0) {
			jout_copy(o, key, value);
			continue;
		}
		jout_array(o, key);
		for (size_t i = 0; i < jdoc_length(entries); i++)
			if (!has_name(jdoc_at(entries, i), name))
				jout_copy(o, NULL, jdoc_at(entries, i));
		add_entry(o, d, name);
		jout_end_array(o);
	}
	jout_end_object(o);
	buffer_add(&o->text, "\n", 1);
	return 0;
}

int layout_index_add(const void *json, size_t len, const struct oci_descriptor *d, const char *name,
		     struct buffer *ret, struct error *err)
{
	cleanup(jdoc_free_ptr) struct jdoc *doc = NULL;
	cleanup(jout_release) struct jout o = {0};

	if (jdoc_parse(json, len, "index.json", &doc, err) < 0
	    || change_index(jdoc_root(doc), d, name, &o, err) < 0)
		return -1;
	buffer_add(ret, o.text.data, o.text.len);
	return 0;
}

static int name_locked(struct layout_writer *w, const struct oci_descriptor *d, const char *name,
		       struct error *err)
{
	cleanup_free char *path = xasprintf("%s/index.json", w->dir);
	cleanup_buffer struct buffer before = {0}, after = {0};

	if (fdio_read_file(path, OCI_DOCUMENT_MAX_BYTES, &before, err) < 0
	    || layout_index_add(before.data, before.len, d, name, &after, err) < 0)
		return -1;
	if (after.len > OCI_DOCUMENT_MAX_BYTES)
		return error_set(err, ERR_UNSUPPORTED, "index.json: no room for one more image");
	return fdio_replace_file(path, after.data, after.len, err);
}

int layout_writer_name(struct layout_writer *w, const struct oci_descriptor *d, const char *name,
		       struct error *err)
{
	int rc;

	assert(w->fd >= 0);
	if (lock_fd(w->fd, LOCK_EX, w->dir, err) < 0)
		return -1;
	rc = name_locked(w, d, name, err);
	flock(w->fd, LOCK_UN);
	return rc;
}
