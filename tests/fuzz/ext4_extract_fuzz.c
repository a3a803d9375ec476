/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small file system with damaged metadata, as for the reader, extracted into a folder: nothing
 * around the folder may change, and all of it can be removed again.
 *
 *   byte 0          odd: make all checksums hold again, as a guest that owns the volume can
 *   then 4 bytes    which of the metadata blocks, offset in it (16 bits), new value; repeated
 *
 * The host's side is $TMPDIR/UNIQUE/{around/{out/,file},link}; of all but out the times of the last
 * change are compared.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/ext4/extract.h"
#include "pkg/host/folder.h"
#include "tests/support/ext4_sample.h"

enum { RECORD_BYTES = 4, RECORDS_MAX = 256 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *host;
static int host_fd;

static void need(bool ok, const char *what)
{
	if (!ok) {
		perror(what);
		abort();
	}
}

static void remove_host(void)
{
	struct error err;

	if (folder_remove(host, &err) < 0)
		fprintf(stderr, "left behind: %s\n", host);
	free(host);
}

static void make_host(void)
{
	const char *tmp = getenv("TMPDIR");
	int fd;

	host = xasprintf("%s/ext4-extract-fuzz.XXXXXX", tmp ? tmp : "/tmp");
	need(mkdtemp(host), host);
	atexit(remove_host);
	host_fd = open(host, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	need(host_fd >= 0 && mkdirat(host_fd, "around", 0755) == 0
		     && symlinkat("around/file", host_fd, "link") == 0,
	     "make around");
	fd = openat(host_fd, "around/file", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	need(fd >= 0 && close(fd) == 0, "make around/file");
}

static struct timespec changed(const char *path)
{
	struct stat st;

	need(fstatat(host_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0, path);
	return st.st_ctim;
}

static void extract(struct thin_volume *volume, struct error *err)
{
	cleanup(ext4_reader_close_ptr) struct ext4_reader *r = NULL;
	cleanup_fd int fd = openat(host_fd, "around/out", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct ext4_extract_lost lost;

	need(fd >= 0, "around/out");
	if (ext4_reader_open(volume, &r, err) == 0 && ext4_extract(r, fd, &lost, err) == 0)
		return;
	need(err->kind != ERR_NONE, "an error without a kind");
}

static void extract_and_look_around(struct thin_volume *volume)
{
	static const char *const paths[] = {".", "link", "around", "around/file"};
	cleanup_free char *out = xasprintf("%s/around/out", host);
	struct timespec before[ARRAY_SIZE(paths)], after;
	struct error err = {0};

	need(mkdir(out, 0700) == 0, out);
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		before[i] = changed(paths[i]);
	extract(volume, &err);
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		after = changed(paths[i]);
		need(memcmp(&before[i], &after, sizeof(after)) == 0, "something around changed");
	}
	need(folder_remove(out, &err) == 0, err.cause);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct ext4_sample whole;
	struct ext4_sample copy;

	if (size < 1)
		return 0;
	if (!whole.v) {
		whole = ext4_sample_make();
		make_host();
	}
	copy = ext4_sample_copy(&whole);
	for (size_t at = 1; at + RECORD_BYTES <= size && at < RECORDS_MAX * RECORD_BYTES;
	     at += RECORD_BYTES)
		ext4_sample_poke(&copy, data[at] % copy.n,
				 (size_t)(data[at + 1] | data[at + 2] << 8), data[at + 3]);
	if (data[0] & 1)
		ext4_sample_sign(&copy);
	extract_and_look_around(&copy.v->volume);
	memory_volume_free(copy.v);
	return 0;
}
