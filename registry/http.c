/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one place that uses libcurl for transfers (its errors: http_error.c). A transfer is driven from the stream's fill():
 * nothing moves while nobody reads, and a full buffer pauses it.
 */
#include "registry/http.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "pkg/base/alloc.h"
#include "pkg/base/interrupt.h"
#include "pkg/base/secret.h"
#include "pkg/stream/stage.h"
#include "registry/http_internal.h"
#include "registry/http_url.h"

enum {
	BODY_BUFFER_BYTES = 1 << 20,
	CURL_BUFFER_BYTES = 256 << 10,
	HEADERS_MAX_BYTES = 256 << 10,
	POLL_MS = 500, /* how soon a signal is noticed */
	IDLE_MAX = 8,
};

/*
 * A multi handle is used by one transfer at a time and keeps its connections afterwards, so idle
 * ones are the connection cache.
 */
struct http_client {
	struct http_options options; /* numbers only */
	struct http_identity *identity;
	pthread_mutex_t lock;
	CURLM *idle[IDLE_MAX];
	size_t n_idle;
};

/* A request on its way; the body stream once it is handed out. */
struct transfer {
	struct stream stream;
	struct http_client *client;
	CURLM *multi;
	CURL *easy;
	struct curl_slist *headers;
	char *form;
	char why[CURL_ERROR_SIZE];
	struct http_response head;
	size_t header_bytes;
	bool has_headers, is_paused, is_done, is_lent;
	CURLcode code;
	uint8_t *buffer;
	size_t have; /* bytes in buffer */
	uint64_t received;
};

/* --- client --------------------------------------------------------------------------------------
 */

/* Headers and answers hold secrets, and libcurl makes copies of them. */
static void init_curl(void)
{
	if (curl_global_init_mem(CURL_GLOBAL_DEFAULT, malloc, secret_free_block,
				 secret_realloc_block, strdup, calloc)
	    != 0)
		abort();
}

struct http_client *http_client_new(const struct http_options *options)
{
	enum { CONNECT_MS = 30000, LOW_SPEED_BYTES = 100, LOW_SPEED_S = 60 };
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct http_client *c = xcalloc(1, sizeof(*c));
	struct http_options *o = &c->options;

	pthread_once(&once, init_curl);
	if (options)
		*o = *options;
	o->connect_ms = o->connect_ms ? o->connect_ms : CONNECT_MS;
	o->low_speed_bytes = o->low_speed_bytes ? o->low_speed_bytes : LOW_SPEED_BYTES;
	o->low_speed_s = o->low_speed_s ? o->low_speed_s : LOW_SPEED_S;
	c->identity = http_identity_new(o);
	pthread_mutex_init(&c->lock, NULL);
	return c;
}

void http_client_free(struct http_client *c)
{
	for (size_t i = 0; i < c->n_idle; i++)
		curl_multi_cleanup(c->idle[i]);
	pthread_mutex_destroy(&c->lock);
	http_identity_free(c->identity);
	free(c);
}

static CURLM *take_multi(struct http_client *c)
{
	CURLM *multi = NULL;

	pthread_mutex_lock(&c->lock);
	if (c->n_idle > 0)
		multi = c->idle[--c->n_idle];
	pthread_mutex_unlock(&c->lock);
	if (!multi)
		multi = curl_multi_init();
	if (!multi)
		abort(); /* out of memory */
	return multi;
}

static void give_multi(struct http_client *c, CURLM *multi)
{
	pthread_mutex_lock(&c->lock);
	if (c->n_idle < IDLE_MAX) {
		c->idle[c->n_idle++] = multi;
		multi = NULL;
	}
	pthread_mutex_unlock(&c->lock);
	if (multi)
		curl_multi_cleanup(multi);
}

/* --- headers -------------------------------------------------------------------------------------
 */

static char *trimmed(const char *value, size_t len)
{
	while (len > 0 && (*value == ' ' || *value == '\t'))
		value++, len--;
	while (len > 0 && strchr(" \t\r\n", value[len - 1]))
		len--;
	return xstrndup(value, len);
}

