/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks for names of files that have one and the same hash in the htree of our file systems, by
 * trying them all: name_collider COUNT. That is how testdata/ext4/colliding-names.txt was found.
 *
 *   Half MD4 eats a name in blocks of 32 bytes. All names here have seven blocks in common, so only
 *   the last one is computed for each; of its eight words the fifth and sixth vary:
 *
 *     224 bytes  | 16 bytes | 8 letters of 32 | (end of the name: two words say its length)
 *     in common    in common  2^40 of them
 *
 * With its 248 bytes a name can be taken away by a marker, which has four more.
 *
 * Every 2^31st name is one: a few seconds of a core each when the compiler may use wide registers,
 * as in make build/release/tests/tools/name_collider CFLAGS='-O3 -march=native'.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/colliding_names.h"

enum {
	WORDS = 8,	  /* of a block */
	BLOCK_BYTES = 32, /* of a name */
	BLOCKS_IN_COMMON = 7,
	VARIED_AT = BLOCKS_IN_COMMON * BLOCK_BYTES + 16,
	NAME_BYTES = VARIED_AT + 8,
	PAIRS = 1 << 10, /* two letters */
};

static uint32_t f(uint32_t x, uint32_t y, uint32_t z)
{
	return z ^ (x & (y ^ z));
}

static uint32_t g(uint32_t x, uint32_t y, uint32_t z)
{
	return (x & y) + ((x ^ y) & z);
}

static uint32_t h(uint32_t x, uint32_t y, uint32_t z)
{
	return x ^ y ^ z;
}

static uint32_t step(uint32_t sum, unsigned left)
{
	return sum << left | sum >> (32 - left);
}

/* What the kernel's half_md4_transform() does to the state; the hash is its second word. */
static inline __attribute__((always_inline)) void transform(uint32_t state[4],
							    const uint32_t in[WORDS])
{
	const uint32_t k2 = 0x5a827999, k3 = 0x6ed9eba1;
	uint32_t a = state[0], b = state[1], c = state[2], d = state[3];

	a = step(a + f(b, c, d) + in[0], 3);
	d = step(d + f(a, b, c) + in[1], 7);
	c = step(c + f(d, a, b) + in[2], 11);
	b = step(b + f(c, d, a) + in[3], 19);
	a = step(a + f(b, c, d) + in[4], 3);
	d = step(d + f(a, b, c) + in[5], 7);
	c = step(c + f(d, a, b) + in[6], 11);
	b = step(b + f(c, d, a) + in[7], 19);

	a = step(a + g(b, c, d) + in[1] + k2, 3);
	d = step(d + g(a, b, c) + in[3] + k2, 5);
	c = step(c + g(d, a, b) + in[5] + k2, 9);
	b = step(b + g(c, d, a) + in[7] + k2, 13);
	a = step(a + g(b, c, d) + in[0] + k2, 3);
	d = step(d + g(a, b, c) + in[2] + k2, 5);
	c = step(c + g(d, a, b) + in[4] + k2, 9);
	b = step(b + g(c, d, a) + in[6] + k2, 13);

	a = step(a + h(b, c, d) + in[3] + k3, 3);
	d = step(d + h(a, b, c) + in[7] + k3, 9);
	c = step(c + h(d, a, b) + in[2] + k3, 11);
	b = step(b + h(c, d, a) + in[6] + k3, 15);
	a = step(a + h(b, c, d) + in[1] + k3, 3);
	d = step(d + h(a, b, c) + in[5] + k3, 9);
	c = step(c + h(d, a, b) + in[0] + k3, 11);
	b = step(b + h(c, d, a) + in[4] + k3, 15);

	state[0] += a;
	state[1] += b;
	state[2] += c;
	state[3] += d;
}

