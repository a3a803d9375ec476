/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads JSON strictly. jansson does the grammar; what it lets pass and other decoders read
 * differently (depth, a byte order mark, keys in two cases) is refused here.
 */
#include "pkg/json/jdoc.h"

#include <assert.h>
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#include "pkg/base/alloc.h"
#include "pkg/base/secret.h"

enum { JDOC_DEPTH_MAX = 64 };

struct jdoc {
	json_t *root;
	char *what;
};

/* jansson does not know const; nothing here changes a node. */
static json_t *node_of(struct jval v)
{
	return (json_t *)(uintptr_t)v.node;
}

/* --- parsing ---------------------------------------------------------------------------------- */

static size_t skip_string(const char *text, size_t len, size_t i)
{
	for (i++; i < len && text[i] != '"'; i++)
		if (text[i] == '\\')
			i++;
	return i;
}

/* jansson recurses up to 2048 levels, so the depth is counted before it sees the text. */
static bool is_too_deep(const char *text, size_t len)
{
	size_t depth = 0;

	for (size_t i = 0; i < len; i++) {
		switch (text[i]) {
		case '"':
			i = skip_string(text, len, i);
			break;
		case '{':
		case '[':
			if (++depth > JDOC_DEPTH_MAX)
				return true;
			break;
		case '}':
		case ']':
			depth -= depth > 0;
			break;
		}
	}
	return false;
}

static int check_text(const char *text, size_t len, const char *what, struct error *err)
{
	if (len == 0)
		return error_set(err, ERR_INVALID, "%s: empty, JSON is expected", what);
	if (len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3))
		return error_set(err, ERR_INVALID, "%s: starts with a byte order mark", what);
	if (is_too_deep(text, len))
		return error_set(err, ERR_INVALID, "%s: nested more than %d levels deep", what,
				 JDOC_DEPTH_MAX);
	return 0;
}

/* By what the kernel gave this process anyway: on its own jansson opens a file for that. */
static void seed_hashes(void)
{
	const void *random = (const void *)getauxval(AT_RANDOM);
	size_t seed = 0;

	if (random)
		memcpy(&seed, random, sizeof(seed));
	json_object_seed(seed);
}

/* For all documents: jansson knows one way to free. */
static void prepare_jansson(void)
{
	json_set_alloc_funcs(malloc, secret_free_block);
	seed_hashes();
}

/* 0; 1 = the grammar is at fault, *why says how; -1. */
static int parse(const void *json, size_t len, const char *what, struct jdoc **ret,
		 json_error_t *why, struct error *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct jdoc *doc;
	json_t *root;

	pthread_once(&once, prepare_jansson);
	if (check_text(json, len, what, err) < 0)
		return -1;
	root = json_loadb(json, len, JSON_REJECT_DUPLICATES, why);
	if (!root)
		return 1;
	doc = xcalloc(1, sizeof(*doc));
	doc->root = root;
	doc->what = xstrdup(what);
	*ret = doc;
	return 0;
}

int jdoc_parse(const void *json, size_t len, const char *what, struct jdoc **ret, struct error *err)
{
	json_error_t why;
	int rc = parse(json, len, what, ret, &why, err);

	if (rc > 0)
		return error_set(err, ERR_INVALID, "%s: line %d column %d: %s", what, why.line,
				 why.column, why.text);
	return rc;
}

/* jansson says what stands near, which may be the secret itself. */
int jdoc_parse_secret(const void *json, size_t len, const char *what, struct jdoc **ret,
		      struct error *err)
{
	json_error_t why = {0};
	int rc = parse(json, len, what, ret, &why, err);

	if (rc > 0)
		rc = error_set(err, ERR_INVALID, "%s: line %d column %d: no valid JSON", what,
			       why.line, why.column);
	explicit_bzero(&why, sizeof(why));
	return rc;
}

struct jval jdoc_root(const struct jdoc *doc)
{
	struct jval v = {.node = doc->root};

	snprintf(v.path, sizeof(v.path), "%s", doc->what);
	return v;
}

void jdoc_free(struct jdoc *doc)
{
	json_decref(doc->root);
	free(doc->what);
	free(doc);
}

/* --- paths ------------------------------------------------------------------------------------ */

/* Put the end of `text` into path; what does not fit is cut at the front. */
static void set_path(struct jval *v, const char *text)
{
	size_t len = strlen(text);

	if (len < sizeof(v->path))
		memcpy(v->path, text, len + 1);
	else
		snprintf(v->path, sizeof(v->path), "..%s", text + len - (sizeof(v->path) - 3));
}

static struct jval child_by_key(struct jval parent, const char *key, const json_t *node)
{
	struct jval v = {.node = node};
	char text[sizeof(parent.path) + 80];

	snprintf(text, sizeof(text), "%s.%.70s", parent.path, key);
	set_path(&v, text);
	return v;
}

/* --- values ----------------------------------------------------------------------------------- */

bool jdoc_present(struct jval v)
{
	return v.node && !json_is_null(node_of(v));
}

bool jdoc_is_object(struct jval v)
{
	return json_is_object(node_of(v));
}

bool jdoc_is_array(struct jval v)
{
	return json_is_array(node_of(v));
}

