/* SPDX-License-Identifier: Apache-2.0 */
/* Looks at the first bytes, and spools what cannot be read in place. */
#include "oci/archive_input.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "pkg/base/cleanup.h"
#include "pkg/base/fdio.h"
#include "pkg/stream/stream.h"

enum {
	SPOOL_CHECK_BYTES = 64 << 20,
	/* What is left to others: a small archive may well unpack to more than there is room for. */
	SPOOL_KEEP_BYTES = 256 << 20,
};

/* A regular file that is read from its beginning: its size, else 0. */
static uint64_t file_bytes(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || lseek(fd, 0, SEEK_CUR) != 0)
		return 0;
	return (uint64_t)st.st_size;
}

static int check_room(int fd, struct error *err)
{
	struct statvfs fs;

	if (fstatvfs(fd, &fs) < 0)
		return error_sys(err, "ask for free space");
	if ((uint64_t)fs.f_bavail * fs.f_frsize >= SPOOL_KEEP_BYTES)
		return 0;
	return error_set(err, ERR_NO_SPACE,
			 "the archive does not fit where it is unpacked: less than %d MiB are left",
			 SPOOL_KEEP_BYTES >> 20);
}

static int copy(struct stream *in, int fd, uint64_t *ret_bytes, struct error *err)
{
	uint64_t bytes = 0, checked = 0;
	const uint8_t *piece;
	size_t n;
	int rc;

	while ((rc = stream_peek(in, &piece, &n, err)) == 0) {
		if (bytes >= checked) {
			if (check_room(fd, err) < 0)
				return -1;
			checked = bytes + SPOOL_CHECK_BYTES;
		}
		if (fdio_pwrite(fd, piece, n, bytes, "the spool", err) < 0)
			return -1;
		bytes += n;
		stream_advance(in, n);
	}
	if (rc < 0 || stream_finish(in, err) < 0)
		return -1;
	*ret_bytes = bytes;
	return 0;
}

static int spool(struct stream **in, const char *dir, int *ret_fd, uint64_t *ret_bytes,
		 struct error *err)
{
	cleanup_fd int fd = -1;

	if (!dir)
		dir = getenv("TMPDIR");
	if (fdio_open_nameless(dir && *dir ? dir : "/var/tmp", &fd, err) < 0
	    || copy(*in, fd, ret_bytes, err) < 0)
		return -1;
	*ret_fd = steal_fd(&fd);
	return 0;
}

int oci_archive_input(int fd, const char *name, const char *spool_dir, int *ret_fd,
		      uint64_t *ret_bytes, struct error *err)
{
	uint64_t in_place = file_bytes(fd), bytes = in_place;
	cleanup(stream_close_ptr) struct stream *in = NULL;
	enum stream_codec codec = STREAM_PLAIN;
	cleanup_fd int own = fd;

	in = in_place ? stream_from_range(own, 0, in_place, name)
		      : stream_from_fd(steal_fd(&own), name);
	if (stream_sniff(in, &codec, err) < 0)
		return error_wrap(err, "%s", name);
	if ((codec != STREAM_PLAIN || !in_place)
	    && (stream_decompress_archive(&in, codec, INT64_MAX, err) < 0
		|| spool(&in, spool_dir, &fd, &bytes, err) < 0))
		return error_wrap(err, "%s", name);
	if (codec == STREAM_PLAIN && in_place)
		fd = steal_fd(&own);
	if (bytes == 0) {
		close(fd);
		return error_set(err, ERR_INVALID, "%s: nothing in it, not a byte", name);
	}
	*ret_fd = fd;
	*ret_bytes = bytes;
	return 0;
}
