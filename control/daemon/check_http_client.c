/* SPDX-License-Identifier: BSD-3-Clause */
/* libcurl's multi interface driven by libevent. */
#include "check_http_client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define IDLE_MAX 256        /* easy handles that wait for the next check */
#define CA_SECONDS 60L      /* after which a file of authorities is read again */
#define BUFFER_BYTES 8192L  /* that are read at once */
#define MULTIS_MAX 64       /* files of authorities that are kept, while nobody uses more */

struct check_http_client {
	struct check_http_client *next;
	struct checker *checker;
	CURLM *multi;
	struct event timer;
	unsigned int users; /* runs */
	char ca[];          /* "": none */
};

struct check_http_clients {
	struct check_http_client *list; /* the last used first */
	unsigned int n;
	CURL *idle[IDLE_MAX];
	unsigned int n_idle;
	struct curl_slist *connect_to;
};

static struct check_http_clients *clients_of(struct checker *checker)
{
	struct check_http_clients *clients = checker->http;

	if (clients)
		return clients;
	if (curl_global_init(CURL_GLOBAL_DEFAULT))
		return NULL;
	clients = calloc(1, sizeof(*clients));
	if (clients)
		clients->connect_to = curl_slist_append(NULL, "::127.0.0.1:");
	if (!clients || !clients->connect_to) {
		free(clients);
		curl_global_cleanup();
		return NULL;
	}
	checker->http = clients;
	return clients;
}

/* The socket is connected already, so that connecting is the same for all types of checks. */
static curl_socket_t open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
	(void)purpose;
	(void)address;
	return ((struct check_run *)context)->fd;
}

static int socket_is_connected(void *context, curl_socket_t fd, curlsocktype purpose)
{
	(void)context;
	(void)fd;
	(void)purpose;
	return CURL_SOCKOPT_ALREADY_CONNECTED;
}

/* The run closes it. */
static int close_socket(void *context, curl_socket_t fd)
{
	(void)context;
	(void)fd;
	return 0;
}

static CURL *new_easy(const struct check_http_clients *clients)
{
	CURL *easy = curl_easy_init();

	if (!easy)
		return NULL;
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "shuntd/" SHUNT_VERSION);
	curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, BUFFER_BYTES);
	curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
	/* Nothing of the environment's, and nothing kept from one check to the next. */
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
	curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
	curl_easy_setopt(easy, CURLOPT_SSL_SESSIONID_CACHE, 0L);
	/* Time is the run's business. The handle would have a limit for connecting if it were given none. */
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, 3600000L);
	/* Only so that no name is looked up, whatever the host is called. */
	curl_easy_setopt(easy, CURLOPT_CONNECT_TO, clients->connect_to);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, socket_is_connected);
	curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, close_socket);
	/* Where nobody could answer, nobody is asked for a password. */
	curl_easy_setopt(easy, CURLOPT_KEYPASSWD, "");
	curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
	curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, CA_SECONDS);
	return easy;
}

CURL *check_http_easy(struct checker *checker)
{
	struct check_http_clients *clients = clients_of(checker);

	if (!clients)
		return NULL;
	return clients->n_idle ? clients->idle[--clients->n_idle] : new_easy(clients);
}

/* libcurl wants other events of a run's socket, or none any more. */
static int on_wish(CURL *easy, curl_socket_t fd, int what, void *context, void *known)
{
	struct check_http_client *client = context;
	struct check_http_run *http = known;

	(void)fd;
	if (!http) {
		curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&http);
		curl_multi_assign(client->multi, fd, http);
	}
	if (what == CURL_POLL_REMOVE)
		check_unwatch(&http->run);
	else if (!check_try_watch(&http->run, (what & CURL_POLL_IN ? EV_READ : 0) | (what & CURL_POLL_OUT ? EV_WRITE : 0)))
		http->broken = true; /* its time will run out */
	return 0;
}

static int on_timer_wish(CURLM *multi, long timeout_ms, void *context)
{
	struct check_http_client *client = context;
	struct timeval delay = { .tv_sec = timeout_ms / 1000, .tv_usec = (timeout_ms % 1000) * 1000 };

	(void)multi;
	if (timeout_ms < 0)
		event_del(&client->timer);
	else
		event_add(&client->timer, &delay);
	return 0;
}

/* Those that are over. What they are told may begin and cancel others, so each time it is asked anew. */
static void collect(struct check_http_client *client)
{
	struct check_http_run *http;
	CURLMsg *message;
	int left;

	client->users++; /* stays while we are here */
	while ((message = curl_multi_info_read(client->multi, &left))) {
		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&http);
		check_http_over(http, message->data.result);
	}
	client->users--;
}

