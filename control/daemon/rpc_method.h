/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a method of the operators' socket is: the one table of them (rpc_methods.c) says everything, and
 * from it a request's parameters are checked before the handler sees them. Handlers translate between
 * JSON and the daemon's parts; they decide nothing.
 */
#ifndef SHUNT_RPC_METHOD_H
#define SHUNT_RPC_METHOD_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "address.h"
#include "daemon.h"

#define RPC_MAX_PARAMS 8

/* JSON-RPC's own error codes, and ours above 0. */
enum rpc_error_code {
	RPC_PARSE_ERROR = -32700,
	RPC_INVALID_REQUEST = -32600,
	RPC_METHOD_NOT_FOUND = -32601,
	RPC_INVALID_PARAMS = -32602,
	RPC_INTERNAL_ERROR = -32603,
	RPC_REFUSED = 1,        /* message: why, for the operator */
	RPC_FORBIDDEN = 2,      /* the peer may read, not change */
	RPC_UNACKNOWLEDGED = 3, /* the change is kept, but no forwarder has said yet that it is in force */
};

enum rpc_permission { RPC_READ, RPC_CHANGE };

enum rpc_type {
	RPC_TEXT,     /* value.text */
	RPC_CHOICE,   /* value.text, one of choices */
	RPC_FLAG,     /* value.flag */
	RPC_NUMBER,   /* value.number, min..max */
	RPC_ADDRESS,  /* value.address */
	RPC_ENDPOINT, /* value.endpoint: "198.51.100.2:40000" */
	RPC_VIP,      /* value.vip: "192.0.2.80:80/tcp" */
	RPC_MAC,      /* value.mac */
	RPC_OBJECT,   /* value.object */
	RPC_PREFIXES, /* value.object: an array of strings, each of which access_prefix_parse() takes */
};

struct rpc_param {
	const char *name; /* NULL ends the list */
	enum rpc_type type;
	bool required;
	int64_t min, max;
	const char *choices; /* "vips|pools|backends" */
	const char *help;
};

struct rpc_value {
	bool given;
	union {
		const char *text;
		bool flag;
		int64_t number;
		struct addr address;
		struct {
			struct addr address;
			uint16_t port; /* host order */
		} endpoint;
		struct vip_spec vip;
		struct mac mac;
		json_t *object; /* the request's */
	};
};

/* What a handler leaves behind. */
enum rpc_outcome {
	RPC_DONE,      /* result is set, or rpc_fail() was called */
	RPC_PUBLISHED, /* the same; the answer waits until the forwarder has it, and gets "snapshot" */
	RPC_PENDING,   /* rpc_call_finish() will be called, not before the handler returns; cancel is set */
};

struct rpc_call {
	struct daemon *daemon;
	const struct rpc_method *method;
	struct rpc_value value[RPC_MAX_PARAMS]; /* in the order of the method's params */
	json_t *result;                         /* handler: sets, a new reference */
	int error_code;                         /* 0: none */
	int error_errno;                        /* 0: none */
	char error[512];
	void *pending;                           /* RPC_PENDING: the handler's own */
	void (*cancel)(struct rpc_call *call);   /* RPC_PENDING: the client is gone; free what pending is */
};

struct rpc_method {
	const char *name; /* NULL ends the table */
	enum rpc_permission permission;
	struct rpc_param params[RPC_MAX_PARAMS + 1];
	enum rpc_outcome (*handler)(struct rpc_call *call);
	const char *help;
};

extern const struct rpc_method rpc_methods[];

/* The value of a parameter, which the method must have. */
const struct rpc_value *rpc_get(const struct rpc_call *call, const char *name);
/* Its text, or NULL if it was not given. */
const char *rpc_get_text(const struct rpc_call *call, const char *name);
bool rpc_get_flag(const struct rpc_call *call, const char *name);

/* The call failed; error: -errno or 0. Returns RPC_DONE for the handler to return. */
enum rpc_outcome rpc_fail(struct rpc_call *call, int code, int error, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* What most changes end in: result 0 is an empty result to be published, else the model's refusal. */
enum rpc_outcome rpc_changed(struct rpc_call *call, int result, const struct error *error);
/* A pending call has its result or error. The call is gone afterwards. */
void rpc_call_finish(struct rpc_call *call);

/* Handlers. rpc_status.c */
enum rpc_outcome rpc_status(struct rpc_call *call);
enum rpc_outcome rpc_counters(struct rpc_call *call);
/* rpc_show.c */
enum rpc_outcome rpc_show(struct rpc_call *call);
/* rpc_change.c */
enum rpc_outcome rpc_vip_add(struct rpc_call *call);
enum rpc_outcome rpc_vip_set(struct rpc_call *call);
enum rpc_outcome rpc_vip_del(struct rpc_call *call);
enum rpc_outcome rpc_pool_add(struct rpc_call *call);
enum rpc_outcome rpc_pool_del(struct rpc_call *call);
enum rpc_outcome rpc_backend_add(struct rpc_call *call);
enum rpc_outcome rpc_backend_del(struct rpc_call *call);
enum rpc_outcome rpc_backend_set(struct rpc_call *call);
enum rpc_outcome rpc_disable(struct rpc_call *call);
enum rpc_outcome rpc_enable(struct rpc_call *call);
enum rpc_outcome rpc_drain(struct rpc_call *call);
/* rpc_access.c */
enum rpc_outcome rpc_access_show(struct rpc_call *call);
enum rpc_outcome rpc_access_new(struct rpc_call *call);
enum rpc_outcome rpc_access_remove(struct rpc_call *call);
enum rpc_outcome rpc_access_add(struct rpc_call *call);
enum rpc_outcome rpc_access_del(struct rpc_call *call);
/* rpc_flows.c */
enum rpc_outcome rpc_flows(struct rpc_call *call);
/* rpc_explain.c */
enum rpc_outcome rpc_explain(struct rpc_call *call);
/* rpc_events.c */
enum rpc_outcome rpc_events(struct rpc_call *call);
/* rpc_files.c */
enum rpc_outcome rpc_reload(struct rpc_call *call);
enum rpc_outcome rpc_check(struct rpc_call *call);
enum rpc_outcome rpc_save(struct rpc_call *call);
/* rpc_detach.c */
enum rpc_outcome rpc_detach(struct rpc_call *call);
/* rpc_methods.c */
enum rpc_outcome rpc_help(struct rpc_call *call);

#endif
