/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON in and out. Typed getters whose errors name the JSON path ("manifest.layers[3].size: not an
 * integer"). Strict: UTF-8, no duplicate keys, no NUL in strings, no trailing data, depth <= 64.
 * The only user of jansson.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pkg/base/buffer.h"
#include "pkg/base/cleanup.h"
#include "pkg/base/error.h"

struct jdoc; /* a parsed document, or one being built */

/*
 * A value inside a document, borrowed; knows its path. Copy freely, valid as long as the document.
 */
struct jval {
	const void *node; /* NULL = absent */
	char path[120];	  /* cut at the front when long */
};

/* @what: first part of paths in errors ("manifest"). Errors: ERR_INVALID with line and column. */
MUST_CHECK int jdoc_parse(const void *json, size_t len, const char *what, struct jdoc **ret,
			  struct error *err);
/*
 * The same for what holds secrets: errors say where, but show nothing of it. The memory of all
 * documents is overwritten before it is given back.
 */
MUST_CHECK int jdoc_parse_secret(const void *json, size_t len, const char *what, struct jdoc **ret,
				 struct error *err);
struct jval jdoc_root(const struct jdoc *doc);
void jdoc_free(struct jdoc *doc);
DEFINE_CLEANUP(struct jdoc *, jdoc_free);

enum jdoc_need { JDOC_OPTIONAL, JDOC_REQUIRED };

bool jdoc_present(struct jval v); /* null counts as absent */
bool jdoc_is_object(struct jval v);
bool jdoc_is_array(struct jval v);

/*
 * Members of an object. An optional one that is absent or null gives NULL, 0, false or an absent
 * jval. A wrong type, or a key that is there in another case as well (rule B12), is
 * ERR_INVALID.
 */
MUST_CHECK int jdoc_string(struct jval object, const char *key, enum jdoc_need need,
			   const char **ret, struct error *err);
MUST_CHECK int jdoc_uint(struct jval object, const char *key, enum jdoc_need need, uint64_t *ret,
			 struct error *err);
MUST_CHECK int jdoc_bool(struct jval object, const char *key, enum jdoc_need need, bool *ret,
			 struct error *err);
MUST_CHECK int jdoc_object(struct jval object, const char *key, enum jdoc_need need,
			   struct jval *ret, struct error *err);
MUST_CHECK int jdoc_array(struct jval object, const char *key, enum jdoc_need need,
			  struct jval *ret, struct error *err);

/* Elements of an array. */
size_t jdoc_length(struct jval array);
struct jval jdoc_at(struct jval array, size_t i);
/* A value that must be a string. */
MUST_CHECK int jdoc_string_value(struct jval v, const char **ret, struct error *err);

/* Members of an object in the order given, for maps: *iter starts as NULL; false = no more. */
bool jdoc_each(struct jval object, void **iter, const char **ret_key, struct jval *ret);

/* --- out: a writer of text, so that keys keep their order ------------------------------------- */

struct jout {
	struct buffer text;
	unsigned depth;
	bool comma;   /* a value stands before in this object or array */
	bool compact; /* no line breaks */
};

/* @key: NULL inside an array and at the top. */
void jout_object(struct jout *o, const char *key);
void jout_end_object(struct jout *o);
void jout_array(struct jout *o, const char *key);
void jout_end_array(struct jout *o);
void jout_string(struct jout *o, const char *key,
		 const char *value); /* NULL value: null; bytes that are no UTF-8: U+FFFD */
/* Whether a string would come back as it is. */
bool jout_is_text(const char *value);
void jout_uint(struct jout *o, const char *key, uint64_t value);
void jout_int(struct jout *o, const char *key, int64_t value);
void jout_bool(struct jout *o, const char *key, bool value);
/* A copy of a value of a document, members in its order; null when absent. */
void jout_copy(struct jout *o, const char *key, struct jval value);
void jout_release(struct jout *o);