/* The words of a block that begins here, as str2hashbuf_signed() makes them of ASCII. */
static void words_of(const char *block, size_t left, uint32_t in[WORDS])
{
	uint32_t pad = (uint32_t)left | (uint32_t)left << 8;

	pad |= pad << 16;
	for (size_t i = 0; i < WORDS; i++) {
		in[i] = pad;
		for (size_t k = i * 4; k < i * 4 + 4 && k < left; k++)
			in[i] = in[i] << 8 | (uint8_t)block[k];
	}
}

static void put_letters(char *at, uint32_t number)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz012345";

	at[0] = letters[number >> 5 & 31];
	at[1] = letters[number & 31];
}

static uint32_t letters_word(uint32_t high, uint32_t low)
{
	char text[4];

	put_letters(text, high);
	put_letters(text + 2, low);
	return (uint32_t)text[0] << 24 | (uint32_t)text[1] << 16 | (uint32_t)text[2] << 8
	       | (uint32_t)text[3];
}

/* Whether one of the names of a row, which differ in their last two letters, has that hash. */
static int row_has(const uint32_t state[4], const uint32_t in[WORDS], const uint32_t last[PAIRS],
		   uint32_t hash)
{
	int found = 0;

	for (size_t i = 0; i < PAIRS; i++) {
		uint32_t s[4] = {state[0], state[1], state[2], state[3]};
		uint32_t words[WORDS] = {in[0], in[1], in[2], in[3], in[4], last[i], in[6], in[7]};

		transform(s, words);
		found |= (s[1] & ~1U) == hash;
	}
	return found;
}

/* The names of a row that have it. Returns how many there were, at most `want`. */
static unsigned print_row(const uint32_t seed[4], char name[NAME_BYTES + 1], uint32_t hash,
			  unsigned want)
{
	unsigned found = 0;

	for (uint32_t i = 0; i < PAIRS && found < want; i++) {
		put_letters(name + VARIED_AT + 6, i);
		if (colliding_names_hash(seed, name) != hash)
			continue;
		puts(name);
		found++;
	}
	if (!found)
		abort(); /* two ways of computing it that do not agree */
	fflush(stdout);
	return found;
}

static unsigned search(const uint32_t seed[4], char name[NAME_BYTES + 1], const uint32_t state[4],
		       unsigned want)
{
	uint32_t hash = colliding_names_hash(seed, name), in[WORDS];
	uint32_t last[PAIRS];
	unsigned found = 0;

	for (uint64_t row = 0; row < 1ULL << 30 && found < want; row++) {
		put_letters(name + VARIED_AT, (uint32_t)(row >> 20));
		put_letters(name + VARIED_AT + 2, (uint32_t)(row >> 10));
		put_letters(name + VARIED_AT + 4, (uint32_t)row);
		words_of(name + BLOCKS_IN_COMMON * BLOCK_BYTES,
			 NAME_BYTES - BLOCKS_IN_COMMON * BLOCK_BYTES, in);
		for (uint32_t i = 0; i < PAIRS; i++)
			last[i] = letters_word((uint32_t)row, i);
		if (row_has(state, in, last, hash))
			found += print_row(seed, name, hash, want - found);
	}
	return found;
}

int main(int argc, char **argv)
{
	unsigned want = argc == 2 ? (unsigned)atoi(argv[1]) : 0;
	uint32_t seed[4], state[4], in[WORDS];
	char name[NAME_BYTES + 1] = "all-these-names-have-one-and-the-same-hash";

	if (want == 0) {
		fprintf(stderr, "usage: name_collider COUNT\n");
		return 2;
	}
	memset(name + strlen(name), '-', NAME_BYTES - strlen(name));
	memset(name + VARIED_AT, 'a', NAME_BYTES - VARIED_AT);
	colliding_names_seed(seed);
	memcpy(state, seed, sizeof(state));
	for (size_t i = 0; i < BLOCKS_IN_COMMON; i++) {
		words_of(name + i * BLOCK_BYTES, NAME_BYTES - i * BLOCK_BYTES, in);
		transform(state, in);
	}
	return search(seed, name, state, want) == want ? 0 : 1;
}
