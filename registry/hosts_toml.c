/* SPDX-License-Identifier: Apache-2.0 */
/* Reads hosts.toml into endpoints. What containerd would refuse is refused, not passed over. */
#include "registry/hosts_toml.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "pkg/base/alloc.h"
#include "pkg/base/log.h"
#include "pkg/toml/toml.h"
#include "registry/config_file.h"
#include "registry/duration.h"
#include "registry/http_url.h"

/* An endpoint on its way, with the folder that its paths are relative to. */
struct place {
	struct endpoint *endpoint;
	const char *folder;
};

/* --- capabilities ----------------------------------------------------------------------------- */

static int take_capability(void *arg, const char *text, struct error *err)
{
	struct place *p = arg;

	if (!strcasecmp(text, "pull"))
		p->endpoint->pulls = true;
	else if (!strcasecmp(text, "resolve"))
		p->endpoint->resolves = true;
	else if (strcasecmp(text, "push") != 0 && strcasecmp(text, "referrers") != 0)
		return error_set(err, ERR_INVALID,
				 "'%.40s' is none of the capabilities pull, resolve, push", text);
	return 0;
}

/* Without any it is trusted with all. */
static int read_capabilities(struct jval table, struct place *p, struct error *err)
{
	struct jval value;

	if (jdoc_array(table, "capabilities", JDOC_OPTIONAL, &value, err) < 0)
		return -1;
	p->endpoint->pulls = p->endpoint->resolves =
		!jdoc_present(value) || jdoc_length(value) == 0;
	return config_each_string(value, take_capability, p, err);
}

/* --- TLS -------------------------------------------------------------------------------------- */

static char *path_of(const struct place *p, const char *name)
{
	return *name == '/' ? xstrdup(name) : xasprintf("%s/%s", p->folder, name);
}

static int take_ca(void *arg, const char *text, struct error *err)
{
	struct place *p = arg;
	cleanup_free char *path = path_of(p, text);

	if (!*text)
		return error_set(err, ERR_INVALID, "ca: an empty path");
	endpoint_tls_add_ca(&p->endpoint->tls, path);
	return 0;
}

/* @key: "" or NULL when it is in the same file. */
static int set_client(struct place *p, const char *cert, const char *key, struct error *err)
{
	struct endpoint_tls *tls = &p->endpoint->tls;

	if (!*cert)
		return error_set(err, ERR_INVALID, "client: an empty path");
	if (tls->client_cert)
		return error_set(err, ERR_UNSUPPORTED,
				 "client: several certificates for one host, only one can be used");
	tls->client_cert = path_of(p, cert);
	tls->client_key = path_of(p, key && *key ? key : cert);
	return 0;
}

static int take_pair(struct place *p, struct jval pair, struct error *err)
{
	const char *cert, *key;

	if (jdoc_length(pair) != 2)
		return error_set(err, ERR_INVALID, "%s: not a pair of paths", pair.path);
	if (jdoc_string_value(jdoc_at(pair, 0), &cert, err) < 0
	    || jdoc_string_value(jdoc_at(pair, 1), &key, err) < 0)
		return -1;
	return set_client(p, cert, key, err);
}

/* "pem" or ["pem"] or [["cert", "key"]] */
static int read_client(struct jval value, struct place *p, struct error *err)
{
	const char *path;

	if (!jdoc_present(value))
		return 0;
	if (!jdoc_is_array(value))
		return jdoc_string_value(value, &path, err) < 0 ? -1
								: set_client(p, path, NULL, err);
	for (size_t i = 0; i < jdoc_length(value); i++) {
		struct jval item = jdoc_at(value, i);

		if (jdoc_is_array(item)) {
			if (take_pair(p, item, err) < 0)
				return -1;
		} else if (jdoc_string_value(item, &path, err) < 0
			   || set_client(p, path, NULL, err) < 0) {
			return -1;
		}
	}
	return 0;
}

/* --- headers ---------------------------------------------------------------------------------- */

struct header {
	struct endpoint *endpoint;
	const char *name;
};

static bool is_token(const char *name)
{
	static const char marks[] = "!#$%&'*+-.^_`|~";

	for (const char *p = name; *p; p++)
		if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z')
		      || (*p >= '0' && *p <= '9') || strchr(marks, *p)))
			return false;
	return *name;
}

