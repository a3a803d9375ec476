/* SPDX-License-Identifier: Apache-2.0 */
/* The stream cut into blocks, and where in it we are. Knows nothing of headers. */
#include <string.h>

#include "pkg/tar/tar_internal.h"

void tar_input_take(struct tar_input *in)
{
	stream_advance(in->stream, in->lent);
	in->offset += in->lent;
	in->lent = 0;
}

int tar_input_peek(struct tar_input *in, uint64_t max, const uint8_t **ret, size_t *ret_len,
		   struct error *err)
{
	size_t n;
	int rc;

	tar_input_take(in);
	rc = stream_peek(in->stream, ret, &n, err);
	if (rc < 0)
		in->failed = true;
	if (rc != 0)
		return rc;
	in->lent = n < max ? n : (size_t)max;
	*ret_len = in->lent;
	return 0;
}

int tar_input_block(struct tar_input *in, uint8_t *block, size_t *ret_len, struct error *err)
{
	size_t have = 0;
	int rc = 0;

	while (have < TAR_BLOCK_BYTES && rc == 0) {
		const uint8_t *piece;
		size_t n;

		rc = tar_input_peek(in, TAR_BLOCK_BYTES - have, &piece, &n, err);
		if (rc < 0)
			return -1;
		if (rc == 0) {
			memcpy(block + have, piece, n);
			have += n;
		}
	}
	tar_input_take(in);
	*ret_len = have;
	return 0;
}

int tar_input_skip(struct tar_input *in, uint64_t n, uint64_t *ret_skipped, struct error *err)
{
	uint64_t done = 0;

	while (done < n) {
		const uint8_t *piece;
		size_t len = 0;
		int rc = tar_input_peek(in, n - done, &piece, &len, err);

		if (rc < 0)
			return -1;
		if (rc == 1)
			break;
		done += len;
	}
	tar_input_take(in);
	*ret_skipped = done;
	return 0;
}

bool tar_is_zero(const uint8_t *data, size_t len)
{
	return len == 0 || (data[0] == 0 && !memcmp(data, data + 1, len - 1));
}
