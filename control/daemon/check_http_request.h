/* SPDX-License-Identifier: BSD-3-Clause */
/* What a check of type http or https asks for, as options of a libcurl handle. Only for check_http.c. */
#ifndef SHUNT_CHECK_HTTP_REQUEST_H
#define SHUNT_CHECK_HTTP_REQUEST_H

#include <curl/curl.h>

#include "check_run.h"

struct check_http_request {
	struct curl_slist *headers;
};

/* The file of the authorities that the system trusts. NULL: libcurl knows none. */
const char *check_http_authorities(void);
/*
 * Everything that differs from check to check, whatever easy was last used for. ca: NULL where the certificate is not to
 * be verified. 0 and *request, to be freed when easy is done with; or -ENOMEM.
 */
int check_http_request_set(struct check_http_request *request, CURL *easy, const struct check *check,
	const struct check_target *target, const char *ca);
void check_http_request_free(struct check_http_request *request);

#endif
