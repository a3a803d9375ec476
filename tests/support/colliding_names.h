/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names that all have the same hash in an htree: testdata/ext4/colliding-names.txt, one a line, as
 * tests/tools/name_collider found them. 13 of them fill a leaf, so that one hash fills several.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* The names, an owned array of owned strings; fails the test when the file is not there. */
char **colliding_names_load(size_t *ret_n);
void colliding_names_free(char **names);

/* s_hash_seed of every file system of ours, from one that is made for it. */
void colliding_names_seed(uint32_t ret[4]);

/* What libext2fs says the kernel's hash of a name is. */
uint32_t colliding_names_hash(const uint32_t seed[4], const char *name);
