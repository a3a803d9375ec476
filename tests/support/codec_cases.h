/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each decoder of a whole archive must hold, with streams that the codec's own library packs:
 * pieces of every size, several streams one after another, damage at every byte, a limit.
 */
#pragma once

#include "pkg/stream/stream_internal.h"
#include "tests/support/cmocka.h"

struct codec_case {
	const char *name; /* what errors begin with */
	/* Packs, and returns how many bytes that are. */
	size_t (*pack)(const void *text, size_t len, uint8_t *out, size_t room);
	struct stream *(*open)(struct stream **inner, uint64_t limit);
	bool has_spare_bits; /* bits of its streams mean nothing: turned, the text is still right */
};

/* Tests of cmocka; the state is a struct codec_case. */
void codec_pieces_of_every_size_and_several_streams(void **state);
void codec_truncation_damage_and_garbage_are_refused(void **state);
void codec_more_than_allowed_is_refused(void **state);

#define CODEC_TESTS(codec)                                                                  \
	cmocka_unit_test_prestate(codec_pieces_of_every_size_and_several_streams, (codec)), \
		cmocka_unit_test_prestate(codec_truncation_damage_and_garbage_are_refused,  \
					  (codec)),                                         \
		cmocka_unit_test_prestate(codec_more_than_allowed_is_refused, (codec))
