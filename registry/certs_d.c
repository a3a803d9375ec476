/* SPDX-License-Identifier: Apache-2.0 */
/* Looks for files by their names; what is in them is for TLS to read. */
#include "registry/certs_d.h"

#include <string.h>

#include "pkg/base/alloc.h"
#include "pkg/base/log.h"
#include "registry/config_file.h"
#include "registry/hosts_toml.h"

static bool has_name(const struct config_files *files, const char *name)
{
	for (size_t i = 0; i < files->n; i++)
		if (!strcmp(files->names[i], name))
			return true;
	return false;
}

static int stem_length(const char *name)
{
	return (int)(strrchr(name, '.') - name);
}

/* Each NAME.cert has its NAME.key. */
static int check_pairs(const struct config_files *certs, const struct config_files *keys,
		       struct error *err)
{
	for (size_t i = 0; i < certs->n; i++) {
		const char *name = certs->names[i];
		cleanup_free char *key = xasprintf("%.*s.key", stem_length(name), name);

		if (!has_name(keys, key))
			return error_set(err, ERR_INVALID,
					 "client certificate %.80s has no %.80s beside it (an "
					 "authority to trust is named *.crt)",
					 name, key);
	}
	for (size_t i = 0; i < keys->n; i++) {
		const char *name = keys->names[i];
		cleanup_free char *cert = xasprintf("%.*s.cert", stem_length(name), name);

		if (!has_name(certs, cert))
			return error_set(err, ERR_INVALID, "key %.80s has no %.80s beside it", name,
					 cert);
	}
	return 0;
}

static int read_client(const char *folder, const struct config_files *certs,
		       const struct config_files *keys, struct endpoint_tls *ret, struct error *err)
{
	if (check_pairs(certs, keys, err) < 0)
		return -1;
	if (certs->n > 1)
		return error_set(err, ERR_UNSUPPORTED,
				 "several client certificates, only one can be used");
	if (certs->n == 0)
		return 0;
	ret->client_cert = xasprintf("%s/%s", folder, certs->names[0]);
	ret->client_key = xasprintf("%s/%s", folder, keys->names[0]);
	return 0;
}

int certs_d_read(const char *folder, struct endpoint_tls *ret, struct error *err)
{
	cleanup(config_files_release) struct config_files cas = {0}, certs = {0}, keys = {0};

	if (config_files_list(folder, ".crt", &cas, err) < 0
	    || config_files_list(folder, ".cert", &certs, err) < 0
	    || config_files_list(folder, ".key", &keys, err) < 0
	    || read_client(folder, &certs, &keys, ret, err) < 0)
		return error_wrap(err, "%s", folder);
	for (size_t i = 0; i < cas.n; i++) {
		cleanup_free char *path = xasprintf("%s/%s", folder, cas.names[i]);

		endpoint_tls_add_ca(ret, path);
	}
	return cas.n + certs.n == 0;
}

/* @top: NULL: there is none. Returns 0; 1 = nothing there; -1. */
static int read_below(const char *top, const char *host, struct endpoint_tls *ret,
		      struct error *err)
{
	cleanup_free char *folder = top ? xasprintf("%s/%s", top, host) : NULL;
	int rc = folder ? certs_d_read(folder, ret, err) : 1;

	if (rc == 0)
		log_debug("registry: certificates of %s", folder);
	return rc;
}

int certs_d_find(const char *host, struct endpoint_tls *ret, struct error *err)
{
	cleanup_free char *podman = config_file_of_user("containers/certs.d");
	cleanup_free char *docker = config_file_of_user("docker/certs.d");
	cleanup_free char *containerd = hosts_toml_folder(host);
	const char *const tops[] = {podman, "/etc/containers/certs.d", docker,
				    "/etc/docker/certs.d"};
	int rc = 1;

	for (size_t i = 0; i < ARRAY_SIZE(tops) && rc == 1; i++)
		rc = read_below(tops[i], host, ret, err);
	if (rc == 1 && containerd)
		rc = certs_d_read(containerd, ret, err);
	return rc < 0 ? -1 : 0;
}
