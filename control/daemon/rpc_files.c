/* SPDX-License-Identifier: BSD-3-Clause */
/* Methods "reload", "check" and "save": the running set and configuration files. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "log.h"
#include "rpc_method.h"

#define FILE_LIMIT (64 << 20) /* bytes of a file to be checked */

enum rpc_outcome rpc_reload(struct rpc_call *call)
{
	bool dry_run = rpc_get_flag(call, "dry_run");
	struct error error;
	json_t *changes;
	int result = daemon_reload(call->daemon, dry_run, &changes, &error);

	if (result < 0)
		return rpc_fail(call, RPC_REFUSED, result, "%s", error.text);
	call->result = json_pack("{s:o}", "changes", changes);
	if (!dry_run)
		return RPC_PUBLISHED;
	json_object_set_new(call->result, "snapshot",
		json_integer((json_int_t)publish_version(call->daemon->publisher)));
	return RPC_DONE;
}

enum rpc_outcome rpc_check(struct rpc_call *call)
{
	const char *path = rpc_get_text(call, "file");
	struct config *config;
	struct error error;
	struct stat about;
	size_t backends = 0;
	int result;

	if (path[0] != '/')
		return rpc_fail(call, RPC_INVALID_PARAMS, -EINVAL, "file: must be an absolute path");
	/* A pipe or a terminal would keep the daemon waiting for its other end. */
	if (stat(path, &about) < 0)
		return rpc_fail(call, RPC_REFUSED, -errno, "%s: %s", path, strerror(errno));
	if (!S_ISREG(about.st_mode) || about.st_size > FILE_LIMIT)
		return rpc_fail(call, RPC_REFUSED, -EINVAL, "%s: %s", path,
			S_ISREG(about.st_mode) ? "too large" : "not a file");
	result = config_load(path, &config, &error);
	if (result < 0)
		return rpc_fail(call, RPC_REFUSED, result, "%s", error.text);
	for (size_t i = 0; i < config->n_pools; i++)
		backends += config->pools[i].n_backends;
	call->result = json_pack("{s:b,s:I,s:I,s:I}", "ok", 1, "vips", (json_int_t)config->n_vips, "pools",
		(json_int_t)config->n_pools, "backends", (json_int_t)backends);
	config_free(config);
	return RPC_DONE;
}

enum rpc_outcome rpc_save(struct rpc_call *call)
{
	char *text;
	int result = model_save_text(call->daemon->model, call->daemon->config, &text);

	if (result < 0)
		return rpc_fail(call, RPC_INTERNAL_ERROR, result, "%s", strerror(-result));
	call->result = json_pack("{s:s}", "text", text);
	free(text);
	return RPC_DONE;
}
