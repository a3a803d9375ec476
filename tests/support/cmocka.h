/* SPDX-License-Identifier: Apache-2.0 */
/* cmocka with the headers that it wants before it, and a check of our errors. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pkg/base/error.h"

/* An error of this kind whose one line holds this text. */
#define assert_error(err, expected_kind, part)                                \
	do {                                                                  \
		char text_[1024];                                             \
		error_text((err), text_, sizeof(text_));                      \
		if ((err)->kind != (expected_kind) || !strstr(text_, (part))) \
			fail_msg("error is %s: '%s', expected %s: '%s'",      \
				 error_kind_name((err)->kind), text_,         \
				 error_kind_name(expected_kind), (part));     \
	} while (0)

/* The call succeeds; else its error is shown. */
#define assert_ok(call, err)                                     \
	do {                                                     \
		if ((call) != 0) {                               \
			char text_[1024];                        \
			error_text((err), text_, sizeof(text_)); \
			fail_msg("%s: %s", #call, text_);        \
		}                                                \
	} while (0)
