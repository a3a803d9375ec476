/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A root folder with a small pool, and images put there without a pull. Every failure fails the
 * test.
 */
#pragma once

#include "oci/store.h"

enum { STORE_FIXTURE_BLOCK = 64 << 10 };

struct store_fixture {
	char *root;
	struct store *store;
};

/* A pool of 256 MiB with a base file system of 32 MiB. */
void store_fixture_init(struct store_fixture *f);
void store_fixture_release(struct store_fixture *f);

/* Another handle on the same root, of the file engine, with a short patience: guarded, extended. */
struct store_fixture_guard {
	unsigned data_percent, metadata_percent; /* that stay free */
	struct store_autoextend autoextend;
};
struct store *store_fixture_open(const struct store_fixture *f, const char *pool);
struct store *store_fixture_open_guarded(const struct store_fixture *f, const char *pool,
					 const struct store_fixture_guard *o);

/*
 * An image whose layers are told by the letters of a text, lowest first ("abc"), each with one
 * block of its own and one more that every layer overwrites. Images that start alike share
 * layers. @config: more members of the config, starting with a comma, or "".
 */
void store_fixture_image(struct store_fixture *f, const char *ref, const char *layers,
			 const char *config);

/* The layers alone, as a pull leaves them that was killed. */
void store_fixture_layers(struct store_fixture *f, const char *layers);
/* What an image of these layers calls them. */
struct digest store_fixture_chain_id(const char *layers);
struct digest store_fixture_diff_id(char layer);

void store_fixture_container(struct store_fixture *f, const char *ref, const char *name);

/* Write n blocks of the volume of a container, from block `at` on. */
void store_fixture_write(struct store_fixture *f, const char *name, uint64_t at, uint64_t n);

/* Bytes of data that the pool uses. */
uint64_t store_fixture_used(struct store_fixture *f);
