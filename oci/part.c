/* SPDX-License-Identifier: Apache-2.0 */
/* A file that is locked, hashed as far as it goes, and continued. */
#include "oci/part_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/fdio.h"
#include "pkg/base/log.h"

enum {
	LOOK_MS = 50, /* how soon it is noticed that nobody wants it any more */
	HASH_BYTES = 1 << 20,
};

static void part_release(struct part *p)
{
	if (p->fd >= 0)
		close(p->fd);
	hash_free(p->hash);
	pieces_release(&p->pieces);
	pthread_mutex_destroy(&p->lock);
	pthread_cond_destroy(&p->changed);
	free(p->path);
}

char *part_path(const char *dir, const struct oci_descriptor *blob)
{
	char hex[DIGEST_TEXT_BYTES];

	return xasprintf("%s/%s-%s-%llu.part", dir, digest_algorithm_name(blob->digest.algorithm),
			 digest_hex(&blob->digest, hex), (unsigned long long)blob->size_bytes);
}

int part_go_on(const struct part *p, struct error *err)
{
	return p->watch->go_on(p->watch->arg, err);
}

uint64_t part_bytes(struct part *p)
{
	uint64_t bytes;

	pthread_mutex_lock(&p->lock);
	bytes = pieces_bytes(&p->pieces);
	pthread_mutex_unlock(&p->lock);
	return bytes;
}

void part_tell(struct part *p)
{
	uint64_t bytes = part_bytes(p);

	if (bytes != p->told)
		p->watch->progress(bytes, p->watch->arg);
	p->told = bytes;
}

int part_wait_ms(const struct part *p, long ms, struct error *err)
{
	for (; ms > 0; ms -= LOOK_MS) {
		struct timespec t = {.tv_nsec = (ms < LOOK_MS ? ms : LOOK_MS) * 1000000L};

		if (part_go_on(p, err) < 0)
			return -1;
		nanosleep(&t, NULL);
	}
	return part_go_on(p, err);
}

/* --- the file --------------------------------------------------------------------------------- */

static int lock(const struct part *p, int fd, struct error *err)
{
	bool told = false;

	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return error_sys(err, "lock %s", p->path);
		if (!told)
			log_debug("spool: %s: somebody else fetches it", p->path);
		told = true;
		if (part_wait_ms(p, LOOK_MS, err) < 0)
			return -1;
	}
	return 0;
}

/* Whether the file still has its name. */
static bool is_at(int fd, const char *path)
{
	struct stat here, there;

	return fstat(fd, &here) == 0 && lstat(path, &there) == 0 && here.st_ino == there.st_ino
	       && here.st_dev == there.st_dev;
}

static int find_pieces(struct part *p, int fd, struct error *err)
{
	const struct part_lines *lines = p->watch->lines;
	uint64_t piece_bytes = !lines		    ? 0
			       : lines->piece_bytes ? lines->piece_bytes
						    : PART_PIECE_BYTES;

	pieces_release(&p->pieces);
	pieces_init(&p->pieces, p->blob->size_bytes, piece_bytes);
	return pieces_find(&p->pieces, fd, p->path, err);
}

/* Without a name it will do if it is whole: who had it locked needs it no more. */
static int open_part(struct part *p, struct stat *ret, struct error *err)
{
	for (;;) {
		cleanup_fd int fd =
			open(p->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);

		if (fd < 0)
			return error_sys(err, "create %s", p->path);
		if (lock(p, fd, err) < 0)
			return -1;
		if (fstat(fd, ret) < 0)
			return error_sys(err, "stat %s", p->path);
		if (!S_ISREG(ret->st_mode))
			return error_set(err, ERR_INVALID, "%s is no regular file", p->path);
		if (find_pieces(p, fd, err) < 0)
			return -1;
		if (part_bytes(p) != p->blob->size_bytes && !is_at(fd, p->path))
			continue;
		p->fd = steal_fd(&fd);
		return 0;
	}
}

int part_start_over(struct part *p, struct error *err)
{
	if (ftruncate(p->fd, 0) < 0)
		return error_sys(err, "empty %s", p->path);
	hash_free(p->hash);
	p->hash = hash_new(p->blob->digest.algorithm);
	p->hashed = 0;
	p->is_joined = false;
	pieces_release(&p->pieces);
	pieces_init(&p->pieces, p->blob->size_bytes, 0);
	return 0;
}

static uint64_t prefix(struct part *p)
{
	uint64_t bytes;

	pthread_mutex_lock(&p->lock);
	bytes = pieces_prefix(&p->pieces);
	pthread_mutex_unlock(&p->lock);
	return bytes;
}

int part_hash(struct part *p, struct error *err)
{
	uint64_t end = prefix(p);
	cleanup_free uint8_t *buf = p->hashed < end ? xmalloc(HASH_BYTES) : NULL;

	while (p->hashed < end) {
		uint64_t rest = end - p->hashed;
		size_t len = rest < HASH_BYTES ? (size_t)rest : HASH_BYTES;

		if (part_go_on(p, err) < 0
		    || fdio_pread(p->fd, buf, len, p->hashed, p->path, err) < 0)
			return -1;
		hash_update(p->hash, buf, len);
		p->hashed += len;
	}
	return 0;
}

