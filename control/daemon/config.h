/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * shunt.conf as a value: parsed and validated in full, or refused with file, line and setting. Nothing
 * here is running state; the model takes from it what it needs (model_apply).
 */
#ifndef SHUNT_CONFIG_H
#define SHUNT_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "snapshot.h"

#define NAME_MAX_LEN 63 /* of a pool: letters, digits, . _ - */

enum check_type { CHECK_NONE, CHECK_TCP };
enum check_via { CHECK_VIA_VIP, CHECK_VIA_BACKEND };

struct check {
	enum check_type type;
	enum check_via via;
	uint16_t port; /* host order; 0: the VIP's port */
	uint32_t interval_ms;
	uint32_t timeout_ms;
	uint32_t rise;
	uint32_t fall;
};

struct config_backend {
	struct addr address;
	uint16_t weight; /* 0: no new flows */
	bool mac_pinned;
	struct mac mac;
	int line;
};

struct config_pool {
	char name[NAME_MAX_LEN + 1];
	enum scheduler scheduler;
	struct check check;
	struct config_backend *backends;
	size_t n_backends;
	int line;
};

struct config_vip {
	struct addr address;
	uint16_t port; /* host order; 0: every port */
	uint8_t protocol; /* IPPROTO_TCP or IPPROTO_UDP */
	char pool[NAME_MAX_LEN + 1];
	int line;
};

enum path { PATH_AUTO, PATH_DPDK, PATH_XDP };

struct config {
	enum path path;
	char *interface;        /* NULL: not given */
	char *dpdk_port;        /* NULL: no DPDK port */
	char *dpdk_socket;      /* where shunt-dataplane listens */
	char *kernel_interface; /* dpdk.kernel_interface */
	char *control_socket;
	char *control_group;
	char *control_http; /* "": none */
	char *control_state;
	bool hash_key_given;
	uint64_t hash_key[2];
	uint64_t flow_capacity;
	uint32_t timeout_s[FLOW_STATE_COUNT]; /* by enum flow_state */
	struct config_pool *pools;
	size_t n_pools;
	struct config_vip *vips;
	size_t n_vips;
	uint64_t digest; /* of the file's bytes: tells whether it has changed since */
};

/* One line for an operator: "shunt.conf:12: pools[0].backends[1].weight: 70000 is out of range: 0 to 65535". */
struct error {
	char text[512];
};

/*
 * Read and validate a file. On success returns 0 and *out, to be freed with config_free(); else -errno
 * (-EINVAL for content) and one line in *error.
 */
int config_read(const char *path, struct config **out, struct error *error);
/* The same from memory, for tests and fuzzing; name stands for the path in errors. */
int config_parse(const char *name, const char *text, size_t size, struct config **out, struct error *error);
void config_free(struct config *config);

/* printf into *error; returns -errno_value, so that a caller can return it. */
int error_set(struct error *error, int errno_value, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
