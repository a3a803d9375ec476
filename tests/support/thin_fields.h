/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every field of every kind of metadata block, down to the last bit: a table of fields that a block
 * is taken apart by, so that a test of damage cannot forget one.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/support/thin_sample.h"

/* Bits `shift` to `shift + bits` of the little-endian number of `width` bytes at `offset`. */
struct thin_field {
	const char *name;
	unsigned offset, width, shift, bits;
	unsigned index; /* of an array of n */
	unsigned n, stride;
};

/* Calls fn for each field of a block; elements of arrays are fields with an index. */
void thin_fields_each(const struct sample_block *block,
		      void (*fn)(const struct thin_field *field, void *arg), void *arg);

uint64_t thin_field_get(const struct thin_field *field, const uint8_t *block);
void thin_field_set(const struct thin_field *field, uint8_t *block, uint64_t value);

/* The greatest number that it holds. */
uint64_t thin_field_ones(const struct thin_field *field);
