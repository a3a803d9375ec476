/* SPDX-License-Identifier: Apache-2.0 */
/* Platforms: the many spellings made one, and the order of preference (rule B14). */
#include "oci/platform.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "pkg/base/alloc.h"

/* Spellings of an architecture: uname's, Debian's, and those that carry a variant. */
static const struct {
	const char *from, *architecture, *variant; /* NULL: as given */
} spellings[] = {
	{"x86_64", "amd64", NULL},	{"x86-64", "amd64", NULL},
	{"i386", "386", NULL},		{"i486", "386", NULL},
	{"i586", "386", NULL},		{"i686", "386", NULL},
	{"aarch64", "arm64", NULL},	{"armhf", "arm", "v7"},
	{"armel", "arm", "v6"},		{"armv5l", "arm", "v5"},
	{"armv6l", "arm", "v6"},	{"armv7l", "arm", "v7"},
	{"armv8l", "arm", "v8"},	{"ppc64el", "ppc64le", NULL},
	{"mips64el", "mips64le", NULL}, {"loongarch64", "loong64", NULL},
};

/* A lone word of these is an operating system, any other an architecture. */
static const char *const systems[] = {"linux",	 "windows", "darwin",  "freebsd", "netbsd",
				      "openbsd", "solaris", "illumos", "aix",	  "android",
				      "plan9",	 "wasip1",  "js"};

static void lower(char *text)
{
	for (; *text; text++)
		*text = (char)tolower((unsigned char)*text);
}

static void set(char *to, size_t size, const char *text)
{
	snprintf(to, size, "%s", text);
}

#define SET(field, text) set(field, sizeof(field), text)

static void normalise_variant(struct oci_platform *p)
{
	bool arm = !strcmp(p->architecture, "arm"), arm64 = !strcmp(p->architecture, "arm64");
	size_t len;

	/* "8" -> "v8", "v9.0" -> "v9" */
	if ((arm || arm64) && isdigit((unsigned char)p->variant[0])) {
		char text[sizeof(p->variant)];

		snprintf(text, sizeof(text), "v%s", p->variant);
		SET(p->variant, text);
	}
	len = strlen(p->variant);
	if (arm64 && len > 2 && !strcmp(p->variant + len - 2, ".0"))
		p->variant[len - 2] = '\0';
	if (arm && !p->variant[0])
		SET(p->variant, "v7");
	if ((arm64 && !strcmp(p->variant, "v8"))
	    || (!strcmp(p->architecture, "amd64") && !strcmp(p->variant, "v1")))
		p->variant[0] = '\0';
}

void oci_platform_normalise(struct oci_platform *p)
{
	lower(p->os);
	lower(p->architecture);
	lower(p->variant);
	if (!strcmp(p->os, "macos"))
		SET(p->os, "darwin");
	for (size_t i = 0; i < ARRAY_SIZE(spellings); i++) {
		if (strcmp(p->architecture, spellings[i].from) != 0)
			continue;
		SET(p->architecture, spellings[i].architecture);
		if (spellings[i].variant && !p->variant[0])
			SET(p->variant, spellings[i].variant);
		break;
	}
	normalise_variant(p);
}

void oci_platform_host(struct oci_platform *ret)
{
	struct utsname name;

	*ret = (struct oci_platform){.os = "linux"};
	if (uname(&name) == 0)
		snprintf(ret->architecture, sizeof(ret->architecture), "%.31s", name.machine);
	/* uname does not tell the byte order. */
	if (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ && !strncmp(ret->architecture, "mips", 4))
		strncat(ret->architecture, "le",
			sizeof(ret->architecture) - strlen(ret->architecture) - 1);
	oci_platform_normalise(ret);
}

static bool is_system(const char *word)
{
	for (size_t i = 0; i < ARRAY_SIZE(systems); i++)
		if (!strcmp(systems[i], word))
			return true;
	return false;
}

/* Copy one part of "os/arch/variant"; NULL if it is empty, too long or has other characters. */
static const char *take_part(const char *text, char *to, size_t size)
{
	size_t len = strcspn(text, "/");

	if (len == 0 || len >= size)
		return NULL;
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)text[i]) && !strchr("_.-", text[i]))
			return NULL;
	memcpy(to, text, len);
	to[len] = '\0';
	lower(to);
	return text + len;
}

