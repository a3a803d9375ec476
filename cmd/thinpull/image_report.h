/* SPDX-License-Identifier: Apache-2.0 */
/* All about one image, on standard output: what `image inspect` shows. */
#pragma once

#include "oci/details.h"

/* What is not known of an image that is elsewhere is null. Errors: ERR_INVALID (its config). */
MUST_CHECK int image_report_json(const struct image_details *d, struct error *err);
/* A page for people. */
void image_report_text(const struct image_details *d);
