/* SPDX-License-Identifier: BSD-3-Clause */
/* One request to shuntd and its answer. Nothing that shuntd says or fails to say may hang or end us badly. */
#include "client.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "text.h"

#define REQUEST_ID 1

/* Returns a connected socket, or -1 with *failure set. */
static int connect_to(const char *path, int timeout_ms, struct failure *failure)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct timeval limit = { timeout_ms / 1000, timeout_ms % 1000 * 1000 };
	int fd;

	if (strlen(path) >= sizeof(address.sun_path)) {
		failure_set(failure, STATUS_USAGE, "a socket's path can't be longer than %zu characters: %s",
			sizeof(address.sun_path) - 1, path);
		return -1;
	}
	strcpy(address.sun_path, path);

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		failure_set(failure, STATUS_FAILED, "no socket to be had: %s", strerror(errno));
		return -1;
	}
	/* Bounds sends, and the wait for a place in a listener's queue. */
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;

	switch (errno) {
	case ENOENT:
	case ENOTDIR:
	case ECONNREFUSED:
		failure_set(failure, STATUS_NO_DAEMON,
			"no shuntd at %s (%s): is it running? --socket names another place", path,
			errno == ECONNREFUSED ? "nobody listens there" : strerror(errno));
		break;
	case EACCES:
	case EPERM:
		failure_set(failure, STATUS_FAILED,
			"no right to connect to %s: root and the group in shunt.conf's control.group have it",
			path);
		break;
	case EAGAIN:
		failure_set(failure, STATUS_FAILED, "shuntd at %s takes no connections: none taken in %d s", path,
			timeout_ms / 1000);
		break;
	default:
		failure_set(failure, STATUS_FAILED, "can't connect to %s: %s", path, strerror(errno));
	}
	close(fd);
	return -1;
}

static enum status send_request(int fd, const char *method, json_t *params, struct failure *failure)
{
	enum status status = STATUS_DONE;
	json_t *request;
	char *line;
	size_t size, sent = 0;

	request = json_pack("{s:s, s:i, s:s, s:O}", "jsonrpc", "2.0", "id", REQUEST_ID, "method", method, "params",
		params);
	line = request ? json_dumps(request, JSON_COMPACT) : NULL;
	json_decref(request);
	if (!line)
		return failure_set(failure, STATUS_FAILED, "out of memory");

	size = strlen(line);
	line[size++] = '\n'; /* where the terminating zero was */
	failure->outcome_unknown = true;
	while (sent < size) {
		ssize_t n = send(fd, line + sent, size - sent, MSG_NOSIGNAL);

		if (n >= 0) {
			sent += (size_t)n;
		} else if (errno == EPIPE || errno == ECONNRESET) {
			break; /* it hung up, perhaps with a word why: read that */
		} else if (errno != EINTR) {
			status = failure_set(failure, STATUS_FAILED, "can't send to shuntd: %s", strerror(errno));
			break;
		}
	}
	free(line);
	return status;
}

/* Waits for bytes; returns how many came into the buffer, 0 at the end, -1 with *failure set. */
static ssize_t receive(int fd, char *buffer, size_t size, int timeout_ms, struct failure *failure)
{
	struct pollfd wait = { .fd = fd, .events = POLLIN };
	ssize_t n;
	int ready;

	do
		ready = poll(&wait, 1, timeout_ms);
	while (ready < 0 && errno == EINTR);
	if (ready == 0) {
		failure_set(failure, STATUS_FAILED,
			"shuntd took the request and has been silent for %d s: it hangs or is stopped",
			timeout_ms / 1000);
		return -1;
	}
	do
		n = recv(fd, buffer, size, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == ECONNRESET)
		return 0;
	if (n < 0)
		failure_set(failure, STATUS_FAILED, "can't receive from shuntd: %s", strerror(errno));
	return n;
}

/* Reads up to the first line feed. *line: the caller's to free, also after a failure; not zero-terminated. */
static enum status receive_line(int fd, int timeout_ms, char **line, size_t *length, struct failure *failure)
{
	size_t used = 0, size = 0;

	for (;;) {
		char *end;
		ssize_t n;

		if (used == size) {
			char *larger;

			if (size >= CLIENT_ANSWER_MAX)
				return failure_set(failure, STATUS_FAILED,
					"the answer has no end after %u MiB: that is not shuntd",
					CLIENT_ANSWER_MAX >> 20);
			size = size ? size * 2 : 16384;
			larger = realloc(*line, size);
			if (!larger)
				return failure_set(failure, STATUS_FAILED, "out of memory");
			*line = larger;
		}
		n = receive(fd, *line + used, size - used, timeout_ms, failure);
		if (n < 0)
			return failure->status;
		if (n == 0)
			return failure_set(failure, STATUS_FAILED, "shuntd hung up %s its answer",
				used ? "in the middle of" : "without");
		end = memchr(*line + used, '\n', (size_t)n);
		if (end) {
			*length = (size_t)(end - *line);
			return STATUS_DONE;
		}
		used += (size_t)n;
	}
}

/* The answer's result, or its error as a failure. */
static enum status take_answer(const char *line, size_t length, json_t **result, struct failure *failure)
{
	json_error_t where;
	json_t *answer, *error, *id;
	enum status status;

	answer = json_loadb(line, length, 0, &where);
	if (!answer)
		return failure_set(failure, STATUS_FAILED, "the answer is not JSON: %s (at byte %d)", where.text,
			where.position);

	id = json_object_get(answer, "id");
	error = json_object_get(answer, "error");
	*result = json_object_get(answer, "result");
	if (json_is_object(error) && (json_is_null(id) || json_integer_value(id) == REQUEST_ID)) {
		failure->outcome_unknown = false;
		status = failure_from_daemon(failure, json_incref(error));
	} else if (json_is_object(*result) && json_integer_value(id) == REQUEST_ID) {
		failure->outcome_unknown = false;
		json_incref(*result);
		status = STATUS_DONE;
	} else {
		status = failure_set(failure, STATUS_FAILED,
			"the answer is JSON, but not an answer to the request");
	}
	json_decref(answer);
	return status;
}

enum status client_call(const char *path, const char *method, json_t *params, int timeout_ms, json_t **result,
	struct failure *failure)
{
	enum status status;
	char *line = NULL;
	size_t length = 0;
	int fd;

	fd = connect_to(path, timeout_ms, failure);
	if (fd < 0)
		return failure->status;
	status = send_request(fd, method, params, failure);
	if (status == STATUS_DONE)
		status = receive_line(fd, timeout_ms, &line, &length, failure);
	if (status == STATUS_DONE)
		status = take_answer(line, length, result, failure);
	free(line);
	close(fd);
	return status;
}
