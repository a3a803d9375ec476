/* SPDX-License-Identifier: Apache-2.0 */
/* A place where an image may be asked for, and how: a registry itself, or a mirror of it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "pkg/base/cleanup.h"
#include "pkg/base/error.h"

/* What is trusted there, and who we are. */
struct endpoint_tls {
	char **ca_files; /* besides the authorities of the system */
	size_t n_ca_files;
	char *client_cert, *client_key; /* PEM files; NULL, or both */
	bool skip_verify;
};

struct endpoint {
	/* scheme://host[:port], and all that stands before "/<path>/manifests/..": mostly "/v2" */
	char *url;
	char *host; /* of the URL, with its port if one is written: for messages and credentials */
	char *path; /* of the repository there */
	char *ns;   /* the host that is meant: sent as ?ns=, or NULL */
	bool is_origin;	   /* the host that the reference names, whoever else may be asked */
	bool resolves;	   /* may say what a tag stands for */
	bool pulls;	   /* may give what has a digest */
	bool may_be_plain; /* https, or http where no TLS is spoken */
	struct endpoint_tls tls;
	char **headers; /* "Name: value" */
	size_t n_headers;
	long dial_timeout_ms; /* 0: the usual */
	char *proxy;	      /* NULL: as the environment says */
};

struct endpoints {
	struct endpoint *items; /* in the order in which they are asked */
	size_t n, room;
};

/*
 * Take a URL apart into url and host. Without a scheme it is https; "/v2" is added unless it is
 * there or the whole path is meant as it stands.
 * Errors: ERR_INVALID.
 */
MUST_CHECK int endpoint_set_url(struct endpoint *e, const char *url, bool override_path,
				struct error *err);

/* A new one at the end, empty. Borrowed until the next. */
struct endpoint *endpoints_add(struct endpoints *list);
/* Take all of another list, which is empty afterwards. */
void endpoints_join(struct endpoints *list, struct endpoints *more);

void endpoint_tls_add_ca(struct endpoint_tls *tls, const char *path);
bool endpoint_tls_is_set(const struct endpoint_tls *tls);
void endpoint_tls_release(struct endpoint_tls *tls);
void endpoint_add_header(struct endpoint *e, const char *name, const char *value);

void endpoint_copy(struct endpoint *to, const struct endpoint *from);
void endpoint_release(struct endpoint *e);
void endpoints_release(struct endpoints *list);