static void set_once(char **field, const char *value, size_t len)
{
	if (!*field)
		*field = trimmed(value, len);
}

static void append(char **field, const char *value, size_t len)
{
	char *text = trimmed(value, len);

	if (*field) {
		char *both = xasprintf("%s, %s", *field, text);

		free(*field);
		free(text);
		text = both;
	}
	*field = text;
}

static void release_head(struct http_response *head)
{
	free(head->content_type);
	free(head->content_range);
	free(head->content_digest);
	free(head->location);
	free(head->authenticate);
	free(head->warning);
	head->content_type = head->content_range = head->content_digest = NULL;
	head->location = head->authenticate = head->warning = NULL;
}

/* RFC 7234: 299 - "text"; of others (that a cache is stale) nobody needs to know. */
static void keep_warning(char **field, const char *value, size_t len)
{
	char *text = trimmed(value, len);

	if (!*field && !strncmp(text, "299 ", 4))
		*field = steal(&text);
	free(text);
}

static void keep_header(struct transfer *t, const char *line, size_t len)
{
	const char *colon = memchr(line, ':', len);
	size_t name = colon ? (size_t)(colon - line) : 0;
	size_t rest = colon ? len - name - 1 : 0;

#define IS(text) (name == sizeof(text) - 1 && !strncasecmp(line, text, name))
	if (IS("content-type"))
		set_once(&t->head.content_type, colon + 1, rest);
	else if (IS("content-range"))
		set_once(&t->head.content_range, colon + 1, rest);
	else if (IS("docker-content-digest"))
		set_once(&t->head.content_digest, colon + 1, rest);
	else if (IS("location"))
		set_once(&t->head.location, colon + 1, rest);
	else if (IS("warning"))
		keep_warning(&t->head.warning, colon + 1, rest);
	else if (IS("www-authenticate"))
		append(&t->head.authenticate, colon + 1, rest);
#undef IS
}

/* The empty line after the headers; those of an interim response (1xx) do not count. */
static void end_headers(struct transfer *t)
{
	long status = 0;
	curl_off_t length = -1, wait = 0;

	curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status < 200) {
		release_head(&t->head);
		return;
	}
	curl_easy_getinfo(t->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
	curl_easy_getinfo(t->easy, CURLINFO_RETRY_AFTER, &wait);
	t->head.status = (int)status;
	t->head.content_length = length < 0 ? HTTP_LENGTH_UNKNOWN : (uint64_t)length;
	t->head.retry_after_s = wait > 86400 ? 86400 : wait > 0 ? (unsigned)wait : 0;
	t->has_headers = true;
}

static size_t on_header(char *line, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;
	size_t len = size * n;

	t->header_bytes += len;
	if (t->header_bytes > HEADERS_MAX_BYTES)
		return 0; /* fails the transfer */
	if (t->has_headers)
		return len; /* trailers of a chunked body */
	if (len <= 2 && strchr("\r\n", line[0]))
		end_headers(t);
	else
		keep_header(t, line, len);
	return len;
}

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;
	size_t len = size * n;

	if (len > BODY_BUFFER_BYTES - t->have) {
		t->is_paused = true;
		return CURL_WRITEFUNC_PAUSE;
	}
	memcpy(t->buffer + t->have, data, len);
	t->have += len;
	t->received += len;
	return len;
}

/* --- errors --------------------------------------------------------------------------------------
 */

/* curl's words */
static const char *why(const struct transfer *t)
{
	return t->why[0] ? t->why : curl_easy_strerror(t->code);
}