/* Those that say how a message is sent, which is not for a file to say. */
static bool is_of_the_message(const char *name)
{
	static const char *const names[] = {"Host",	  "Content-Length",  "Transfer-Encoding",
					    "Connection", "Accept-Encoding", "Range"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcasecmp(name, names[i]))
			return true;
	return false;
}

static int take_header(void *arg, const char *text, struct error *err)
{
	const struct header *h = arg;

	for (const char *p = text; *p; p++)
		if (((unsigned char)*p < 0x20 && *p != '\t') || *p == 0x7f)
			return error_set(err, ERR_INVALID,
					 "header %.60s: a control character in its value", h->name);
	endpoint_add_header(h->endpoint, h->name, text);
	return 0;
}

static int read_headers(struct jval table, struct place *p, struct error *err)
{
	struct jval headers, value;
	void *iter = NULL;
	const char *name;

	if (jdoc_object(table, "header", JDOC_OPTIONAL, &headers, err) < 0)
		return -1;
	while (jdoc_each(headers, &iter, &name, &value)) {
		struct header h = {p->endpoint, name};

		if (!is_token(name) || is_of_the_message(name))
			return error_set(err, ERR_INVALID, "%s: such a header cannot be set",
					 value.path);
		if (config_each_string(value, take_header, &h, err) < 0)
			return -1;
	}
	return 0;
}

/* --- one place -------------------------------------------------------------------------------- */

static int read_dial_timeout(struct jval table, struct endpoint *e, struct error *err)
{
	const char *text;

	if (jdoc_string(table, "dial_timeout", JDOC_OPTIONAL, &text, err) < 0)
		return -1;
	if (text && *text && duration_parse(text, &e->dial_timeout_ms, err) < 0)
		return error_wrap(err, "dial_timeout");
	return 0;
}

/* It may hold a password, so it is not shown. */
static int read_proxy(struct jval table, struct endpoint *e, struct error *err)
{
	static const char *const schemes[] = {"http://", "https://", "socks5://", "socks5h://"};
	const char *text;
	bool known = false;

	if (jdoc_string(table, "proxy", JDOC_OPTIONAL, &text, err) < 0)
		return -1;
	if (!text || !*text)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(schemes); i++)
		known |= !strncmp(text, schemes[i], strlen(schemes[i]));
	for (const char *p = text; *p; p++)
		known &= (unsigned char)*p > 0x20 && *p != 0x7f;
	if (!known)
		return error_set(err, ERR_INVALID,
				 "proxy: not a URL of http, https, socks5 or socks5h");
	e->proxy = xstrdup(text);
	return 0;
}

/* http with something said of TLS is https where TLS is spoken; never on port 80. */
static int find_scheme(struct endpoint *e, bool says_tls, struct error *err)
{
	cleanup(http_url_release) struct http_url parts = {0};
	char *https;

	if (http_url_parse(e->url, &parts, err) < 0)
		return -1;
	if (strcmp(parts.scheme, "http") != 0 || !says_tls || parts.port == 80)
		return 0;
	https = xasprintf("https%s", strstr(e->url, "://"));
	free(e->url);
	e->url = https;
	e->may_be_plain = true;
	return 0;
}

/* @url: NULL for the registry itself. */
static int read_place(struct jval table, const char *url, struct place *p, struct error *err)
{
	struct endpoint *e = p->endpoint;
	struct jval ca = config_member(table, "ca"), client = config_member(table, "client");
	bool override_path, says_tls;

	if (read_capabilities(table, p, err) < 0 || config_each_string(ca, take_ca, p, err) < 0
	    || read_client(client, p, err) < 0 || read_headers(table, p, err) < 0
	    || read_dial_timeout(table, e, err) < 0 || read_proxy(table, e, err) < 0
	    || jdoc_bool(table, "skip_verify", JDOC_OPTIONAL, &e->tls.skip_verify, err) < 0
	    || jdoc_bool(table, "override_path", JDOC_OPTIONAL, &override_path, err) < 0)
		return -1;
	if (!url)
		return 0;
	says_tls = jdoc_present(ca) || jdoc_present(client)
		   || jdoc_present(config_member(table, "skip_verify"));
	if (endpoint_set_url(e, url, override_path, err) < 0)
		return -1;
	return find_scheme(e, says_tls, err);
}

