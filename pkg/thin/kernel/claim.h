/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who has which thin device of a pool open, and who is making which: bytes of DIR/claims, by open
 * file description locks (fcntl(2)), so they end with their holder, however that happens.
 *
 *   ID             thin ID is open: shared to read, exclusive to write. A device of ours whose byte
 *                  is free was left by a kill, unless it is a container's
 *   CLAIM_MAKING + ID   the intent in the record that names ID is alive
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "pkg/base/error.h"

#define CLAIM_MAKING (UINT64_C(1) << 32)

/* The file is made when missing. Each descriptor holds claims of its own. */
MUST_CHECK int claim_open(const char *dir, int *ret_fd, struct error *err);

/* 0, 1 = somebody else has it in a way that excludes this, -1. */
MUST_CHECK int claim_try(int fd, uint64_t byte, bool exclusive, struct error *err);
void claim_drop(int fd, uint64_t byte);

/* By another descriptor than this one. */
bool claim_is_held(int fd, uint64_t byte);
