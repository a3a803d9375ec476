/* SPDX-License-Identifier: Apache-2.0 */
/* CRC-32C (Castagnoli) as a plain running sum: the caller chooses start value and complement. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * Continue a running sum over more bytes. dm-thin starts with 0xffffffff and does not complement
 * the end; the common form is ~tf_crc32c(0xffffffff, data, len).
 */
uint32_t tf_crc32c(uint32_t sum, const void *data, size_t len);

/* The table form alone, whatever the processor can do: the oracle of the tests. */
uint32_t tf_crc32c_portable(uint32_t sum, const void *data, size_t len);