static int fail(const struct transfer *t, struct error *err)
{
	if (t->header_bytes > HEADERS_MAX_BYTES)
		error_set(err, ERR_INVALID, "more than %d bytes of headers", HEADERS_MAX_BYTES);
	else if (t->has_headers && t->head.content_length != HTTP_LENGTH_UNKNOWN)
		error_set(err, ERR_NETWORK, "the body was cut after %llu of %llu bytes: %s",
			  (unsigned long long)t->received,
			  (unsigned long long)t->head.content_length, why(t));
	else if (t->has_headers)
		error_set(err, ERR_NETWORK, "the body was cut after %llu bytes: %s",
			  (unsigned long long)t->received, why(t));
	else
		http_fail_at_step(t->easy, t->code, why(t), err);
	return error_wrap(err, "%s", t->head.url);
}

/* --- driving -------------------------------------------------------------------------------------
 */

static void look_whether_done(struct transfer *t)
{
	int left;
	CURLMsg *message;

	while ((message = curl_multi_info_read(t->multi, &left)))
		if (message->msg == CURLMSG_DONE) {
			t->is_done = true;
			t->code = message->data.result;
		}
}

/* Move the transfer on; waits only if nothing came. */
static int drive(struct transfer *t, struct error *err)
{
	size_t had = t->have;
	CURLMcode code;
	int running;

	if (interrupt_check(err) < 0)
		return -1;
	if (t->is_paused) {
		t->is_paused = false;
		curl_easy_pause(t->easy, CURLPAUSE_CONT);
	}
	code = curl_multi_perform(t->multi, &running);
	look_whether_done(t);
	if (code == CURLM_OK && !t->is_done && t->have == had && !t->is_paused)
		code = curl_multi_poll(t->multi, NULL, 0, POLL_MS, NULL);
	if (code != CURLM_OK)
		return error_set(err, ERR_NETWORK, "%s: %s", t->head.url,
				 curl_multi_strerror(code));
	return 0;
}

static int body_fill(struct stream *s, const uint8_t **ret, size_t *ret_len, struct error *err)
{
	struct transfer *t = (struct transfer *)s;

	/* What was lent is taken by now; bytes that came along with the headers are not lent yet.
	 */
	if (t->is_lent)
		t->have = 0;
	t->is_lent = true;
	while (t->have == 0 && !t->is_done)
		if (drive(t, err) < 0)
			return -1;
	if (t->have == 0)
		return t->code == CURLE_OK ? 1 : fail(t, err);
	*ret = t->buffer;
	*ret_len = t->have;
	return 0;
}

static void body_release(struct stream *s)
{
	struct transfer *t = (struct transfer *)s;

	curl_multi_remove_handle(t->multi, t->easy);
	curl_easy_cleanup(t->easy);
	give_multi(t->client, t->multi);
	curl_slist_free_all(t->headers);
	secret_free(t->form);
	release_head(&t->head);
	free(t->head.url);
	explicit_bzero(t->buffer,
		       t->received < BODY_BUFFER_BYTES ? t->received : BODY_BUFFER_BYTES);
	free(t->buffer);
}

/* --- one request ---------------------------------------------------------------------------------
 */

static void add_header(struct transfer *t, const char *name, const char *value)
{
	cleanup_secret char *line = secret_join(name, value);
	struct curl_slist *list = curl_slist_append(t->headers, line);

	if (!list)
		abort(); /* out of memory */
	t->headers = list;
}

/*
 * HTTP/2 where TLS offers it. A connection has one transfer at a time all the same, as each has its
 * own multi handle: a paused one holds back nobody else.
 * CURLOPT_HTTP_CONTENT_DECODING: digests are over the bytes as sent.
 */
