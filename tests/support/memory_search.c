/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the memory through a file, so that neither sanitizers nor guard pages are in the way. */
#include "tests/support/memory_search.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "tests/support/cmocka.h"

enum { PIECE_BYTES = 1 << 20 };

static char letter(unsigned seed, size_t i)
{
	uint64_t x = (seed + 1) * 0x9e3779b97f4a7c15u + i * 0xbf58476d1ce4e5b9u;

	x ^= x >> 31;
	x *= 0x94d049bb133111ebu;
	return "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"[(x >> 33) % 62];
}

char *memory_secret(unsigned seed, size_t len)
{
	char *text = xmalloc(len + 1);

	for (size_t i = 0; i < len; i++)
		text[i] = letter(seed, i);
	text[len] = 0;
	return text;
}

/* Letter by letter: a whole copy to compare with would be found as well. */
static bool is_there(const char *at, unsigned seed, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (at[i] != letter(seed, i))
			return false;
	return true;
}

/* Pieces overlap by what may stand across their border. */
static size_t search_range(int fd, char *piece, uint64_t start, uint64_t end, unsigned seed,
			   size_t len)
{
	size_t found = 0;

	for (uint64_t at = start; at + len <= end; at += PIECE_BYTES - len + 1) {
		size_t want = end - at < PIECE_BYTES ? (size_t)(end - at) : PIECE_BYTES;
		ssize_t n = pread(fd, piece, want, (off_t)at);

		for (ssize_t i = 0; i + (ssize_t)len <= n; i++)
			found += is_there(piece + i, seed, len);
	}
	return found;
}

size_t memory_search(unsigned seed, size_t len)
{
	enum { SHADOW_BYTES = 1 << 30 }; /* of sanitizers, and nothing of ours */
	cleanup_fd int fd = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	FILE *maps = fopen("/proc/self/maps", "re");
	/* Shared memory, which is not searched: what was read must not be found again. */
	char *piece =
		mmap(NULL, PIECE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t start, end;
	char line[512], mode[5];
	size_t found = 0;

	if (fd < 0 || !maps || piece == MAP_FAILED)
		fail_msg("no /proc/self/mem");
	while (fgets(line, sizeof(line), maps))
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s", &start, &end, mode) == 3
		    && !strcmp(mode, "rw-p") && end - start <= SHADOW_BYTES)
			found += search_range(fd, piece, start, end, seed, len);
	fclose(maps);
	munmap(piece, PIECE_BYTES);
	return found;
}
