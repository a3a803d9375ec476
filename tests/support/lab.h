/* SPDX-License-Identifier: Apache-2.0 */
/* For tests that need device-mapper: in the lab kernel they must run, elsewhere they may. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Skips the calling test where this process may not drive dm-thin; in the lab that is a failure. */
void lab_need(const char *target);
/* For what is set up before a test, which cannot skip there. */
bool lab_may_skip(void);

/* A file of that size in memory on a loop device, "/dev/loop7" (owned), and nothing left after. */
char *lab_loop_new(uint64_t bytes);
void lab_loop_free(char *device);

/* How many entries "ipcs -s" would show. */
unsigned lab_semaphores(void);
