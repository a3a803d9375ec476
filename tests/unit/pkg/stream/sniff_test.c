/* SPDX-License-Identifier: Apache-2.0 */
/* Codecs by their first bytes (rule A70). */
#include "tests/support/cmocka.h"

#include "pkg/base/alloc.h"
#include "tests/support/pieces.h"

static const struct {
	const char *data;
	size_t len;
	enum stream_codec codec;
} cases[] = {
	{"", 0, STREAM_PLAIN},
	{"\x1f", 1, STREAM_PLAIN},
	{"\x1f\x8b", 2, STREAM_GZIP},
	{"\x1f\x8b\x08more", 7, STREAM_GZIP},
	{"\x1f\x8c\x08more", 7, STREAM_PLAIN},
	{"\x28\xb5\x2f", 3, STREAM_PLAIN},
	{"\x28\xb5\x2f\xfd", 4, STREAM_ZSTD},
	{"\x28\xb5\x2f\xfdxyz", 7, STREAM_ZSTD},
	{"\x50\x2a\x4d\x18xyz", 7, STREAM_ZSTD},
	{"\x5f\x2a\x4d\x18xyz", 7, STREAM_ZSTD},
	{"\x60\x2a\x4d\x18xyz", 7, STREAM_PLAIN},
	{"BZh91AY&SY", 10, STREAM_BZIP2},
	{"BZh11AY&SYmore data here", 24, STREAM_BZIP2},
	{"BZh9\x17\x72\x45\x38\x50\x90", 10, STREAM_BZIP2}, /* of nothing */
	{"BZh01AY&SY", 10, STREAM_PLAIN},
	{"BZh91AY&S", 9, STREAM_PLAIN},
	{"BZh9.tar is a name, too", 23, STREAM_PLAIN},
	{"\xfd"
	 "7zXZ\0\0\4",
	 8, STREAM_XZ},
	{"\xfd"
	 "7zXZ.tar",
	 9, STREAM_PLAIN},
	{"\x04\x22\x4d\x18\x64\x40", 6, STREAM_LZ4},
	{"\x02\x21\x4c\x18more", 8, STREAM_LZ4},
	{"\x04\x22\x4d\x19\x64\x40", 6, STREAM_PLAIN},
	{"\x5d\0\0\x80\0\xff\xff\xff\xff\xff\xff\xff\xff", 13, STREAM_LZMA},
	{"\x5d\0\0\0\4\0\x50\0\0\0\0\0\0", 13, STREAM_LZMA}, /* a size that is known */
	{"\x5d\0\0\x80\0\xff\xff\xff\xff\xff\xff\xff", 12, STREAM_PLAIN},
	{"]\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20, STREAM_PLAIN}, /* "]" of a tar */
	{"etc/passwd", 10, STREAM_PLAIN},
	{"etc/passwd and more of it", 25, STREAM_PLAIN},
};

static void sniffing_takes_nothing_however_small_the_pieces(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		for (size_t piece = 1; piece <= 26; piece++) {
			cleanup(stream_close_ptr) struct stream *s =
				pieces_stream(&(struct pieces){.data = cases[i].data,
							       .len = cases[i].len,
							       .piece = piece});
			cleanup_buffer struct buffer out = {0};
			enum stream_codec codec;
			struct error err = {0};

			for (int again = 0; again < 2; again++) {
				assert_ok(stream_sniff(s, &codec, &err), &err);
				assert_int_equal(codec, cases[i].codec);
			}
			assert_ok(stream_read_all(s, 100, &out, &err), &err);
			assert_int_equal(out.len, cases[i].len);
			if (out.len > 0)
				assert_memory_equal(out.data, cases[i].data, out.len);
			assert_ok(stream_finish(s, &err), &err);
		}
	}
}

static void sniffing_passes_a_failure_on(void **state)
{
	cleanup(stream_close_ptr) struct stream *s =
		pieces_stream(&(struct pieces){.data = "ab", .len = 2, .piece = 1, .fails = true});
	enum stream_codec codec;
	struct error err = {0};

	(void)state;
	assert_int_equal(stream_sniff(s, &codec, &err), -1);
	assert_error(&err, ERR_NETWORK, "connection lost");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sniffing_takes_nothing_however_small_the_pieces),
		cmocka_unit_test(sniffing_passes_a_failure_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
