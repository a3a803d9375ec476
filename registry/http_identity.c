/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a client trusts, who it is, and which way it goes. A client is made for one host; what is
 * meant for that host only, its home, does not follow it to where redirects and token servers are.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/base/secret.h"
#include "registry/config_file.h"
#include "registry/http_internal.h"
#include "registry/http_url.h"

struct texts {
	char **items;
	size_t n;
};

struct http_identity {
	char *ca_file; /* in the place of the system's */
	struct texts ca_files, headers;
	char *client_cert, *client_key, *proxy;
	bool skip_verify;
	struct http_url home;	   /* no host: everywhere */
	pthread_mutex_t lock;	   /* of the two below */
	struct buffer authorities; /* what is in all those files */
	bool has_read_authorities;
};

/* --- life ------------------------------------------------------------------------------------- */

static char *copy_text(const char *text)
{
	return text ? xstrdup(text) : NULL;
}

static struct texts copy_texts(char *const *items, size_t n)
{
	struct texts copy = {xcalloc(n ? n : 1, sizeof(*copy.items)), n};

	for (size_t i = 0; i < n; i++)
		copy.items[i] = xstrdup(items[i]);
	return copy;
}

static void release_texts(struct texts *texts)
{
	for (size_t i = 0; i < texts->n; i++)
		secret_free(texts->items[i]); /* headers may be */
	free(texts->items);
}

/* As curl's own program does, and all others that use OpenSSL; the library does not. */
static const char *ca_file_of_user(void)
{
	const char *path = getenv("SSL_CERT_FILE");

	return path && *path ? path : NULL;
}

struct http_identity *http_identity_new(const struct http_options *o)
{
	struct http_identity *id = xcalloc(1, sizeof(*id));
	struct error ignored = {0};

	id->ca_file = copy_text(o->ca_file ? o->ca_file : ca_file_of_user());
	id->ca_files = copy_texts(o->ca_files, o->n_ca_files);
	id->headers = copy_texts(o->headers, o->n_headers);
	id->client_cert = copy_text(o->client_cert);
	id->client_key = copy_text(o->client_key);
	id->proxy = copy_text(o->proxy);
	id->skip_verify = o->skip_verify;
	if (o->home_url && http_url_parse(o->home_url, &id->home, &ignored) < 0)
		id->home.host = xstrdup(""); /* which nothing is the same as */
	pthread_mutex_init(&id->lock, NULL);
	return id;
}

void http_identity_free(struct http_identity *id)
{
	free(id->ca_file);
	release_texts(&id->ca_files);
	release_texts(&id->headers);
	free(id->client_cert);
	free(id->client_key);
	secret_free(id->proxy);
	http_url_release(&id->home);
	buffer_release(&id->authorities);
	pthread_mutex_destroy(&id->lock);
	free(id);
}

/* --- authorities ------------------------------------------------------------------------------ */

static int add_authorities(struct buffer *to, const char *path, struct error *err)
{
	size_t before = to->len;
	int rc = config_file_read(path, to, err);

	if (rc > 0)
		return error_set(err, ERR_SYSTEM, "TLS: there is no file %s", path);
	if (rc < 0)
		return error_wrap(err, "TLS");
	if (!memmem(to->data + before, to->len - before, "-----BEGIN ", 11))
		return error_set(err, ERR_INVALID, "TLS: %s holds no certificate", path);
	buffer_add(to, "\n", 1);
	return 0;
}

static int read_authorities(struct http_identity *id, struct error *err)
{
	buffer_clear(&id->authorities);
	if (id->ca_file && add_authorities(&id->authorities, id->ca_file, err) < 0)
		return -1;
	for (size_t i = 0; i < id->ca_files.n; i++)
		if (add_authorities(&id->authorities, id->ca_files.items[i], err) < 0)
			return -1;
	id->has_read_authorities = true;
	return 0;
}

/* curl adds bytes to its folder of authorities, so that those of the system stay; a file it would
 * put in their place. */
static int set_authorities(struct http_identity *id, CURL *easy, struct error *err)
{
	struct curl_blob blob = {.flags = CURL_BLOB_NOCOPY};
	int rc = 0;

	if (id->ca_files.n == 0) {
		if (id->ca_file)
			curl_easy_setopt(easy, CURLOPT_CAINFO, id->ca_file);
		return 0;
	}
	pthread_mutex_lock(&id->lock);
	if (!id->has_read_authorities)
		rc = read_authorities(id, err);
	pthread_mutex_unlock(&id->lock);
	if (rc < 0)
		return error_set_detail(err, ERR_DETAIL_CONFIG);
	blob.data = id->authorities.data;
	blob.len = id->authorities.len;
	curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &blob);
	return 0;
}

/* --- headers ---------------------------------------------------------------------------------- */

static bool has_name(const char *header, const char *name)
{
	size_t len = strlen(name);

	return !strncasecmp(header, name, len) && header[len] == ':';
}

static void add_headers(const struct http_identity *id, const struct http_request *request,
			struct curl_slist **headers)
{
	for (size_t i = 0; i < id->headers.n; i++) {
		const char *header = id->headers.items[i];
		struct curl_slist *list;

		if ((request->authorization && has_name(header, "Authorization"))
		    || (request->accept && has_name(header, "Accept")))
			continue;
		list = curl_slist_append(*headers, header);
		if (!list)
			abort(); /* out of memory */
		*headers = list;
	}
}

/* --- the whole -------------------------------------------------------------------------------- */

static bool is_home(const struct http_identity *id, const struct http_url *url)
{
	if (!id->home.host)
		return true;
	return !strcasecmp(id->home.host, url->host) && id->home.port == url->port;
}

/* What nobody may read or alter on the way. */
static bool has_secrets(const struct http_request *request)
{
	return request->authorization || request->form;
}

static void set_client(const struct http_identity *id, CURL *easy)
{
	if (!id->client_cert)
		return;
	curl_easy_setopt(easy, CURLOPT_SSLCERT, id->client_cert);
	curl_easy_setopt(easy, CURLOPT_SSLKEY, id->client_key);
}

static void set_proxy(const struct http_identity *id, const struct http_url *url, CURL *easy)
{
	if (id->proxy) {
		curl_easy_setopt(easy, CURLOPT_PROXY, id->proxy);
		curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
	} else if (http_host_is_loopback(url->host)) {
		curl_easy_setopt(easy, CURLOPT_PROXY, "");
	}
}

int http_identity_apply(struct http_identity *id, const struct http_request *request, CURL *easy,
			struct curl_slist **headers, struct error *err)
{
	cleanup(http_url_release) struct http_url url = {0};
	struct error ignored = {0};
	bool home;

	if (http_url_parse(request->url, &url, &ignored) < 0)
		return 0; /* curl will say what is wrong with it */
	home = is_home(id, &url);
	if (home) {
		set_client(id, easy);
		add_headers(id, request, headers);
	}
	if (id->skip_verify && (home || !has_secrets(request))) {
		curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
		curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
	}
	set_proxy(id, &url, easy);
	return strcmp(url.scheme, "https") == 0 ? set_authorities(id, easy, err) : 0;
}
