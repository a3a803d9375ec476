/* SPDX-License-Identifier: Apache-2.0 */
/* What writing and copying share. */
#pragma once

#include "pkg/json/jdoc.h"

/* A value that is JSON already. */
void jout_raw(struct jout *o, const char *key, const char *text);
