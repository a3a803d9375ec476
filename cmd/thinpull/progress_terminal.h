/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Progress of a pull on a terminal, a line for each layer, drawn over and over in place:
 *
 *   quay.io/x/y:1: 3 layers
 *   layer 1/3 sha256:0f35559f58ba  already there
 *   layer 2/3 sha256:964ba5b2cba1  unpacking
 *   layer 3/3 sha256:2c26b46b68ff  fetching 12.3/45.6 MiB
 *
 * The cursor rests below. Lines that are final and have only such above them are left behind and
 * scroll away; what changes is never more than the screen can show. A thread of its own draws, ten
 * times a second at most.
 */
#pragma once

#include <stdbool.h>

#include "oci/unpack.h"
#include "pkg/base/cleanup.h"

struct progress_terminal;

/* Standard error is a terminal where lines can be written over. */
bool progress_terminal_is_there(void);

/* @ref: borrowed. One display at a time. */
struct progress_terminal *progress_terminal_start(const char *ref);

void progress_terminal_event(struct progress_terminal *t, const struct unpack_event *event);

/* A line of others: goes above what is being drawn. False: nothing is, and it was not written. */
bool progress_terminal_print(const char *line);

/* Draws the last state; what is printed from now on stands below. */
void progress_terminal_finish(struct progress_terminal *t);
DEFINE_CLEANUP(struct progress_terminal *, progress_terminal_finish);
