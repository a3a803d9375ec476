/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Extracts a raw ext4 image into a folder, which is made with a mode of 0700, and prints what was
 * lost: KIND, count and first example, with tabs between.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#include "pkg/base/interrupt.h"
#include "pkg/ext4/extract.h"
#include "pkg/thin/raw.h"

static int extract(const char *image, const char *folder, struct ext4_extract_lost *ret,
		   struct error *err)
{
	cleanup(thin_volume_close_ptr) struct thin_volume *volume = NULL;
	cleanup(ext4_reader_close_ptr) struct ext4_reader *r = NULL;
	cleanup_fd int fd = -1;

	if (thin_raw_open(image, false, &volume, err) < 0 || ext4_reader_open(volume, &r, err) < 0)
		return error_wrap(err, "%s", image);
	if (mkdir(folder, 0700) < 0)
		return error_sys(err, "make folder %s", folder);
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return error_sys(err, "open folder %s", folder);
	return ext4_extract(r, fd, ret, err);
}

int main(int argc, char **argv)
{
	static const char *const kinds[EXT4_LOST_KINDS] = {
		[EXT4_LOST_OWNER] = "owner",	       [EXT4_LOST_DEVICE] = "device",
		[EXT4_LOST_CAPABILITY] = "capability", [EXT4_LOST_ACL] = "acl",
		[EXT4_LOST_XATTR] = "xattr",	       [EXT4_LOST_SETGID] = "setgid",
	};
	struct ext4_extract_lost lost;
	struct error err = {0};
	char text[1024];

	if (argc != 3) {
		fprintf(stderr, "usage: ext4_extract IMAGE FOLDER\n");
		return 3;
	}
	interrupt_install();
	if (extract(argv[1], argv[2], &lost, &err) < 0) {
		error_text(&err, text, sizeof(text));
		fprintf(stderr, "ext4_extract: %s: %s\n", error_kind_name(err.kind), text);
		return 1;
	}
	for (size_t i = 0; i < EXT4_LOST_KINDS; i++)
		if (lost.of[i].n > 0)
			printf("%s\t%" PRIu64 "\t%s\n", kinds[i], lost.of[i].n, lost.of[i].first);
	return 0;
}
