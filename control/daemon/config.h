/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * shunt.conf as a value: parsed and validated in full, or refused with file, line and setting. Nothing
 * here is running state; the model takes from it what it needs (model_apply).
 */
#ifndef SHUNT_CONFIG_H
#define SHUNT_CONFIG_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "check.h"
#include "snapshot.h"

#define NAME_MAX_LEN 63 /* of a pool: letters, digits, . _ - */

/* Most pools and backends of all pools together: the old and the new set of pools fit the ids side by side. */
#define CONFIG_MAX_POOLS 32767
#define CONFIG_MAX_VIPS SNAPSHOT_MAX_IDS
#define CONFIG_MAX_ACCESS SNAPSHOT_MAX_ACCESS
#define CONFIG_MAX_BACKENDS SNAPSHOT_MAX_IDS

struct config_backend {
	struct addr address;
	uint16_t weight; /* 0: no new flows */
	bool mac_pinned;
	struct mac mac;
	const char *file; /* one of config.files */
	int line;
};

struct config_pool {
	char name[NAME_MAX_LEN + 1];
	enum scheduler scheduler;
	uint32_t panic; /* percent of the enabled backends; with fewer of them healthy health is ignored; 0: never
			 */
	char fallback[NAME_MAX_LEN + 1]; /* the pool that serves while this one has nobody; "": none */
	uint32_t slow_start_ms;		 /* over which a backend that came up gets its share; 0: at once */
	bool passive;			 /* handshakes that fail make a backend suspect */
	struct check check;
	struct config_backend *backends;
	size_t n_backends;
	const char *file;
	int line;
};

#define VIP_SOURCE_RATE_MAX 60000

/* What a VIP lets in. */
struct vip_policy {
	char access[NAME_MAX_LEN + 1]; /* name of its access list; "": none */
	uint32_t source_rate;	       /* new flows a second that a source may begin; 0: any number */
	uint32_t source_burst;	       /* at once, of a source that has been silent; 0: a second's worth */
	bool half_open_given;
	uint32_t half_open; /* flows that may be half-open before SYNs go without an entry; not given: by the
			     * table's capacity */
};

/* A rule of an access list. */
struct config_prefix {
	struct addr address;
	uint8_t length;
	bool allow;
};

/* An access list: which sources VIPs that have it let in. */
struct config_access {
	char name[NAME_MAX_LEN + 1];
	struct strings allow;
	struct strings deny;
	char *allow_file; /* NULL: none */
	char *deny_file;
	struct config_prefix *prefixes; /* of all four, sorted */
	size_t n_prefixes;
	uint64_t digest; /* of its files' bytes; 0: it has none */
	const char *file;
	int line;
};

struct config_vip {
	struct addr address;
	uint16_t port; /* host order; 0: every port */
	uint8_t protocol; /* IPPROTO_TCP or IPPROTO_UDP */
	char pool[NAME_MAX_LEN + 1];
	struct vip_policy policy;
	const char *file;
	int line;
};

enum path { PATH_AUTO, PATH_DPDK, PATH_XDP };
enum idle { IDLE_POLL, IDLE_SLEEP };
enum xdp_mode { XDP_MODE_AUTO, XDP_MODE_NATIVE, XDP_MODE_GENERIC };