static void set_options(struct transfer *t, const struct http_request *request)
{
	const struct http_options *options = &t->client->options;
	CURL *e = t->easy;

	curl_easy_setopt(e, CURLOPT_URL, request->url);
	curl_easy_setopt(e, CURLOPT_USERAGENT, "thinpull");
	curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
	curl_easy_setopt(e, CURLOPT_HTTP09_ALLOWED, 0L);
	curl_easy_setopt(e, CURLOPT_HTTP_CONTENT_DECODING, 0L);
	curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(e, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	curl_easy_setopt(e, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
	curl_easy_setopt(e, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(e, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(e, CURLOPT_BUFFERSIZE, (long)CURL_BUFFER_BYTES);
	curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, options->connect_ms);
	curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, request->total_ms);
	curl_easy_setopt(e, CURLOPT_LOW_SPEED_LIMIT, options->low_speed_bytes);
	curl_easy_setopt(e, CURLOPT_LOW_SPEED_TIME, options->low_speed_s);
	curl_easy_setopt(e, CURLOPT_ERRORBUFFER, t->why);
	curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(e, CURLOPT_HEADERDATA, t);
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, t);
}

/* The form must outlive the request: the answer may begin before all of it is sent. */
static void set_form(struct transfer *t, const char *form)
{
	t->form = xstrdup(form);
	add_header(t, "Content-Type: ", "application/x-www-form-urlencoded");
	add_header(t, "Expect:", ""); /* none, which servers do not always know */
	curl_easy_setopt(t->easy, CURLOPT_POSTFIELDS, t->form);
}

static struct transfer *start(struct http_client *c, const struct http_request *request)
{
	static const struct stream_ops ops = {.fill = body_fill, .release = body_release};
	struct transfer *t = xcalloc(1, sizeof(*t));

	t->stream.ops = &ops;
	t->client = c;
	t->multi = take_multi(c);
	t->easy = curl_easy_init();
	if (!t->easy)
		abort(); /* out of memory */
	t->buffer = xmalloc(BODY_BUFFER_BYTES);
	t->head.url = http_url_shown(request->url);
	add_header(t, "Accept-Encoding: ", "identity");
	if (request->accept)
		add_header(t, "Accept: ", request->accept);
	if (request->authorization)
		add_header(t, "Authorization: ", request->authorization);
	if (request->range)
		add_header(t, "Range: ", request->range);
	if (request->form)
		set_form(t, request->form);
	set_options(t, request);
	return t;
}

static int send_request(struct transfer *t, const struct http_request *request, struct error *err)
{
	if (http_identity_apply(t->client->identity, request, t->easy, &t->headers, err) < 0)
		return error_wrap(err, "%s", t->head.url);
	curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers);
	curl_multi_add_handle(t->multi, t->easy);
	return 0;
}

/* A copy of the head for the caller; the transfer keeps its own for errors of the body. */
static void copy_head(const struct transfer *t, struct http_response *ret)
{
	const struct http_response *h = &t->head;

	*ret = *h;
	ret->url = xstrdup(h->url);
	ret->content_type = h->content_type ? xstrdup(h->content_type) : NULL;
	ret->content_range = h->content_range ? xstrdup(h->content_range) : NULL;
	ret->content_digest = h->content_digest ? xstrdup(h->content_digest) : NULL;
	ret->location = h->location ? xstrdup(h->location) : NULL;
	ret->authenticate = h->authenticate ? xstrdup(h->authenticate) : NULL;
	ret->warning = h->warning ? xstrdup(h->warning) : NULL;
}

int http_get(struct http_client *c, const struct http_request *request, struct http_response *ret,
	     enum http_problem *ret_problem, struct error *err)
{
	cleanup(stream_close_ptr) struct stream *body = NULL;
	struct transfer *t = start(c, request);

	body = &t->stream;
	*ret_problem = HTTP_PROBLEM_OTHER;
	if (send_request(t, request, err) < 0)
		return -1;
	while (!t->has_headers && !t->is_done)
		if (drive(t, err) < 0)
			return -1;
	if (!t->has_headers) {
		*ret_problem = http_problem_of(t->easy, t->code, why(t));
		return fail(t, err);
	}
	*ret_problem = HTTP_PROBLEM_NONE;
	copy_head(t, ret);
	ret->body = steal(&body);
	return 0;
}

void http_response_release(struct http_response *r)
{
	if (r->body)
		stream_close(r->body);
	release_head(r);
	free(r->url);
	*r = (struct http_response){0};
}
