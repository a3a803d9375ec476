/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hosts.toml of containerd: where images of one registry may be had. Its documentation is
 * containerd's docs/hosts.md (rule C16).
 *
 *   server = "https://registry-1.docker.io"    asked last; the registry itself if not given
 *   [host."https://mirror.example.com"]        asked in this order before it
 *     capabilities = ["pull", "resolve"]
 *     ca, client, skip_verify, header, override_path, dial_timeout, proxy
 */
#pragma once

#include "registry/endpoint.h"

/*
 * @folder: that the file is in, for the paths in it.
 * @ret: added to. An endpoint without a URL stands for the registry itself, which the caller knows
 * how to reach; none has a repository yet.
 * Errors: ERR_INVALID with a line, or the key; ERR_UNSUPPORTED (several client certificates).
 */
MUST_CHECK int hosts_toml_parse(const void *text, size_t len, const char *folder,
				struct endpoints *ret, struct error *err);

/*
 * The folder that counts for a registry, as containerd looks for it: of the user, then of the
 * system; of this host, then of all (_default). It may hold certificates instead, as docker's do.
 * @domain: "docker.io", "localhost:5000". Owned; NULL if there is none.
 */
char *hosts_toml_folder(const char *domain);

/*
 * The file in that folder, read.
 * Returns 0; 1 = there is none; -1. Errors: as above, naming the file, and ERR_SYSTEM.
 */
MUST_CHECK int hosts_toml_find(const char *domain, struct endpoints *ret, struct error *err);
