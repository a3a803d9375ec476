/* SPDX-License-Identifier: Apache-2.0 */
/* What is wrong with a pool, as result of a verb. */
#pragma once

#include "pkg/json/jdoc.h"
#include "pkg/thin/file/fsck.h"

/* Keys total and findings of the present object. */
void findings_report(struct jout *o, const struct thin_findings *findings);

/* A line for each. @repaired: what is said of those that repair can do something about, or "". */
void findings_print(const struct thin_findings *findings, const char *repaired);
