/* SPDX-License-Identifier: Apache-2.0 */
/* The blobs of the content store: durable files under their digest. The list of images is in
 * content_index.c. */
#include "oci/content.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "oci/content_internal.h"
#include "oci/layout_writer.h"
#include "oci/manifest.h"
#include "pkg/base/alloc.h"
#include "pkg/base/fdio.h"
#include "pkg/base/interrupt.h"
#include "pkg/base/log.h"

/* --- files and locks -------------------------------------------------------------------------- */

char *content_path(const struct content *c, const char *name)
{
	return xasprintf("%s/%s", c->dir, name);
}

char *content_blob_path(const struct content *c, const struct digest *d)
{
	char hex[DIGEST_TEXT_BYTES];

	return xasprintf("%s/blobs/%s/%s", c->dir, digest_algorithm_name(d->algorithm),
			 digest_hex(d, hex));
}

static int open_lock(const struct content *c, const char *name, struct error *err)
{
	cleanup_free char *path = content_path(c, name);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	return fd < 0 ? error_sys(err, "open %s", path) : fd;
}

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

int content_lock(struct content *c, struct error *err)
{
	if (c->lock_fd < 0)
		c->lock_fd = open_lock(c, "lock", err);
	if (c->lock_fd < 0)
		return -1;
	return lock_fd(c->lock_fd, LOCK_EX, "lock", err);
}

void content_unlock(struct content *c)
{
	flock(c->lock_fd, LOCK_UN);
}

int content_hold_blobs(struct content *c, struct error *err)
{
	cleanup_fd int fd = -1;

	if (c->blobs_fd >= 0)
		return 0;
	fd = open_lock(c, "blobs.lock", err);
	if (fd < 0 || lock_fd(fd, LOCK_SH, "blobs.lock", err) < 0)
		return -1;
	c->blobs_fd = steal_fd(&fd);
	return 0;
}

void content_release_blobs(struct content *c)
{
	if (c->blobs_fd >= 0)
		close(c->blobs_fd);
	c->blobs_fd = -1;
}

/* --- opening ---------------------------------------------------------------------------------- */

static bool exists(const struct content *c, const char *name)
{
	cleanup_free char *path = content_path(c, name);

	return access(path, F_OK) == 0;
}

static int write_if_missing(struct content *c, const char *name, const char *text,
			    struct error *err)
{
	cleanup_free char *path = content_path(c, name);

	return exists(c, name) ? 0 : fdio_replace_file(path, text, strlen(text), err);
}

static int make_files(struct content *c, struct error *err)
{
	if (write_if_missing(c, "index.json", "{\"schemaVersion\":2,\"manifests\":[]}\n", err) < 0)
		return -1;
	return write_if_missing(c, "oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}\n", err);
}

/* oci-layout is written last: where it is, all is there, and nothing needs to be writable. */
static int make_folder(struct content *c, struct error *err)
{
	cleanup_free char *blobs = content_path(c, "blobs/sha256");
	int rc;

	if (exists(c, "oci-layout"))
		return 0;
	if (fdio_mkdirs(blobs, err) < 0 || content_lock(c, err) < 0)
		return -1;
	rc = make_files(c, err);
	content_unlock(c);
	return rc;
}

int content_open(const char *dir, struct content **ret, struct error *err)
{
	cleanup(content_close_ptr) struct content *c = xcalloc(1, sizeof(*c));

	c->dir = xstrdup(dir);
	c->lock_fd = -1;
	c->blobs_fd = -1;
	if (make_folder(c, err) < 0)
		return error_wrap(err, "content");
	*ret = steal(&c);
	return 0;
}

void content_close(struct content *c)
{
	if (!c)
		return;
	content_release_blobs(c);
	if (c->lock_fd >= 0)
		close(c->lock_fd);
	free(c->dir);
	free(c);
}

/* --- blobs ------------------------------------------------------------------------------------ */

/* One that is there but damaged is written again, or no pull could ever repair it. */
static bool is_intact(const char *path, const struct digest *d, size_t len)
{
	cleanup_buffer struct buffer have = {0};
	struct error err = {0};
	struct digest got;

	if (fdio_read_file(path, len, &have, &err) < 0 || have.len != len)
		return false;
	digest_of(d->algorithm, have.data, have.len, &got);
	return digest_equal(&got, d);
}

static int write_blob(struct content *c, const struct digest *d, const void *data, size_t len,
		      struct error *err)
{
	cleanup_free char *path = content_blob_path(c, d);
	cleanup_free char *folder =
		xasprintf("%s/blobs/%s", c->dir, digest_algorithm_name(d->algorithm));

	if (is_intact(path, d, len))
		return 0;
	if (fdio_mkdirs(folder, err) < 0)
		return -1;
	return fdio_replace_file(path, data, len, err);
}

int content_put(struct content *c, const struct digest *d, const void *data, size_t len,
		struct error *err)
{
	int rc;

	if (content_hold_blobs(c, err) < 0 || content_lock(c, err) < 0)
		return error_wrap(err, "content");
	rc = write_blob(c, d, data, len, err);
	content_unlock(c);
	return rc < 0 ? error_wrap(err, "content") : 0;
}

