/* SPDX-License-Identifier: Apache-2.0 */
/* The version of the program. */
#pragma once

#define THINPULL_VERSION "0.1.0"

struct jout;

/* Program and libraries as the members of an object, or as lines on stdout. */
void version_json(struct jout *o);
void version_text(void);