struct config {
	enum path path;
	char *interface;        /* NULL: not given */
	char *dpdk_port;        /* NULL: no DPDK port */
	char *dpdk_cores;
	char *dpdk_socket;      /* where shunt-dataplane listens */
	char *dpdk_run_dir;
	enum idle dpdk_idle;
	bool dpdk_mbufs_given;
	uint32_t dpdk_mbufs;
	uint32_t dpdk_mbuf_size;
	bool dpdk_mtu_given;
	uint32_t dpdk_mtu;
	struct strings eal_args;
	char *kernel_interface; /* dpdk.kernel_interface */
	enum xdp_mode xdp_mode;
	char *xdp_pin;
	char *control_socket;
	char *control_group;
	char *control_http; /* "": none */
	char *control_state;
	char *control_hook;	/* NULL: none */
	uint32_t check_changes; /* a second, of backends' states, that checks may make; 0: any number */
	uint32_t announce_repeat; /* times that an address is announced; 0: never */
	uint32_t announce_interval_ms;
	uint32_t announce_rate; /* frames a second, of all addresses */
	uint32_t echo_rate;	/* pings a second that a worker answers; 0: all */
	uint32_t echo_burst;
	bool hash_key_given;
	uint64_t hash_key[2];
	uint64_t flow_capacity;
	uint32_t timeout_s[FLOW_STATE_COUNT]; /* by enum flow_state */
	struct config_pool *pools;
	size_t n_pools;
	struct config_access *access;
	size_t n_access;
	struct config_vip *vips;
	size_t n_vips;
	struct strings files; /* the file, and those it includes */
	uint64_t digest;      /* of their bytes: tells whether they have changed since */
};

/*
 * The interface that dpdk.port has AF_XDP sockets on ("af_xdp:eth0"), above the XDP program: into name[IFNAMSIZ],
 * returned; NULL where dpdk.port is of another kind, or not given.
 */
const char *config_sockets_on(const struct config *config, char *name);

/* One line for an operator: "shunt.conf:12: pools[0].backends[1].weight: 70000 is out of range: 0 to 65535". */
struct error {
	char text[512];
};

/*
 * Read and validate a file ("@include" is looked for beside it). On success returns 0 and *out, to be freed
 * with config_free(); else -errno (-EINVAL for content) and one line in *error. (libconfig has the name
 * config_read to itself.)
 */
int config_load(const char *path, struct config **out, struct error *error);
/* The same from memory, for tests and fuzzing; name stands for the path in errors. */
int config_parse(const char *name, const char *text, size_t size, struct config **out, struct error *error);
void config_free(struct config *config);

/*
 * A check as a JSON object with the settings of shunt.conf ({"type":"tcp","interval":"2s"}); NULL, JSON null
 * and what it leaves out mean the defaults. 0 and *check, to be freed with check_free(); or -EINVAL and a line
 * such as "check.rise: must be ...", or -ENOMEM.
 */
int config_check_from_json(const json_t *object, struct check *check, struct error *error);
/*
 * A pool's own settings likewise ({"name":"web","panic":50,"check":{"type":"tcp"}}), without backends. 0 and
 * *pool, whose check is to be freed with check_free(); or -EINVAL and a line such as "panic: 101 is out of range:
 * 0 to 100", or -ENOMEM.
 */
int config_pool_from_json(const json_t *object, struct config_pool *pool, struct error *error);
/* And back: what is not the default. NULL: no memory. */
json_t *config_pool_to_json(const struct config_pool *pool);

struct setting;
/* Whether it is one of a VIP's that say what it lets in. */
bool config_is_vip_policy(const struct setting *setting);
/* The same for them: what object does not say is the default. 0, or -EINVAL or -ENOMEM and *error. */
int config_vip_policy_from_json(const json_t *object, struct vip_policy *policy, struct error *error);
json_t *config_vip_policy_to_json(const struct vip_policy *policy);
/* The defaults: what a pool without "check" has. 0 and *check, to be freed with check_free(); or -ENOMEM. */
int config_check_default(struct check *check);
/* For people: "tcp via vip, every 1s, timeout 500ms, rise 2, fall 3" into text[CONFIG_CHECK_TEXT], returned. */
#define CONFIG_CHECK_TEXT 256
const char *config_check_print(const struct check *check, char *text);

/*
 * Settings outside pools and vips that differ, a JSON array of one string each ("flow_table.capacity: 1000000,
 * was 2000000"), with a word on what has to be restarted for it where a reload is not enough. NULL: no memory.
 */
json_t *config_diff(const struct config *before, const struct config *after);

/* printf into *error; returns -errno_value, so that a caller can return it. */
int error_set(struct error *error, int errno_value, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
