/* SPDX-License-Identifier: Apache-2.0 */
/* gzip members by hand, only the deflate data is ISA-L's. */
#include "tests/support/gzip.h"

#include <stdlib.h>

#include <isa-l/crc.h>
#include <isa-l/igzip_lib.h>

#include "pkg/base/alloc.h"
#include "pkg/base/bytes.h"

void gzip_put_header(struct buffer *to, uint8_t flags)
{
	const uint8_t header[10] = {0x1f, 0x8b, 8, flags, 0, 0, 0, 0, 0, 255};

	buffer_add(to, header, sizeof(header));
}

void gzip_put_deflate(struct buffer *to, const void *data, size_t len)
{
	struct isal_zstream *z = xcalloc(1, sizeof(*z));
	size_t room = len + len / 100 + 1024;

	isal_deflate_stateless_init(z);
	z->next_in = (uint8_t *)data;
	z->avail_in = (uint32_t)len;
	z->end_of_stream = 1;
	z->next_out = buffer_reserve(to, room);
	z->avail_out = (uint32_t)room;
	if (isal_deflate_stateless(z) != COMP_OK)
		abort();
	buffer_grew(to, room - z->avail_out);
	free(z);
}

void gzip_put_trailer(struct buffer *to, const void *data, size_t len)
{
	uint8_t trailer[8];

	put_le32(trailer, crc32_gzip_refl(0, data, len));
	put_le32(trailer + 4, (uint32_t)len);
	buffer_add(to, trailer, sizeof(trailer));
}

void gzip_put_member(struct buffer *to, const void *data, size_t len)
{
	gzip_put_header(to, 0);
	gzip_put_deflate(to, data, len);
	gzip_put_trailer(to, data, len);
}
