/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TOML 1.0 as a document of pkg/json, for configuration files of other tools. Strict: what the
 * specification forbids is refused with its line. What JSON has no type for, and no file that we
 * read ever needs, becomes an object of one member that names the type:
 *
 *   a = 1979-05-27     {"a": {"time": "1979-05-27"}}
 *   b = 6e23           {"b": {"float": "6e23"}}
 *
 * Spec: https://toml.io/en/v1.0.0
 */
#pragma once

#include "pkg/json/jdoc.h"

enum { TOML_TEXT_MAX_BYTES = 1 << 20, TOML_KEYS_MAX = 4096, TOML_DEPTH_MAX = 60 };

/*
 * Tables and keys keep the order in which they first appear.
 * @what: first part of paths in errors of the getters ("hosts.toml").
 * Errors: ERR_INVALID "line 3: ..": the syntax, a key or table given twice, a NUL in a string, and
 * more than the limits above: bytes, keys of one table, levels.
 */
MUST_CHECK int toml_parse(const void *text, size_t len, const char *what, struct jdoc **ret,
			  struct error *err);