static void on_timer(evutil_socket_t unused, short what, void *context)
{
	struct check_http_client *client = context;
	int running;

	(void)unused;
	(void)what;
	curl_multi_socket_action(client->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	collect(client);
}

static void free_client(struct check_http_client *client)
{
	client->checker->http->n--;
	curl_multi_cleanup(client->multi);
	event_del(&client->timer);
	free(client);
}

/* Files that no check names any more would stay for good. */
static void make_room(struct check_http_clients *clients)
{
	struct check_http_client **last = NULL;

	for (struct check_http_client **link = &clients->list; *link; link = &(*link)->next)
		if ((*link)->users == 0)
			last = link;
	if (clients->n >= MULTIS_MAX && last) {
		struct check_http_client *client = *last;

		*last = client->next;
		free_client(client);
	}
}

static struct check_http_client *new_client(struct checker *checker, const char *ca)
{
	size_t size = strlen(ca) + 1;
	struct check_http_client *client = calloc(1, sizeof(*client) + size);

	if (client)
		client->multi = curl_multi_init();
	if (!client || !client->multi) {
		free(client);
		return NULL;
	}
	make_room(checker->http);
	memcpy(client->ca, ca, size);
	client->checker = checker;
	evtimer_assign(&client->timer, checker->base, on_timer, client);
	event_priority_set(&client->timer, checker->priority);
	curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, on_wish);
	curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client);
	curl_multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, on_timer_wish);
	curl_multi_setopt(client->multi, CURLMOPT_TIMERDATA, client);
	checker->http->n++;
	return client;
}

struct check_http_client *check_http_client(struct checker *checker, const char *ca)
{
	struct check_http_clients *clients = clients_of(checker);
	struct check_http_client *client = NULL;

	if (!clients)
		return NULL;
	ca = ca ? ca : "";
	for (struct check_http_client **link = &clients->list; *link; link = &(*link)->next) {
		if (strcmp((*link)->ca, ca))
			continue;
		client = *link;
		*link = client->next;
		break;
	}
	if (!client)
		client = new_client(checker, ca);
	if (!client)
		return NULL;
	client->next = clients->list;
	clients->list = client;
	client->users++;
	return client;
}

static void act(struct check_http_client *client, curl_socket_t fd, int what)
{
	int running;

	curl_multi_socket_action(client->multi, fd, what, &running);
	collect(client);
}

void check_http_client_add(struct check_http_run *http)
{
	check_unwatch(&http->run);
	http->added = curl_multi_add_handle(http->client->multi, http->easy) == CURLM_OK;
	if (http->added)
		/* Now, not when the timer that has been asked for comes. */
		act(http->client, CURL_SOCKET_TIMEOUT, 0);
	else
		check_finish(&http->run, CHECK_UNMADE, "%s", strerror(ENOMEM));
}

void check_http_client_act(struct check_http_run *http, short what)
{
	act(http->client, http->run.fd,
		(what & EV_READ ? CURL_CSELECT_IN : 0) | (what & EV_WRITE ? CURL_CSELECT_OUT : 0));
}

void check_http_client_remove(struct check_http_run *http)
{
	struct check_http_clients *clients = http->run.checker->http;

	if (http->added)
		curl_multi_remove_handle(http->client->multi, http->easy);
	if (http->client)
		http->client->users--;
	if (http->easy) {
		/* These two are the run's. */
		curl_easy_setopt(http->easy, CURLOPT_ERRORBUFFER, NULL);
		curl_easy_setopt(http->easy, CURLOPT_HTTPHEADER, NULL);
	}
	if (http->easy && clients->n_idle < IDLE_MAX)
		clients->idle[clients->n_idle++] = http->easy;
	else if (http->easy)
		curl_easy_cleanup(http->easy);
	http->easy = NULL;
	http->client = NULL;
}

void check_http_clients_close(struct checker *checker)
{
	struct check_http_clients *clients = checker->http;

	if (!clients)
		return;
	while (clients->n_idle)
		curl_easy_cleanup(clients->idle[--clients->n_idle]);
	while (clients->list) {
		struct check_http_client *client = clients->list;

		clients->list = client->next;
		free_client(client);
	}
	curl_slist_free_all(clients->connect_to);
	free(clients);
	checker->http = NULL;
	curl_global_cleanup();
}
