/* SPDX-License-Identifier: Apache-2.0 */
/* The reader of mountinfo, for its tests. */
#pragma once

#include "pkg/host/mounts.h"

/* The mount points of a device ("7:0") in the text of a mountinfo; what is no such line is passed. */
void mounts_parse(const char *text, size_t len, const char *device, struct mount_list *ret);

/* Those of all devices whose names start so. */
void mounts_parse_named(const char *text, size_t len, const char *prefix, struct mount_list *ret);