int content_get(struct content *c, const struct digest *d, struct buffer *ret, struct error *err)
{
	cleanup_free char *path = content_blob_path(c, d);
	cleanup_buffer struct buffer bytes = {0};
	char text[DIGEST_TEXT_BYTES];
	struct digest got;

	if (fdio_read_file(path, OCI_DOCUMENT_MAX_BYTES, &bytes, err) < 0) {
		if (err->kind == ERR_NOT_FOUND)
			error_set(err, ERR_NOT_FOUND, "content has no %s", digest_format(d, text));
		return -1;
	}
	digest_of(d->algorithm, bytes.data, bytes.len, &got);
	if (!digest_equal(&got, d))
		return error_set(err, ERR_VERIFICATION, "content: blob %s is damaged",
				 digest_format(d, text));
	buffer_clear(ret);
	buffer_add(ret, bytes.data, bytes.len);
	return 0;
}

/* --- temporary files -------------------------------------------------------------------------- */

static bool is_temporary(const char *name)
{
	return strstr(name, ".tmp.") != NULL;
}

static void remove_temporary_in(const struct content *c, const char *name)
{
	cleanup_free char *folder = content_path(c, name);
	DIR *dir = opendir(folder);
	struct dirent *entry;

	if (!dir)
		return;
	while ((entry = readdir(dir)))
		if (is_temporary(entry->d_name)) {
			log_debug("mending: %s/%s was left unfinished", folder, entry->d_name);
			unlinkat(dirfd(dir), entry->d_name, 0);
		}
	closedir(dir);
}

/* Those are written under the lock only; a blob that is kept has a lock of its own meanwhile. */
void content_remove_temporary(struct content *c)
{
	remove_temporary_in(c, ".");
	remove_temporary_in(c, "blobs/sha256");
	remove_temporary_in(c, "blobs/sha512");
	layout_writer_mend(c->dir);
}

void content_mend(struct content *c)
{
	struct error ignored = {0};

	if (c->lock_fd < 0)
		c->lock_fd = open_lock(c, "lock", &ignored);
	if (c->lock_fd < 0 || flock(c->lock_fd, LOCK_EX | LOCK_NB) < 0)
		return;
	content_remove_temporary(c);
	content_unlock(c);
}

/* --- sweeping --------------------------------------------------------------------------------- */

struct digest_list {
	struct digest *items;
	size_t n, room;
};

static void keep(struct digest_list *list, const struct digest *d)
{
	ALLOC_GROW(list->items, list->n + 1, list->room);
	list->items[list->n++] = *d;
}

static int compare_digests(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct digest));
}

static int keep_image(struct content *c, const struct content_image *image,
		      struct digest_list *list, struct error *err)
{
	cleanup_buffer struct buffer bytes = {0};
	struct oci_manifest m;

	keep(list, &image->target);
	keep(list, &image->manifest);
	if (content_get(c, &image->manifest, &bytes, err) < 0
	    || oci_manifest_parse(bytes.data, bytes.len, "manifest", &m, err) < 0)
		return error_wrap(err, "%s", image->ref);
	keep(list, &m.config.digest);
	for (size_t i = 0; i < m.n_layers; i++)
		keep(list, &m.layers[i].digest);
	oci_manifest_release(&m);
	return 0;
}

static int list_kept(struct content *c, struct digest_list *list, struct error *err)
{
	struct content_image *images;
	size_t n;
	int rc = 0;

	if (content_images(c, &images, &n, err) < 0)
		return -1;
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = keep_image(c, &images[i], list, err);
	content_images_free(images, n);
	if (list->n > 0)
		qsort(list->items, list->n, sizeof(*list->items), compare_digests);
	return rc;
}

/* A name that is neither a blob nor a temporary file of ours is left alone. */
static bool is_garbage(const struct digest_list *kept, const char *algorithm, const char *name)
{
	cleanup_free char *text = xasprintf("%s:%s", algorithm, name);
	struct error err = {0};
	struct digest d;

	if (is_temporary(name))
		return true;
	if (digest_parse(text, &d, &err) < 0)
		return false;
	return kept->n == 0 || !bsearch(&d, kept->items, kept->n, sizeof(d), compare_digests);
}

static int sweep_folder(struct content *c, const struct digest_list *kept, const char *algorithm,
			struct error *err)
{
	cleanup_free char *folder = xasprintf("%s/blobs/%s", c->dir, algorithm);
	DIR *dir = opendir(folder);
	struct dirent *entry;
	int rc = 0;

	if (!dir)
		return errno == ENOENT ? 0 : error_sys(err, "open folder %s", folder);
	while (rc == 0 && (entry = readdir(dir))) {
		cleanup_free char *path = xasprintf("%s/%s", folder, entry->d_name);

		if (entry->d_name[0] != '.' && is_garbage(kept, algorithm, entry->d_name))
			rc = fdio_remove(path, err);
	}
	closedir(dir);
	return rc;
}

static int sweep_locked(struct content *c, struct error *err)
{
	struct digest_list kept = {0};
	int rc = list_kept(c, &kept, err);

	if (rc == 0)
		rc = sweep_folder(c, &kept, "sha256", err);
	if (rc == 0)
		rc = sweep_folder(c, &kept, "sha512", err);
	free(kept.items);
	return rc;
}

int content_sweep(struct content *c, struct error *err)
{
	cleanup_fd int fd = -1;
	int rc;

	content_release_blobs(c);
	fd = open_lock(c, "blobs.lock", err);
	if (fd < 0)
		return -1;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		log_debug("content: not swept, an image is being added");
		return 0;
	}
	if (content_lock(c, err) < 0)
		return -1;
	rc = sweep_locked(c, err);
	content_unlock(c);
	return rc < 0 ? error_wrap(err, "sweep content") : 0;
}
