/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pool in files that the real kernel runs, in a folder of each test: set-up and teardown of
 * cmocka. Thin device 0 has one block, thin device 1 has five, of bytes that are 2; transaction id 1.
 * Where there is no dm-thin the pool is not made, and the test starts with lab_need().
 */
#pragma once

#include "pkg/thin/open.h"

enum { LAB_BLOCK = 64 << 10, LAB_SIZE = 64 * LAB_BLOCK, LAB_DATA = 64 << 20 };

int lab_pool_set_up(void **state);
int lab_pool_tear_down(void **state);

/* The folder; and a session on it by the kernel engine, closed by the caller. */
const char *lab_pool_dir(void);
struct thin_pool *lab_pool_open(enum thin_mode mode);
int lab_pool_try(enum thin_mode mode, unsigned timeout_ms, struct thin_pool **ret,
		 struct error *err);

/* Whole blocks with bytes that are all id + 1. */
void lab_pool_write(struct thin_pool *pool, uint32_t id, uint64_t first, uint64_t n);
/* The byte that each byte of a block is. */
int lab_pool_read(struct thin_pool *pool, uint32_t id, uint64_t block);