int oci_platform_parse(const char *text, struct oci_platform *ret, struct error *err)
{
	char parts[3][sizeof(ret->os)] = {0};
	struct oci_platform p = {0};
	const char *at = text;
	size_t n = 0;

	do {
		at = n < 3 ? take_part(at, parts[n], sizeof(parts[n])) : NULL;
		if (!at)
			return error_set(err, ERR_USAGE,
					 "'%.80s' is not a platform: os/arch[/variant] is expected",
					 text);
		n++;
	} while (*at++ == '/');
	if (n == 1 && is_system(parts[0])) {
		oci_platform_host(&p);
		SET(p.os, parts[0]);
	} else if (n == 1) {
		SET(p.os, "linux");
		SET(p.architecture, parts[0]);
	} else {
		SET(p.os, parts[0]);
		SET(p.architecture, parts[1]);
		SET(p.variant, parts[2]);
	}
	oci_platform_normalise(&p);
	*ret = p;
	return 0;
}

const char *oci_platform_format(const struct oci_platform *p, char *buf, unsigned long size)
{
	snprintf(buf, size, "%s/%s%s%s", p->os, p->architecture, p->variant[0] ? "/" : "",
		 p->variant);
	return buf;
}

/* --- matching --------------------------------------------------------------------------------- */

enum { SCORE_EXACT = 1000, SCORE_OTHER_FAMILY = 500, SCORE_OTHER_WIDTH = 100 };

struct version {
	int major, minor;
};

/* "v9.2" -> 9, 2; "" -> the baseline. False if the text is no version. */
static bool parse_version(const char *text, int baseline, struct version *ret)
{
	int used = 0;

	*ret = (struct version){baseline, 0};
	if (!*text)
		return true;
	if (sscanf(text, "v%2d%n", &ret->major, &used) != 1 || used == 0)
		return false;
	text += used;
	if (!*text)
		return true;
	used = 0;
	return sscanf(text, ".%2d%n", &ret->minor, &used) == 1 && used > 0 && !text[used];
}

static int match_amd64(const struct oci_platform *want, const struct oci_platform *have)
{
	struct version w, h;

	if (!strcmp(have->architecture, "386"))
		return have->variant[0] ? 0 : SCORE_OTHER_WIDTH;
	if (strcmp(have->architecture, "amd64") != 0 || !parse_version(want->variant, 1, &w)
	    || !parse_version(have->variant, 1, &h) || h.major > w.major)
		return 0;
	return SCORE_EXACT - (w.major - h.major);
}

/* v9.y runs what v8.(y+5) runs; 32-bit images come last, the newest first. */
static int match_arm64(const struct oci_platform *want, const struct oci_platform *have)
{
	bool is_arm = !strcmp(have->architecture, "arm");
	struct version w, h;

	if (!parse_version(want->variant, 8, &w)
	    || !parse_version(have->variant, is_arm ? 7 : 8, &h))
		return 0;
	if (is_arm)
		return h.major >= 5 && h.major <= 8 && !h.minor ? SCORE_OTHER_WIDTH + h.major : 0;
	if (strcmp(have->architecture, "arm64") != 0)
		return 0;
	if (h.major == w.major)
		return h.minor <= w.minor ? SCORE_EXACT - (w.minor - h.minor) : 0;
	if (w.major == 9 && h.major == 8 && h.minor <= w.minor + 5)
		return SCORE_OTHER_FAMILY - (w.minor + 5 - h.minor);
	return 0;
}

static int match_arm(const struct oci_platform *want, const struct oci_platform *have)
{
	struct version w, h;

	if (strcmp(have->architecture, "arm") != 0 || !parse_version(want->variant, 7, &w)
	    || !parse_version(have->variant, 7, &h) || h.major > w.major || h.minor || w.minor)
		return 0;
	return SCORE_EXACT - (w.major - h.major);
}

static int match_other(const struct oci_platform *want, const struct oci_platform *have)
{
	if (strcmp(want->architecture, have->architecture) != 0)
		return 0;
	if (!strcmp(want->variant, have->variant))
		return SCORE_EXACT;
	return have->variant[0] ? 0 : SCORE_EXACT - 1; /* the baseline runs everywhere */
}

int oci_platform_match(const struct oci_platform *want, const struct oci_platform *have)
{
	if (strcmp(want->os, have->os) != 0)
		return 0;
	if (!strcmp(want->architecture, have->architecture)
	    && !strcmp(want->variant, have->variant))
		return SCORE_EXACT;
	if (!strcmp(want->architecture, "amd64"))
		return match_amd64(want, have);
	if (!strcmp(want->architecture, "arm64"))
		return match_arm64(want, have);
	if (!strcmp(want->architecture, "arm"))
		return match_arm(want, have);
	return match_other(want, have);
}
