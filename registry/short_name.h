/* SPDX-License-Identifier: Apache-2.0 */
/* Names without a registry, and the aliases of registries.conf that say which one is meant. */
#pragma once

#include "pkg/base/error.h"

/*
 * "fedora:40" as "registry.fedoraproject.org/fedora:40", if an alias says so. All else comes back
 * as it is: names with a registry or with docker://, those without an alias, which are docker.io's,
 * and what is no reference. Where several registries would be searched is not looked at: a name
 * means one image.
 * @ret: owned. Errors: those of registries_conf_load().
 */
MUST_CHECK int short_name_expand(const char *text, char **ret, struct error *err);
