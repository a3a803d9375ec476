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
		*s = stream_unzstd(s, limit);
		return 0;
	case STREAM_BZIP2:
	case STREAM_XZ:
	case STREAM_LZ4:
	case STREAM_LZMA:
		break;
	}
	stream_close(steal(s));
	return error_set(err, ERR_UNSUPPORTED,
			 "compressed with %s, which no layer may be: only gzip and zstd",
			 stream_codec_name(codec));
}

int stream_decompress_archive(struct stream **s, enum stream_codec codec, uint64_t limit,
			      struct error *err)
{
	switch (codec) {
	case STREAM_XZ:
		*s = stream_unxz(s, limit);
		return 0;
	case STREAM_BZIP2:
		*s = stream_bunzip2(s, limit);
		return 0;
	case STREAM_LZ4:
	case STREAM_LZMA:
		stream_close(steal(s));
		return error_set(err, ERR_UNSUPPORTED,
				 "compressed with %s: only gzip, zstd, xz and bzip2 are read",
				 stream_codec_name(codec));
	default:
		return stream_decompress(s, codec, limit, err);
	}
}