/*
 * One letter of a key, folded as Go's decoder folds it, which takes "Layers", and "layer" with a
 * long s at the end, for "layers". Returns the bytes used.
 */
static size_t fold(const char *s, char *ret)
{
	if (!strncmp(s, "\xc5\xbf", 2)) { /* U+017F */
		*ret = 's';
		return 2;
	}
	if (!strncmp(s, "\xe2\x84\xaa", 3)) { /* U+212A, the Kelvin sign */
		*ret = 'k';
		return 3;
	}
	*ret = *s >= 'A' && *s <= 'Z' ? (char)(*s - 'A' + 'a') : *s;
	return 1;
}

static bool is_case_twin(const char *a, const char *b)
{
	char x, y;

	if (!strcmp(a, b))
		return false;
	do {
		a += fold(a, &x);
		b += fold(b, &y);
	} while (x == y && x);
	return x == y;
}

static int refuse_case_twins(struct jval object, const char *wanted, struct error *err)
{
	const char *key;
	json_t *node;

	json_object_foreach(node_of(object), key, node) if (
		is_case_twin(
			key,
			wanted)) return error_set(err, ERR_INVALID,
						  "%s: has both '%s' and '%.60s', which readers take "
						  "for the same",
						  object.path, wanted, key);
	return 0;
}

/* 0 and the value, which is absent if the key is missing or null. */
static int get(struct jval object, const char *key, enum jdoc_need need, struct jval *ret,
	       struct error *err)
{
	struct jval v;

	if (!jdoc_is_object(object))
		return error_set(err, ERR_INVALID, "%s: not an object", object.path);
	v = child_by_key(object, key, json_object_get(node_of(object), key));
	if (v.node && refuse_case_twins(object, key, err) < 0)
		return -1;
	if (!jdoc_present(v)) {
		v.node = NULL;
		if (need == JDOC_REQUIRED)
			return error_set(err, ERR_INVALID, "%s: missing", v.path);
	}
	*ret = v;
	return 0;
}

int jdoc_string(struct jval object, const char *key, enum jdoc_need need, const char **ret,
		struct error *err)
{
	struct jval v;

	if (get(object, key, need, &v, err) < 0)
		return -1;
	if (v.node)
		return jdoc_string_value(v, ret, err);
	*ret = NULL;
	return 0;
}

int jdoc_uint(struct jval object, const char *key, enum jdoc_need need, uint64_t *ret,
	      struct error *err)
{
	struct jval v;

	if (get(object, key, need, &v, err) < 0)
		return -1;
	if (v.node && !json_is_integer(node_of(v)))
		return error_set(err, ERR_INVALID, "%s: not an integer", v.path);
	if (v.node && json_integer_value(node_of(v)) < 0)
		return error_set(err, ERR_INVALID, "%s: negative", v.path);
	*ret = v.node ? (uint64_t)json_integer_value(node_of(v)) : 0;
	return 0;
}

int jdoc_bool(struct jval object, const char *key, enum jdoc_need need, bool *ret,
	      struct error *err)
{
	struct jval v;

	if (get(object, key, need, &v, err) < 0)
		return -1;
	if (v.node && !json_is_boolean(node_of(v)))
		return error_set(err, ERR_INVALID, "%s: neither true nor false", v.path);
	*ret = json_is_true(node_of(v));
	return 0;
}

int jdoc_object(struct jval object, const char *key, enum jdoc_need need, struct jval *ret,
		struct error *err)
{
	struct jval v;

	if (get(object, key, need, &v, err) < 0)
		return -1;
	if (v.node && !jdoc_is_object(v))
		return error_set(err, ERR_INVALID, "%s: not an object", v.path);
	*ret = v;
	return 0;
}

int jdoc_array(struct jval object, const char *key, enum jdoc_need need, struct jval *ret,
	       struct error *err)
{
	struct jval v;

	if (get(object, key, need, &v, err) < 0)
		return -1;
	if (v.node && !jdoc_is_array(v))
		return error_set(err, ERR_INVALID, "%s: not an array", v.path);
	*ret = v;
	return 0;
}

size_t jdoc_length(struct jval array)
{
	return json_array_size(node_of(array));
}

struct jval jdoc_at(struct jval array, size_t i)
{
	struct jval v = {.node = json_array_get(node_of(array), i)};
	char text[sizeof(array.path) + 24];

	assert(v.node);
	snprintf(text, sizeof(text), "%s[%zu]", array.path, i);
	set_path(&v, text);
	return v;
}

int jdoc_string_value(struct jval v, const char **ret, struct error *err)
{
	if (!json_is_string(node_of(v)))
		return error_set(err, ERR_INVALID, "%s: not a string", v.path);
	*ret = json_string_value(node_of(v));
	return 0;
}

bool jdoc_each(struct jval object, void **iter, const char **ret_key, struct jval *ret)
{
	json_t *node = node_of(object);

	*iter = *iter ? json_object_iter_next(node, *iter) : json_object_iter(node);
	if (!*iter)
		return false;
	*ret_key = json_object_iter_key(*iter);
	*ret = child_by_key(object, *ret_key, json_object_iter_value(*iter));
	return true;
}