/* --- the file --------------------------------------------------------------------------------- */

static const char *const place_keys[] = {"capabilities", "ca",	   "client",
					 "skip_verify",	 "header", "override_path",
					 "dial_timeout", "proxy",  NULL};
static const char *const file_keys[] = {
	"server", "host",	   "capabilities", "ca",    "client", "skip_verify",
	"header", "override_path", "dial_timeout", "proxy", NULL};

/* First of all, as its name is in what is said of anything below it. */
static int check_no_user(const char *url, struct error *err)
{
	cleanup_free char *shown = http_url_shown(url);

	if (strlen(shown) < strcspn(url, "?#"))
		return error_set(err, ERR_INVALID,
				 "host.\"%.100s\": a user name or password in a URL is not allowed",
				 shown);
	return 0;
}

static int read_hosts(struct jval root, const char *folder, struct endpoints *ret,
		      struct error *err)
{
	struct jval hosts, host;
	void *iter = NULL;
	const char *url;

	if (jdoc_object(root, "host", JDOC_OPTIONAL, &hosts, err) < 0)
		return -1;
	while (jdoc_each(hosts, &iter, &url, &host)) {
		struct place p = {endpoints_add(ret), folder};

		if (check_no_user(url, err) < 0)
			return -1;
		if (!jdoc_is_object(host))
			return error_set(err, ERR_INVALID, "%s: not a table", host.path);
		if (config_check_keys(host, place_keys, err) < 0
		    || read_place(host, url, &p, err) < 0)
			return error_wrap(err, "host.\"%.100s\"", url);
	}
	return 0;
}

static int read_file(struct jval root, const char *folder, struct endpoints *ret, struct error *err)
{
	struct place server = {NULL, folder};
	const char *url;

	if (config_check_keys(root, file_keys, err) < 0 || read_hosts(root, folder, ret, err) < 0
	    || jdoc_string(root, "server", JDOC_OPTIONAL, &url, err) < 0)
		return -1;
	server.endpoint = endpoints_add(ret);
	return read_place(root, url && *url ? url : NULL, &server, err);
}

int hosts_toml_parse(const void *text, size_t len, const char *folder, struct endpoints *ret,
		     struct error *err)
{
	cleanup(jdoc_free_ptr) struct jdoc *doc = NULL;
	cleanup(endpoints_release) struct endpoints list = {0};

	if (toml_parse(text, len, "hosts.toml", &doc, err) < 0
	    || read_file(jdoc_root(doc), folder, &list, err) < 0)
		return -1;
	endpoints_join(ret, &list);
	return 0;
}

/* --- where it is ------------------------------------------------------------------------------ */

/* The folder, if it is one. */
static char *folder_in(const char *top, const char *name)
{
	char *path = xasprintf("%s/%s", top, name);
	struct stat st;

	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return path;
	free(path);
	return NULL;
}

/* "host_5000_" before "host:5000", as some systems have no colons in names; then for all hosts. */
static char *find_below(const char *top, const char *domain)
{
	const char *bracket = strrchr(domain, ']');
	const char *colon = strchr(bracket ? bracket : domain, ':');
	char *found = NULL;

	if (colon) {
		cleanup_free char *name =
			xasprintf("%.*s_%s_", (int)(colon - domain), domain, colon + 1);

		found = folder_in(top, name);
	}
	if (!found)
		found = folder_in(top, domain);
	return found ? found : folder_in(top, "_default");
}

char *hosts_toml_folder(const char *domain)
{
	cleanup_free char *of_user = config_file_of_user("containerd/certs.d");
	char *found = of_user ? find_below(of_user, domain) : NULL;

	return found ? found : find_below("/etc/containerd/certs.d", domain);
}

int hosts_toml_find(const char *domain, struct endpoints *ret, struct error *err)
{
	cleanup_free char *folder = hosts_toml_folder(domain), *path = NULL;
	cleanup_buffer struct buffer text = {0};
	int rc;

	if (!folder)
		return 1;
	path = xasprintf("%s/hosts.toml", folder);
	rc = config_file_read(path, &text, err);
	if (rc != 0)
		return rc;
	log_debug("registry: %s", path);
	if (hosts_toml_parse(text.data, text.len, folder, ret, err) < 0)
		return error_wrap(err, "%s", path);
	return 0;
}
