/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The environment: what is missing and always wanted, then the image's in its order, then what was
 * asked for, then HOME.
 */
#include <stdlib.h>
#include <string.h>

#include "oci/bundle_internal.h"
#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"

#define DEFAULT_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define DEFAULT_TERM "TERM=xterm"

struct variable {
	const char *text; /* NULL: dropped */
	size_t name_len;
	size_t place;
};

static int compare_names(const struct variable *a, const struct variable *b)
{
	int rc = memcmp(a->text, b->text, a->name_len < b->name_len ? a->name_len : b->name_len);

	return rc ? rc : (a->name_len > b->name_len) - (a->name_len < b->name_len);
}

static int compare_places(const void *pa, const void *pb)
{
	const struct variable *a = pa, *b = pb;

	return (a->place > b->place) - (a->place < b->place);
}

static int compare_variables(const void *pa, const void *pb)
{
	int rc = compare_names(pa, pb);

	return rc ? rc : compare_places(pa, pb);
}

/* Of several with one name the last counts, in the place of the first. */
static void drop_doubles(struct variable *v, size_t n)
{
	size_t first = 0;

	if (n == 0)
		return;
	qsort(v, n, sizeof(*v), compare_variables);
	for (size_t i = 1; i < n; i++) {
		if (compare_names(&v[first], &v[i]) != 0) {
			first = i;
			continue;
		}
		v[first].text = v[i].text;
		v[i].text = NULL;
	}
	qsort(v, n, sizeof(*v), compare_places);
}

struct variables {
	struct variable *items;
	size_t n, room;
};

static void variables_release(struct variables *v)
{
	free(v->items);
}

static int add(struct variables *v, const char *text, struct error *err)
{
	const char *equals = strchr(text, '=');

	if (!equals || equals == text)
		return error_set(err, ERR_INVALID, "environment: '%.60s' is not NAME=VALUE", text);
	if (bundle_check_text("environment:", text, err) < 0)
		return -1;
	ALLOC_GROW(v->items, v->n + 1, v->room);
	v->items[v->n] = (struct variable){text, (size_t)(equals - text), v->n};
	v->n++;
	return 0;
}

static bool has(const struct variables *v, const char *text)
{
	struct variable wanted = {.text = text, .name_len = strcspn(text, "=")};

	for (size_t i = 0; i < v->n; i++)
		if (v->items[i].text && compare_names(&v->items[i], &wanted) == 0)
			return true;
	return false;
}

int bundle_env(const struct oci_runconfig *image, const struct bundle_options *options,
	       const char *home, struct bundle_texts *ret, struct error *err)
{
	cleanup(variables_release) struct variables v = {0};

	for (size_t i = 0; i < image->env.n; i++)
		if (add(&v, image->env.items[i], err) < 0)
			return error_wrap(err, "image");
	for (const char *const *text = options->env; text && *text; text++)
		if (add(&v, *text, err) < 0)
			return -1;
	drop_doubles(v.items, v.n);
	if (!has(&v, DEFAULT_PATH))
		bundle_texts_add(ret, DEFAULT_PATH);
	if (options->terminal && !has(&v, DEFAULT_TERM))
		bundle_texts_add(ret, DEFAULT_TERM);
	for (size_t i = 0; i < v.n; i++)
		if (v.items[i].text)
			bundle_texts_add(ret, v.items[i].text);
	if (!home || has(&v, home))
		return 0;
	bundle_texts_add(ret, home);
	return bundle_check_text("home in passwd:", home, err);
}
