/* SPDX-License-Identifier: Apache-2.0 */
/* Follows redirects one by one and decides at each whether it may be followed. */
#include "registry/redirect.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "pkg/base/alloc.h"
#include "pkg/base/log.h"
#include "registry/http_url.h"

enum { REDIRECTS_MAX = 10 };

static bool is_redirect(const struct http_response *r)
{
	switch (r->status) {
	case 301:
	case 302:
	case 303:
	case 307:
	case 308:
		return r->location && *r->location; /* "" would be any place below */
	default:
		return false;
	}
}

static int check_hop(const struct http_url *first, const struct http_url *from,
		     const struct http_url *to, struct error *err)
{
	if (!strcmp(from->scheme, "https") && strcmp(to->scheme, "https") != 0)
		return error_set(err, ERR_INVALID,
				 "redirected from https to plain http on %.100s, not followed",
				 to->host);
	if (http_host_is_local(to->host) && strcasecmp(first->host, to->host) != 0
	    && !(http_host_is_loopback(first->host) && http_host_is_loopback(to->host)))
		return error_set(err, ERR_INVALID,
				 "redirected to %.100s, an address of this machine, not followed",
				 to->host);
	return 0;
}

/* The next URL, if it may be asked. */
static int next_url(const char *first_url, const char *url, const char *location, char **ret,
		    bool *ret_left, struct error *err)
{
	cleanup(http_url_release) struct http_url first = {0}, from = {0}, to = {0};
	cleanup_free char *next = NULL;

	if (http_url_join(url, location, &next, err) < 0
	    || http_url_parse(first_url, &first, err) < 0 || http_url_parse(url, &from, err) < 0
	    || http_url_parse(next, &to, err) < 0 || check_hop(&first, &from, &to, err) < 0)
		return -1;
	/* Once left, always left: what comes back by a second redirect was chosen by others. */
	*ret_left |= !http_url_same_origin(&first, &to);
	*ret = steal(&next);
	return 0;
}

/* Replace the response by that of the place it points to. */
static int follow(struct http_client *c, const struct http_request *request, char **url,
		  struct http_response *r, bool *left, enum http_problem *problem,
		  struct error *err)
{
	struct http_request next = *request;
	char *to;
	int rc;

	*problem = HTTP_PROBLEM_OTHER;
	rc = next_url(request->url, *url, r->location, &to, left, err);
	if (rc < 0)
		error_wrap(err, "%s", r->url);
	http_response_release(r);
	if (rc < 0)
		return -1;
	free(*url);
	*url = to;
	next.url = to;
	if (*left)
		next.authorization = NULL;
	return http_get(c, &next, r, problem, err);
}

int redirect_get(struct http_client *c, const struct http_request *request,
		 struct http_response *ret, bool *ret_left, enum http_problem *ret_problem,
		 struct error *err)
{
	cleanup_free char *url = xstrdup(request->url);
	struct http_response r = {0};
	bool left = false;

	if (http_get(c, request, &r, ret_problem, err) < 0)
		return -1;
	for (int hops = 0; is_redirect(&r); hops++) {
		if (hops == REDIRECTS_MAX) {
			http_response_release(&r);
			*ret_problem = HTTP_PROBLEM_OTHER;
			return error_set(err, ERR_INVALID, "%s: more than %d redirects",
					 request->url, REDIRECTS_MAX);
		}
		if (follow(c, request, &url, &r, &left, ret_problem, err) < 0)
			return -1;
		log_debug("http: redirected to %s", r.url);
	}
	*ret = r;
	*ret_left = left;
	return 0;
}
