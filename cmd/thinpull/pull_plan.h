/* SPDX-License-Identifier: Apache-2.0 */
/* What a pull would do, on standard output: `pull --dry-run`. */
#pragma once

#include "oci/details.h"
#include "pkg/json/jdoc.h"

/* An element of an array. The keys that `pull` has, too, say what it would say. */
void pull_plan_json(struct jout *o, const struct image_details *d);
/* A page for people. */
void pull_plan_text(const struct image_details *d);
