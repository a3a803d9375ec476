/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Undoes one level of compression as for a layer: `stream_cat FILE` prints what comes out. Exit
 * status 1 and one line on stderr when it is refused.
 */
#include <stdio.h>

#include "pkg/stream/stream.h"

static int cat(const char *path, struct error *err)
{
	cleanup(stream_close_ptr) struct stream *s = NULL;
	enum stream_codec codec;
	const uint8_t *piece;
	size_t n;
	int rc;

	if (stream_open_file(path, &s, err) < 0 || stream_sniff(s, &codec, err) < 0
	    || stream_decompress(&s, codec, UINT64_MAX / 2, err) < 0)
		return -1;
	while ((rc = stream_peek(s, &piece, &n, err)) == 0) {
		if (fwrite(piece, 1, n, stdout) != n)
			return error_sys(err, "write");
		stream_advance(s, n);
	}
	return rc < 0 ? -1 : stream_finish(s, err);
}

int main(int argc, char **argv)
{
	struct error err = {0};
	char text[1024];

	if (argc != 2)
		return 2;
	if (cat(argv[1], &err) < 0) {
		error_text(&err, text, sizeof(text));
		fprintf(stderr, "%s\n", text);
		return 1;
	}
	return fflush(stdout) == 0 ? 0 : 2;
}
