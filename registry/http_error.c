/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What libcurl says of a request that got no answer, in our words: the step it failed at, whether
 * trying again is of use, and a detail for who gives advice.
 */
#include <string.h>
#include <strings.h>

#include "registry/http_internal.h"

/* How far a request that timed out had come; CONNECT_TIME counts only together with TLS. */
static enum http_problem problem_of_timeout(CURL *easy)
{
	curl_off_t secured = 0;
	const char *url = "";
	long port = 0;

	curl_easy_getinfo(easy, CURLINFO_PRIMARY_PORT, &port);
	curl_easy_getinfo(easy, CURLINFO_APPCONNECT_TIME_T, &secured);
	curl_easy_getinfo(easy, CURLINFO_EFFECTIVE_URL, &url);
	if (port == 0)
		return HTTP_PROBLEM_CONNECT;
	if (!strncasecmp(url, "https:", 6) && secured == 0)
		return HTTP_PROBLEM_NO_TLS;
	return HTTP_PROBLEM_BROKEN;
}

/* What a proxy said to CONNECT, unless it did as it was told; 0. */
static long refusal_of_proxy(CURL *easy)
{
	long status = 0;

	curl_easy_getinfo(easy, CURLINFO_HTTP_CONNECTCODE, &status);
	return status / 100 == 2 ? 0 : status;
}

/* A proxy that cannot reach the host may do so later; one that does not want to never does. */
static enum http_problem problem_of_proxy(long status)
{
	return status >= 500 ? HTTP_PROBLEM_CONNECT : HTTP_PROBLEM_OTHER;
}

/*
 * With TLS 1.3 a server says only after the handshake that it wanted a certificate, or another;
 * OpenSSL's words for its alerts.
 */
static bool is_about_client(const char *why)
{
	return strstr(why, "alert certificate required") || strstr(why, "alert bad certificate")
	       || strstr(why, "alert unknown ca");
}

/* libcurl shows it then, with the password in it. */
static bool is_about_proxy_url(const char *why)
{
	return !strncmp(why, "Unsupported proxy", strlen("Unsupported proxy"));
}

enum http_problem http_problem_of(CURL *easy, CURLcode code, const char *why)
{
	if (code != CURLE_OK && is_about_proxy_url(why))
		return HTTP_PROBLEM_OTHER;
	if (code != CURLE_OK && refusal_of_proxy(easy))
		return problem_of_proxy(refusal_of_proxy(easy));
	if (code != CURLE_OK && is_about_client(why))
		return HTTP_PROBLEM_OTHER;
	switch (code) {
	case CURLE_OK:
		return HTTP_PROBLEM_NONE;
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
	case CURLE_COULDNT_CONNECT:
		return HTTP_PROBLEM_CONNECT;
	case CURLE_OPERATION_TIMEDOUT:
		return problem_of_timeout(easy);
	case CURLE_GOT_NOTHING:
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
	case CURLE_PARTIAL_FILE:
	case CURLE_HTTP2:
	case CURLE_HTTP2_STREAM:
		return HTTP_PROBLEM_BROKEN;
	case CURLE_SSL_CONNECT_ERROR:
		return HTTP_PROBLEM_NO_TLS;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_ISSUER_ERROR:
		return HTTP_PROBLEM_CERTIFICATE;
	default:
		return HTTP_PROBLEM_OTHER;
	}
}

bool http_problem_may_pass(enum http_problem problem)
{
	return problem == HTTP_PROBLEM_CONNECT || problem == HTTP_PROBLEM_BROKEN
	       || problem == HTTP_PROBLEM_NO_TLS;
}

/*
 * What is wrong with a certificate: OpenSSL's verdict (X509_V_*). While curl looks at the name that
 * is still "unspecified".
 */
static enum error_detail detail_of_certificate(CURL *easy)
{
	enum { OK = 0, UNSPECIFIED = 1, NOT_YET_VALID = 9, HAS_EXPIRED = 10 };
	long verdict = OK;

	curl_easy_getinfo(easy, CURLINFO_SSL_VERIFYRESULT, &verdict);
	switch (verdict) {
	case OK:
	case UNSPECIFIED:
		return ERR_DETAIL_CERT_NAME;
	case NOT_YET_VALID:
	case HAS_EXPIRED:
		return ERR_DETAIL_CERT_DATE;
	default:
		return ERR_DETAIL_AUTHORITY;
	}
}

static int fail_at_proxy(long status, struct error *err)
{
	return error_set(err, status == 407 ? ERR_UNAUTHORIZED : ERR_NETWORK,
			 "the proxy does not connect: %ld%s", status,
			 status == 407 ? ", it wants to know who asks" : "");
}

/* Before any answer: at which step, and why. */
int http_fail_at_step(CURL *easy, CURLcode code, const char *why, struct error *err)
{
	bool timed_out = code == CURLE_OPERATION_TIMEDOUT;
	bool unknown = code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_RESOLVE_PROXY;

	if (is_about_proxy_url(why))
		return error_set(err, ERR_USAGE,
				 "the proxy of HTTPS_PROXY, http_proxy, ALL_PROXY or hosts.toml is "
				 "no URL of one");
	if (refusal_of_proxy(easy))
		return fail_at_proxy(refusal_of_proxy(easy), err);
	if (is_about_client(why))
		return error_set(err, ERR_UNAUTHORIZED, "TLS client certificate: %s", why);
	switch (http_problem_of(easy, code, why)) {
	case HTTP_PROBLEM_CONNECT:
		error_set(err, ERR_NETWORK, "%s: %s", unknown ? "resolving the host" : "connecting",
			  why);
		return error_set_detail(err, unknown	 ? ERR_DETAIL_HOST
					     : timed_out ? ERR_DETAIL_SILENT
							 : ERR_DETAIL_CONNECT);
	case HTTP_PROBLEM_NO_TLS:
		error_set(err, ERR_NETWORK, "TLS handshake: %s", why);
		return error_set_detail(err, timed_out ? ERR_DETAIL_SILENT : ERR_DETAIL_NO_TLS);
	case HTTP_PROBLEM_CERTIFICATE:
		error_set(err, ERR_VERIFICATION, "TLS certificate: %s", why);
		return error_set_detail(err, detail_of_certificate(easy));
	case HTTP_PROBLEM_BROKEN:
		error_set(err, ERR_NETWORK, "waiting for an answer: %s", why);
		return error_set_detail(err, timed_out ? ERR_DETAIL_SILENT : ERR_DETAIL_NONE);
	case HTTP_PROBLEM_NONE:
	case HTTP_PROBLEM_OTHER:
		break;
	}
	if (code == CURLE_SSL_CERTPROBLEM) {
		error_set(err, ERR_INVALID, "TLS client certificate: %s", why);
		return error_set_detail(err, ERR_DETAIL_CONFIG);
	}
	if (code != CURLE_SSL_CACERT_BADFILE)
		return error_set(err, ERR_NETWORK, "%s", why);
	error_set(err, ERR_SYSTEM, "TLS: %s", why);
	return error_set_detail(err, ERR_DETAIL_NO_CA_FILE);
}
