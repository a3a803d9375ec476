/* SPDX-License-Identifier: Apache-2.0 */
/* Asks libcrypto for its version. */
#include "pkg/digest/library.h"

#include <openssl/crypto.h>

const char *digest_library_version(void)
{
	return OpenSSL_version(OPENSSL_VERSION_STRING);
}
