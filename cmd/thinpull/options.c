/* SPDX-License-Identifier: Apache-2.0 */
/* Takes option words apart by tables. The grammar is that of getopt_long without abbreviations. */
#include "cmd/thinpull/options.h"

#include <stdlib.h>
#include <string.h>

#include "cmd/thinpull/suggest.h"
#include "pkg/base/alloc.h"

void args_release(struct args *a)
{
	free(a->options);
	free(a->operands);
	memset(a, 0, sizeof(*a));
}

void args_add_operand(struct args *a, const char *word)
{
	ALLOC_GROW(a->operands, a->n_operands + 1, a->room_operands);
	a->operands[a->n_operands++] = word;
}

static void args_add_option(struct args *a, const struct option_spec *spec, const char *value)
{
	ALLOC_GROW(a->options, a->n_options + 1, a->room_options);
	a->options[a->n_options++] = (struct args_option){.spec = spec, .value = value};
}

const struct option_spec *options_find(const struct option_spec *const *tables, const char *name,
				       size_t len)
{
	for (; *tables; tables++)
		for (const struct option_spec *o = *tables; o->name; o++)
			if (strlen(o->name) == len && memcmp(o->name, name, len) == 0)
				return o;
	return NULL;
}

static const struct option_spec *find_letter(const struct option_spec *const *tables, char letter)
{
	for (; *tables; tables++)
		for (const struct option_spec *o = *tables; o->name; o++)
			if (o->letter == letter)
				return o;
	return NULL;
}

static int unknown_option(const struct option_spec *const *tables, const char *name, size_t len,
			  struct error *err)
{
	cleanup_free char *given = xstrndup(name, len);
	struct suggestion best = {0};

	for (; *tables; tables++)
		for (const struct option_spec *o = *tables; o->name; o++)
			suggestion_try(&best, given, o->name);
	if (best.word)
		return error_set(err, ERR_USAGE, "unknown option --%s, did you mean --%s?", given,
				 best.word);
	return error_set(err, ERR_USAGE, "unknown option --%s", given);
}

static int refuse_later(const struct option_spec *spec, struct error *err)
{
	return error_set(err, ERR_UNSUPPORTED, "option --%s is not there yet", spec->name);
}

static int take_long(const struct option_spec *const *tables, char **argv, int *i, struct args *a,
		     struct error *err)
{
	const char *name = argv[*i] + 2;
	const char *equals = strchr(name, '=');
	size_t len = equals ? (size_t)(equals - name) : strlen(name);
	const struct option_spec *spec = options_find(tables, name, len);
	const char *value = equals ? equals + 1 : NULL;

	if (!spec)
		return unknown_option(tables, name, len, err);
	if (spec->flags & OPTION_LATER)
		return refuse_later(spec, err);
	if (!spec->value && value)
		return error_set(err, ERR_USAGE, "option --%s takes no value", spec->name);
	if (spec->value && !value) {
		value = argv[*i + 1];
		if (!value)
			return error_set(err, ERR_USAGE, "option --%s needs a value: %s",
					 spec->name, spec->value);
		*i += 1;
	}
	args_add_option(a, spec, value);
	return 0;
}

static int take_short(const struct option_spec *const *tables, char **argv, int *i, struct args *a,
		      struct error *err)
{
	for (const char *p = argv[*i] + 1; *p; p++) {
		const struct option_spec *spec = find_letter(tables, *p);

		if (!spec)
			return error_set(err, ERR_USAGE, "unknown option -%c", *p);
		if (spec->flags & OPTION_LATER)
			return refuse_later(spec, err);
		if (!spec->value) {
			args_add_option(a, spec, NULL);
			continue;
		}
		if (p[1]) {
			args_add_option(a, spec, p + 1);
			return 0;
		}
		if (!argv[*i + 1])
			return error_set(err, ERR_USAGE, "option -%c needs a value: %s", *p,
					 spec->value);
		*i += 1;
		args_add_option(a, spec, argv[*i]);
		return 0;
	}
	return 0;
}

int options_take(const struct option_spec *const *tables, char **argv, int *i, struct args *a,
		 struct error *err)
{
	if (argv[*i][1] == '-')
		return take_long(tables, argv, i, a, err);
	return take_short(tables, argv, i, a, err);
}

/* One of this name that takes a value as the other one does, or neither. */
static const struct option_spec *find_like(const struct option_spec *const *tables,
					   const struct option_spec *like)
{
	for (; *tables; tables++)
		for (const struct option_spec *o = *tables; o->name; o++)
			if (strcmp(o->name, like->name) == 0 && !o->value == !like->value)
				return o;
	return NULL;
}

int options_recheck(const struct option_spec *const *tables, struct args *a, struct error *err)
{
	for (size_t i = 0; i < a->n_options; i++) {
		const char *name = a->options[i].spec->name;
		const struct option_spec *spec = find_like(tables, a->options[i].spec);

		if (!spec)
			return unknown_option(tables, name, strlen(name), err);
		if (spec->flags & OPTION_LATER)
			return refuse_later(spec, err);
		a->options[i].spec = spec;
	}
	return 0;
}

static const struct args_option *find_last(const struct args *a, const char *name)
{
	for (size_t i = a->n_options; i > 0; i--)
		if (strcmp(a->options[i - 1].spec->name, name) == 0)
			return &a->options[i - 1];
	return NULL;
}

bool args_has(const struct args *a, const char *name)
{
	return find_last(a, name) != NULL;
}

bool args_has_flag(const struct args *a, const char *name)
{
	for (size_t i = 0; i < a->n_options; i++)
		if (!a->options[i].spec->value && strcmp(a->options[i].spec->name, name) == 0)
			return true;
	return false;
}

const char *args_value(const struct args *a, const char *name)
{
	for (size_t i = a->n_options; i > 0; i--)
		if (a->options[i - 1].value && strcmp(a->options[i - 1].spec->name, name) == 0)
			return a->options[i - 1].value;
	return NULL;
}

const char *args_next(const struct args *a, const char *name, size_t *i)
{
	while (*i < a->n_options) {
		const struct args_option *o = &a->options[(*i)++];

		if (strcmp(o->spec->name, name) == 0)
			return o->value;
	}
	return NULL;
}
