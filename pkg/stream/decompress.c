/* SPDX-License-Identifier: Apache-2.0 */
/* Chooses the stage that undoes a codec. */
#include "pkg/stream/stream_internal.h"

int stream_decompress(struct stream **s, enum stream_codec codec, uint64_t limit, struct error *err)
{
	switch (codec) {
	case STREAM_PLAIN:
		*s = stream_limit(s, limit);
		return 0;
	case STREAM_GZIP:
		*s = stream_gunzip(s, limit);
		return 0;
	case STREAM_ZSTD:
		break;
	}
	stream_close(steal(s));
	return error_set(err, ERR_UNSUPPORTED, "zstd compression is not supported yet");
}
