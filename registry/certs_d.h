/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Folders of certificates for one host, as docker, podman and containerd have them (rule C16):
 *
 *   certs.d/example.com:5000/ca.crt                    *.crt: authorities to trust there
 *   certs.d/example.com:5000/client.cert, client.key   who we are there
 */
#pragma once

#include "registry/endpoint.h"

/*
 * The first folder for the host that has any: of the user, then of the system; of podman, docker,
 * containerd.
 * @host: with its port, "docker.io" for that.   @ret: its paths are added to.
 * Errors: ERR_INVALID (a certificate without its key, or the other way round), ERR_UNSUPPORTED
 * (several client certificates), ERR_SYSTEM; each names the folder.
 */
MUST_CHECK int certs_d_find(const char *host, struct endpoint_tls *ret, struct error *err);

/* What one folder has. Returns 0; 1 = nothing; -1. */
MUST_CHECK int certs_d_read(const char *folder, struct endpoint_tls *ret, struct error *err);
