/* SPDX-License-Identifier: Apache-2.0 */
/*
 * References to images in registries, as docker writes them, and their normal form:
 *
 *   [docker://][domain[:port]/]path[:tag][@digest]      alpine -> docker.io/library/alpine:latest
 */
#pragma once

#include "pkg/base/cleanup.h"
#include "pkg/base/error.h"
#include "pkg/digest/digest.h"

struct reference {
	char *domain;	      /* "docker.io", "localhost:5000", "[::1]:5000" */
	char *path;	      /* "library/alpine" */
	char *tag;	      /* NULL only when there is a digest and no tag was given */
	struct digest digest; /* DIGEST_NONE, or decides over the tag */
};

/* Errors: ERR_USAGE with the reason. */
MUST_CHECK int reference_parse(const char *text, struct reference *ret, struct error *err);
void reference_release(struct reference *r);

/* As it is recorded: "docker.io/library/alpine:3.20", "quay.io/x/y:1@sha256:..". Owned. */
char *reference_name(const struct reference *r);

/* The host, with its port, that answers for the domain: docker.io is served elsewhere. */
const char *reference_api_host(const struct reference *r);
const char *reference_host_of(const char *domain);
/* The other way round. */
const char *reference_domain_of(const char *host);
