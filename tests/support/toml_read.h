/* SPDX-License-Identifier: Apache-2.0 */
/* What tests of TOML say: this text is that document, or is refused for that reason. */
#pragma once

#include <stddef.h>

/* @json: written compactly. */
void toml_reads(const char *toml, const char *json);
void toml_refuses(const char *toml, const char *reason);

/* The same for text with NULs. */
void toml_refuses_bytes(const void *toml, size_t len, const char *reason);
