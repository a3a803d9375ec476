/* SPDX-License-Identifier: Apache-2.0 */
/* What libcurl says in our words: each kind of failure, whether it may pass, what to advise. */
#include "registry/http_internal.h"

#include "pkg/base/alloc.h"
#include "tests/support/cmocka.h"

static CURL *easy;
static struct error err;

static int begin(void **state)
{
	(void)state;
	error_clear(&err);
	easy = curl_easy_init();
	return easy ? 0 : -1;
}

static int end(void **state)
{
	(void)state;
	curl_easy_cleanup(easy);
	return 0;
}

static void each_code_is_one_problem_with_its_words(void **state)
{
	static const struct {
		CURLcode code;
		enum http_problem problem;
		enum error_kind kind;
		enum error_detail detail;
		const char *text;
	} cases[] = {
		{CURLE_COULDNT_RESOLVE_HOST, HTTP_PROBLEM_CONNECT, ERR_NETWORK, ERR_DETAIL_HOST,
		 "resolving the host: why"},
		{CURLE_COULDNT_RESOLVE_PROXY, HTTP_PROBLEM_CONNECT, ERR_NETWORK, ERR_DETAIL_HOST,
		 "resolving the host: why"},
		{CURLE_COULDNT_CONNECT, HTTP_PROBLEM_CONNECT, ERR_NETWORK, ERR_DETAIL_CONNECT,
		 "connecting: why"},
		/* no connection was made by this handle: it timed out before */
		{CURLE_OPERATION_TIMEDOUT, HTTP_PROBLEM_CONNECT, ERR_NETWORK, ERR_DETAIL_SILENT,
		 "connecting: why"},
		{CURLE_SSL_CONNECT_ERROR, HTTP_PROBLEM_NO_TLS, ERR_NETWORK, ERR_DETAIL_NO_TLS,
		 "TLS handshake: why"},
		{CURLE_PEER_FAILED_VERIFICATION, HTTP_PROBLEM_CERTIFICATE, ERR_VERIFICATION,
		 ERR_DETAIL_CERT_NAME, "TLS certificate: why"},
		{CURLE_SSL_ISSUER_ERROR, HTTP_PROBLEM_CERTIFICATE, ERR_VERIFICATION,
		 ERR_DETAIL_CERT_NAME, "TLS certificate: why"},
		{CURLE_GOT_NOTHING, HTTP_PROBLEM_BROKEN, ERR_NETWORK, ERR_DETAIL_NONE,
		 "waiting for an answer: why"},
		{CURLE_RECV_ERROR, HTTP_PROBLEM_BROKEN, ERR_NETWORK, ERR_DETAIL_NONE,
		 "waiting for an answer: why"},
		{CURLE_SEND_ERROR, HTTP_PROBLEM_BROKEN, ERR_NETWORK, ERR_DETAIL_NONE,
		 "waiting for an answer: why"},
		{CURLE_PARTIAL_FILE, HTTP_PROBLEM_BROKEN, ERR_NETWORK, ERR_DETAIL_NONE,
		 "waiting for an answer: why"},
		{CURLE_HTTP2, HTTP_PROBLEM_BROKEN, ERR_NETWORK, ERR_DETAIL_NONE,
		 "waiting for an answer: why"},
		{CURLE_HTTP2_STREAM, HTTP_PROBLEM_BROKEN, ERR_NETWORK, ERR_DETAIL_NONE,
		 "waiting for an answer: why"},
		{CURLE_SSL_CACERT_BADFILE, HTTP_PROBLEM_OTHER, ERR_SYSTEM, ERR_DETAIL_NO_CA_FILE,
		 "TLS: why"},
		{CURLE_SSL_CERTPROBLEM, HTTP_PROBLEM_OTHER, ERR_INVALID, ERR_DETAIL_CONFIG,
		 "TLS client certificate: why"},
		{CURLE_UNSUPPORTED_PROTOCOL, HTTP_PROBLEM_OTHER, ERR_NETWORK, ERR_DETAIL_NONE,
		 "why"},
		{CURLE_WRITE_ERROR, HTTP_PROBLEM_OTHER, ERR_NETWORK, ERR_DETAIL_NONE, "why"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		error_clear(&err);
		assert_int_equal(http_problem_of(easy, cases[i].code, "why"), cases[i].problem);
		assert_int_equal(http_fail_at_step(easy, cases[i].code, "why", &err), -1);
		assert_error(&err, cases[i].kind, cases[i].text);
		assert_int_equal(err.detail, cases[i].detail);
	}
	assert_int_equal(http_problem_of(easy, CURLE_OK, "why"), HTTP_PROBLEM_NONE);
}

/* What a second try can change: never who the other side is, and never what it said. */
static void only_what_may_pass_is_tried_again(void **state)
{
	(void)state;
	assert_true(http_problem_may_pass(HTTP_PROBLEM_CONNECT));
	assert_true(http_problem_may_pass(HTTP_PROBLEM_BROKEN));
	assert_true(http_problem_may_pass(HTTP_PROBLEM_NO_TLS));
	assert_false(http_problem_may_pass(HTTP_PROBLEM_CERTIFICATE));
	assert_false(http_problem_may_pass(HTTP_PROBLEM_OTHER));
	assert_false(http_problem_may_pass(HTTP_PROBLEM_NONE));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_code_is_one_problem_with_its_words, begin,
						end),
		cmocka_unit_test_setup_teardown(only_what_may_pass_is_tried_again, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