/* What is there of it, locked and hashed. */
static int begin(struct part *p, struct error *err)
{
	struct stat st;

	if (open_part(p, &st, err) < 0)
		return -1;
	p->hash = hash_new(p->blob->digest.algorithm);
	if ((uint64_t)st.st_size > p->blob->size_bytes)
		return part_start_over(p, err);
	p->is_joined = part_bytes(p) > 0;
	if (!p->is_joined)
		return 0;
	log_debug("spool: %s: %llu of %llu bytes are there", p->path,
		  (unsigned long long)part_bytes(p), (unsigned long long)p->blob->size_bytes);
	part_tell(p);
	return part_hash(p, err);
}

/* --- the blob --------------------------------------------------------------------------------- */

/* Once: there is no hash afterwards. */
static int verify(struct part *p, struct error *err)
{
	char is_text[DIGEST_TEXT_BYTES], want_text[DIGEST_TEXT_BYTES];
	struct digest is;

	hash_final(p->hash, &is);
	if (digest_equal(&is, &p->blob->digest))
		return 0;
	return error_set(err, ERR_VERIFICATION, "blob is %.79s, %.79s is expected",
			 digest_format(&is, is_text), digest_format(&p->blob->digest, want_text));
}

/* What came first may be wrong: spoiled by a power failure, or from a mirror that lies. */
static int fetch_whole(struct part *p, struct error *err)
{
	if (part_transfer(p, err) == 0 && verify(p, err) == 0)
		return 0;
	if (!p->is_joined || err->kind != ERR_VERIFICATION)
		return -1;
	log_debug("spool: %s; fetched anew, from the beginning", err->cause);
	error_clear(err);
	if (part_start_over(p, err) < 0 || part_transfer(p, err) < 0)
		return -1;
	return verify(p, err);
}

static bool is_worth_keeping(struct part *p, const struct error *err)
{
	return part_bytes(p) > 0 && err->kind != ERR_VERIFICATION && err->kind != ERR_INVALID
	       && err->kind != ERR_NO_SPACE;
}

int part_fetch(const char *dir, struct source *source, const struct oci_descriptor *blob,
	       const struct part_watch *watch, struct part_got *ret, struct error *err)
{
	cleanup(part_release) struct part p = {
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.changed = PTHREAD_COND_INITIALIZER,
		.source = source,
		.blob = blob,
		.watch = watch,
		.path = part_path(dir, blob),
		.fd = -1,
	};

	if (blob->digest.algorithm == DIGEST_NONE)
		return error_set(err, ERR_UNSUPPORTED,
				 "its digest is of an unknown algorithm and cannot be verified");
	if (begin(&p, err) < 0 || fetch_whole(&p, err) < 0) {
		if (p.fd >= 0 && !is_worth_keeping(&p, err) && is_at(p.fd, p.path))
			unlink(p.path);
		return -1;
	}
	if (lseek(p.fd, 0, SEEK_SET) < 0)
		return error_sys(err, "rewind %s", p.path);
	/* From here on others may read it, too. */
	flock(p.fd, LOCK_UN);
	ret->fd = steal_fd(&p.fd);
	ret->fetched_bytes = p.fetched;
	return 0;
}

/* --- tidying ---------------------------------------------------------------------------------- */

static void remove_free(const char *path)
{
	cleanup_fd int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 && is_at(fd, path))
		unlink(path);
}

struct found {
	char *path;
	uint64_t bytes;
	time_t written;
};

static int compare_newest_first(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	return x->written < y->written	 ? 1
	       : x->written > y->written ? -1
					 : strcmp(x->path, y->path);
}

static struct found *list_parts(const char *dir, size_t *ret_n)
{
	struct found *list = NULL;
	size_t n = 0, room = 0;
	DIR *folder = opendir(dir);
	struct dirent *entry;
	struct stat st;

	while (folder && (entry = readdir(folder))) {
		const char *dot = strrchr(entry->d_name, '.');

		if (!dot || strcmp(dot, ".part") != 0
		    || fstatat(dirfd(folder), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		ALLOC_GROW(list, n + 1, room);
		list[n++] = (struct found){
			.path = xasprintf("%s/%s", dir, entry->d_name),
			.bytes = (uint64_t)st.st_blocks * 512, /* it may have holes */
			.written = st.st_mtime,
		};
	}
	if (folder)
		closedir(folder);
	*ret_n = n;
	return list;
}

void part_tidy(const char *dir, long max_age_s, uint64_t max_bytes)
{
	size_t n;
	struct found *list = list_parts(dir, &n);
	time_t now = time(NULL);
	uint64_t bytes = 0;

	if (n > 0)
		qsort(list, n, sizeof(*list), compare_newest_first);
	for (size_t i = 0; i < n; i++) {
		bytes += list[i].bytes;
		if (bytes > max_bytes || now - list[i].written > max_age_s)
			remove_free(list[i].path);
		free(list[i].path);
	}
	free(list);
}

void part_drop(const char *dir, const struct oci_descriptor *blob)
{
	cleanup_free char *path = part_path(dir, blob);

	remove_free(path);
}
