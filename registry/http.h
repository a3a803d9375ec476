/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request by libcurl. Follows nothing, retries nothing, stores nothing, authenticates
 * nothing: the files above it do. The body is a stream that reads ahead into a bounded buffer.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "pkg/base/cleanup.h"
#include "pkg/base/error.h"
#include "pkg/stream/stream.h"

struct http_client; /* keeps connections for reuse; may be shared between threads */

struct http_options {
	long connect_ms; /* 0: 30 s */
	/* Slower than that many bytes a second for so long is a broken connection; 0: 100, 60. */
	long low_speed_bytes, low_speed_s;
	const char *ca_file; /* certificates to trust; NULL: $SSL_CERT_FILE, or the system's */

	/* PEM files of more to trust besides those, wherever the client goes. */
	char *const *ca_files;
	size_t n_ca_files;
	const char *proxy; /* in the place of those of the environment; NULL: as that says */
	/*
	 * What is only for one host and port. Elsewhere, where redirects and token servers may be,
	 * there is no client certificate and none of the headers, and certificates are checked
	 * unless nothing that is secret is sent.
	 */
	const char *home_url;
	const char *client_cert, *client_key; /* PEM files; NULL, or both */
	char *const *headers;		      /* "Name: value"; those of a request come before */
	size_t n_headers;
	bool skip_verify;
};

/* @options: copied; NULL for the usual. */
struct http_client *http_client_new(const struct http_options *options);
/* All bodies must have been closed. */
void http_client_free(struct http_client *c);
DEFINE_CLEANUP(struct http_client *, http_client_free);

struct http_request {
	const char *url;
	const char *accept;	   /* or NULL */
	const char *authorization; /* whole header value, or NULL */
	const char *range;	   /* header value, "bytes=5-"; or NULL */
	const char *form;	   /* POST this, urlencoded; NULL: GET */
	long total_ms;		   /* for all of it, the body too; 0: no limit */
};

#define HTTP_LENGTH_UNKNOWN UINT64_MAX

/* Owned; absent headers are NULL. */
struct http_response {
	int status;
	char *url; /* that answered, without query */
	char *content_type;
	char *content_range;
	char *content_digest; /* Docker-Content-Digest */
	char *location;
	char *warning;	    /* the first Warning header that is for people: 299 */
	char *authenticate; /* all WWW-Authenticate headers, joined by ", " */
	uint64_t content_length;
	unsigned retry_after_s; /* 0 = not said */
	struct stream *body;
};

/* Why there is no response, for who wants to try again. */
enum http_problem {
	HTTP_PROBLEM_NONE,
	HTTP_PROBLEM_CONNECT, /* name, route, refused, timed out */
	HTTP_PROBLEM_BROKEN,  /* connected, then reset or silent */
	HTTP_PROBLEM_NO_TLS,  /* the handshake failed: perhaps no TLS is spoken there */
	HTTP_PROBLEM_CERTIFICATE,
	HTTP_PROBLEM_OTHER, /* protocol, limits */
};

/* Whether trying again is of any use. */
bool http_problem_may_pass(enum http_problem problem);

/*
 * Returns when the headers are there, whatever the status.
 * @ret_problem: set on failure, too.
 * Errors, each with a detail and naming the step it failed at: ERR_NETWORK, ERR_VERIFICATION
 * (certificate), ERR_SYSTEM (nothing to check certificates by), ERR_INVALID (headers without end,
 * a client certificate that is none), ERR_UNAUTHORIZED (the server wants one), ERR_INTERRUPTED; those of the body: ERR_NETWORK, also when it is shorter than announced.
 */
MUST_CHECK int http_get(struct http_client *c, const struct http_request *request,
			struct http_response *ret, enum http_problem *ret_problem,
			struct error *err);
void http_response_release(struct http_response *r);
