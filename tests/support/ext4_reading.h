/* SPDX-License-Identifier: Apache-2.0 */
/* A sample file system opened for reading: what each unit test of a part of the reader starts with. */
#pragma once

#include "pkg/ext4/read.h"
#include "tests/support/ext4_sample.h"

extern struct ext4_sample sample;
extern struct ext4_reader *reader;
extern struct error err;

/* Set-up and tear-down of a test. */
int reading_begin(void **state);
int reading_end(void **state);

/* The inode of a name in the root directory. */
uint32_t reading_find(const char *name);

/* After a change of the sample: its checksums hold again, nothing is cached. */
void reading_reopen(void);
