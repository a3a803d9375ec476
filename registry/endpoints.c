/* SPDX-License-Identifier: Apache-2.0 */
/* Asks each kind of configuration in turn, and fills in what it leaves open. */
#include "registry/endpoints.h"

#include <stdlib.h>
#include <string.h>

#include "pkg/base/alloc.h"
#include "registry/certs_d.h"
#include "registry/hosts_toml.h"
#include "registry/http_url.h"
#include "registry/registries_conf.h"

/* --- a registry itself ------------------------------------------------------------------------ */

/*
 * Plain http is only for this machine: at once on port 80, elsewhere when TLS finds no TLS there;
 * never on the ports that are https by name.
 */
static void set_registry_url(struct endpoint *e, const char *domain, bool insecure)
{
	const char *host = reference_host_of(domain);
	cleanup_free char *https = xasprintf("https://%s/", host);
	cleanup(http_url_release) struct http_url url = {0};
	struct error ignored = {0};
	bool here = false;

	if (http_url_parse(https, &url, &ignored) == 0)
		here = http_host_is_loopback(url.host);
	e->may_be_plain = insecure || (here && url.port != 80 && url.port != 443);
	e->tls.skip_verify |= insecure;
	e->url = xasprintf("%s://%s/v2", here && url.port == 80 ? "http" : "https", host);
	e->host = xstrdup(host);
}

void endpoints_of_registry(const char *domain, const char *path, bool insecure,
			   struct endpoint *ret)
{
	set_registry_url(ret, domain, insecure);
	ret->path = path ? xstrdup(path) : NULL;
	ret->is_origin = true;
	ret->resolves = ret->pulls = true;
}

/* Unless something was said of them. @host: as folders are named. */
static int add_certificates(struct endpoint *e, const char *host, struct error *err)
{
	if (e->tls.n_ca_files > 0 || e->tls.client_cert || !strncmp(e->url, "http:", 5))
		return 0;
	return certs_d_find(host, &e->tls, err);
}

/* --- registries.conf -------------------------------------------------------------------------- */

static int add_place(const struct registries_place *place, const struct reference *ref,
		     struct endpoints *ret, struct error *err)
{
	struct endpoint *e = endpoints_add(ret);

	endpoints_of_registry(place->domain, place->path, place->insecure, e);
	e->ns = place->ns ? xstrdup(place->ns) : NULL;
	e->is_origin = strcmp(place->domain, ref->domain) == 0;
	return add_certificates(e, place->domain, err);
}

/* Whether all that the table says of it is whether it is safe. */
static bool is_itself(const struct registries_places *places, const struct reference *ref)
{
	const struct registries_place *only = &places->items[0];

	return places->n == 1 && !only->ns && !strcmp(only->domain, ref->domain)
	       && !strcmp(only->path, ref->path);
}

/* 0; 1 = there is nothing about it but, perhaps, that it is not safe; -1. */
static int find_in_registries_conf(const struct reference *ref, struct endpoints *ret,
				   bool *ret_insecure, struct error *err)
{
	cleanup(registries_conf_free_ptr) struct registries_conf *conf = NULL;
	cleanup(registries_places_release) struct registries_places places = {0};
	int rc;

	*ret_insecure = false;
	if (registries_conf_load(&conf, err) < 0)
		return -1;
	rc = registries_conf_places(conf, ref, &places, err);
	if (rc != 0)
		return rc;
	if (is_itself(&places, ref)) {
		*ret_insecure = places.items[0].insecure;
		return 1;
	}
	for (size_t i = 0; i < places.n; i++)
		if (add_place(&places.items[i], ref, ret, err) < 0)
			return -1;
	return 0;
}

/* --- hosts.toml ------------------------------------------------------------------------------- */

/* A mirror serves several registries, and is told which one is meant. */
static bool is_mirror(const struct endpoint *e, const char *domain)
{
	return strcmp(e->host, domain) != 0 && strcmp(e->host, reference_host_of(domain)) != 0;
}

static int complete(struct endpoint *e, const struct reference *ref, bool insecure,
		    struct error *err)
{
	const char *host = ref->domain;

	if (!e->url)
		set_registry_url(e, ref->domain, insecure);
	e->is_origin = !is_mirror(e, ref->domain);
	if (!e->is_origin) {
		e->ns = xstrdup(ref->domain);
		host = e->host;
	}
	e->path = xstrdup(ref->path);
	return add_certificates(e, host, err);
}

static int find_in_hosts_toml(const struct reference *ref, bool insecure, struct endpoints *ret,
			      struct error *err)
{
	int rc = hosts_toml_find(ref->domain, ret, err);

	for (size_t i = 0; i < ret->n && rc == 0; i++)
		rc = complete(&ret->items[i], ref, insecure, err);
	return rc;
}

/* --- the whole -------------------------------------------------------------------------------- */

static int find_itself(const struct reference *ref, bool insecure, struct endpoints *ret,
		       struct error *err)
{
	struct endpoint *e = endpoints_add(ret);

	endpoints_of_registry(ref->domain, ref->path, insecure, e);
	return add_certificates(e, ref->domain, err);
}

int endpoints_find(const struct reference *ref, struct endpoints *ret, struct error *err)
{
	cleanup(endpoints_release) struct endpoints list = {0};
	bool insecure;
	int rc = find_in_registries_conf(ref, &list, &insecure, err);

	if (rc == 1)
		rc = find_in_hosts_toml(ref, insecure, &list, err);
	if (rc == 1)
		rc = find_itself(ref, insecure, &list, err);
	if (rc < 0)
		return error_set_detail(err, ERR_DETAIL_CONFIG);
	*ret = (struct endpoints){0};
	endpoints_join(ret, &list);
	return 0;
}

int endpoints_of_host(const char *host, struct endpoint *ret, struct error *err)
{
	cleanup(registries_conf_free_ptr) struct registries_conf *conf = NULL;
	cleanup(endpoint_release) struct endpoint e = {0};
	const char *domain = reference_domain_of(host);

	if (registries_conf_load(&conf, err) < 0)
		return error_set_detail(err, ERR_DETAIL_CONFIG);
	endpoints_of_registry(domain, NULL, registries_conf_is_insecure(conf, domain), &e);
	if (add_certificates(&e, domain, err) < 0)
		return error_set_detail(err, ERR_DETAIL_CONFIG);
	*ret = e;
	e = (struct endpoint){0};
	return 0;
}
