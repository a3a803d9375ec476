/* SPDX-License-Identifier: Apache-2.0 */
/* Asks libcurl for its version. */
#include "registry/http_library.h"

#include <curl/curl.h>

const char *http_library_version(void)
{
	return curl_version_info(CURLVERSION_NOW)->version;
}
