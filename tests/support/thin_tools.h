/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The programs of thin-provisioning-tools as oracles, and scratch folders for pools. thin_check
 * 0.9 judges structure only; what it misses is what pkg/thin/file/fsck.h is for.
 */
#pragma once

#include <stdbool.h>

#include "pkg/thin/file/fsck.h"

/* Exit status of a program with its output thrown away; 127 when it is not there. */
int thin_tools_run(const char *const argv[]);

/* Exit status of thin_check; 0 = it is content. */
int thin_tools_check(const char *meta_path);

/* Major version of thin_check, -1 when it is not there. */
int thin_tools_check_major(void);

/* Make a metadata file of meta_bytes from thin_dump's XML. False: thin_restore failed. */
bool thin_tools_restore(const char *xml_path, const char *meta_path, unsigned long meta_bytes);

/* The XML of a metadata file. False: thin_dump failed. */
bool thin_tools_dump(const char *meta_path, const char *xml_path);

/* A new folder in $TMPDIR, in memory or in /tmp; owned, ended with thin_tools_remove(), which also
 * frees. */
char *thin_tools_folder(void);
void thin_tools_remove(char **folder);

/* Print findings to stderr, for a test that is about to fail. */
void thin_tools_show(const struct thin_findings *findings);
