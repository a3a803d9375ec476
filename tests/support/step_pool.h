/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pool whose changes are each durable at once and whose lock can be lent, as the kernel engine's,
 * in a folder of the file engine. It can be told to fail, or to end as after a kill, at any of its
 * steps: what makes or deletes a thin device, a write, a commit.
 */
#pragma once

#include "pkg/thin/pool.h"

/* A session with the lock; one that others have fails the test. @dir: borrowed. */
struct thin_pool *step_pool_open(const char *dir);

enum step_fault {
	STEP_NONE,
	STEP_FAIL, /* that step fails, all others work */
	STEP_KILL, /* half of that step's write is done, and nothing of this process' after it */
};

/* The n-th step from now on, 1 is the next; of the sessions that are open, and of those to come. */
void step_pool_set_fault(enum step_fault fault, unsigned n);
/* Did it come to that? No further one from now on: sessions opened later work. */
bool step_pool_clear_fault(void);

/* A program that takes no lock gives the pool another transaction id. */
void step_pool_move_transaction_id(const char *dir, uint64_t to);

/* How often thin devices were made. */
unsigned step_pool_makes(void);
