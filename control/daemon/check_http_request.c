/* SPDX-License-Identifier: BSD-3-Clause */
/* Requests of http and https checks. */
#include "check_http_request.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "address.h"

#define HOST_TEXT 256
#define LINE_TEXT 4096

const char *check_http_authorities(void)
{
	const curl_version_info_data *version = curl_version_info(CURLVERSION_NOW);

	return version->age >= CURLVERSION_SEVENTH ? version->cainfo : NULL;
}

/* The host without its port: "web.example:8080", "[2001:db8::1]:8080", "2001:db8::1". */
static size_t name_length(const char *host)
{
	const char *colon = strrchr(host, ':');

	if (host[0] == '[')
		return strcspn(host, "]") + (strchr(host, ']') ? 1 : 0);
	return colon && strchr(host, ':') == colon ? (size_t)(colon - host) : strlen(host);
}

/*
 * What libcurl takes for the server: its name in TLS and, without a Host header of ours, in that. It is never looked up.
 * IPv6 addresses in brackets.
 */
static void authority(const struct check *check, const struct check_target *target, char *text)
{
	const char *name = check->type == CHECK_HTTPS && check->sni ? check->sni : check->host;
	char address[ADDRESS_TEXT];
	struct addr unused;
	int length;

	if (!name)
		name = address_print(target->address, address);
	length = (int)name_length(name);
	if (name[0] != '[' && address_parse(name, &unused) == 0 && address_family(unused) == AF_INET6)
		snprintf(text, HOST_TEXT, "[%s]", name);
	else
		snprintf(text, HOST_TEXT, "%.*s", length, name);
}

static int add(struct curl_slist **list, const char *line)
{
	struct curl_slist *longer = curl_slist_append(*list, line);

	if (!longer)
		return -ENOMEM;
	*list = longer;
	return 0;
}

static bool is_header(const char *line, const char *name)
{
	size_t length = strlen(name);

	return !strncasecmp(line, name, length) && line[length] == ':';
}

static bool has_header(const struct check *check, const char *name)
{
	for (size_t i = 0; i < check->headers.n; i++)
		if (is_header(check->headers.item[i], name))
			return true;
	return false;
}

/* A header without a value would be libcurl's word for leaving it out; with a semicolon it is sent. */
static int add_as_given(struct curl_slist **list, const char *line)
{
	const char *colon = strchr(line, ':');
	char empty[LINE_TEXT];

	if (!colon || colon[1 + strspn(colon + 1, " \t")])
		return add(list, line);
	snprintf(empty, sizeof(empty), "%.*s;", (int)(colon - line), line);
	return add(list, empty);
}

static int make_headers(struct curl_slist **list, const struct check *check, const struct check_target *target)
{
	char line[LINE_TEXT], endpoint[ADDRESS_VIP_TEXT];
	bool own_host = has_header(check, "Host");

	*list = NULL;
	if (!own_host && check->host) {
		snprintf(line, sizeof(line), "Host: %s", check->host);
		if (add(list, line) < 0)
			return -ENOMEM;
	} else if (!own_host && check->type == CHECK_HTTPS && check->sni) {
		snprintf(line, sizeof(line), "Host: %s", address_print_endpoint(target->address, target->port, endpoint));
		if (add(list, line) < 0)
			return -ENOMEM;
	}
	/* So that the server does not wait for a second request, and is not astonished that none comes. */
	if (!has_header(check, "Connection") && add(list, "Connection: close") < 0)
		return -ENOMEM;
	for (size_t i = 0; i < check->headers.n; i++)
		if (add_as_given(list, check->headers.item[i]) < 0)
			return -ENOMEM;
	return 0;
}

static void set_method(CURL *easy, const char *method)
{
	const char *custom = NULL;

	curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L); /* whatever it was before */
	if (!strcmp(method, "HEAD")) {
		curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
	} else if (!strcmp(method, "POST")) {
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS, "");
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, 0L);
	} else if (strcmp(method, "GET") != 0) {
		custom = method;
	}
	curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, custom);
}

static void set_tls(CURL *easy, const struct check *check, const char *ca)
{
	long verify = check->verify ? 1 : 0;

	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, verify);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, verify * 2);
	/* Read only where it matters: the system's are some 140 authorities. */
	curl_easy_setopt(easy, CURLOPT_CAINFO, ca);
	curl_easy_setopt(easy, CURLOPT_SSLCERT, check->cert);
	curl_easy_setopt(easy, CURLOPT_SSLKEY, check->key);
}

int check_http_request_set(struct check_http_request *request, CURL *easy, const struct check *check,
	const struct check_target *target, const char *ca)
{
	char host[HOST_TEXT], url[HOST_TEXT + 32];

	if (make_headers(&request->headers, check, target) < 0)
		return -ENOMEM;
	authority(check, target, host);
	snprintf(url, sizeof(url), "%s://%s:%u/", check->type == CHECK_HTTPS ? "https" : "http", host, target->port);
	if (check->type == CHECK_HTTPS)
		set_tls(easy, check, ca);
	set_method(easy, check->method);
	/* As it was given, not as libcurl would write it. */
	curl_easy_setopt(easy, CURLOPT_REQUEST_TARGET, check->path);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, request->headers);
	return curl_easy_setopt(easy, CURLOPT_URL, url) == CURLE_OK ? 0 : -ENOMEM;
}

void check_http_request_free(struct check_http_request *request)
{
	curl_slist_free_all(request->headers);
	request->headers = NULL;
}
