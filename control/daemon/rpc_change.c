/* SPDX-License-Identifier: BSD-3-Clause */
/* Methods that change the running set: each is one call of the model. */
#include <errno.h>
#include <string.h>

#include "duration.h"
#include "rpc_method.h"

#define DEFAULT_WEIGHT 100

enum rpc_outcome rpc_vip_add(struct rpc_call *call)
{
	const struct vip_spec *vip = &rpc_get(call, "vip")->vip;
	struct error error;

	return rpc_changed(call,
		model_vip_add(call->daemon->model, vip->address, vip->protocol, vip->port, rpc_get_text(call, "pool"),
			&error),
		&error);
}

static void take_number(const struct rpc_call *call, const char *param, uint32_t *to)
{
	const struct rpc_value *value = rpc_get(call, param);

	if (value->given)
		*to = (uint32_t)value->number;
}

enum rpc_outcome rpc_vip_set(struct rpc_call *call)
{
	const struct vip_spec *spec = &rpc_get(call, "vip")->vip;
	const struct vip *vip = model_vip_find(call->daemon->model, spec->address, spec->protocol, spec->port);
	struct vip_policy policy = { 0 };
	struct error error;

	if (vip)
		policy = vip->policy;
	if (rpc_get(call, "access")->given) {
		if (strlen(rpc_get_text(call, "access")) > NAME_MAX_LEN)
			return rpc_fail(call, RPC_REFUSED, -ENOENT, "there is no access list of such a long name");
		snprintf(policy.access, sizeof(policy.access), "%s", rpc_get_text(call, "access"));
	}
	take_number(call, "source_rate", &policy.source_rate);
	take_number(call, "source_burst", &policy.source_burst);
	take_number(call, "half_open", &policy.half_open);
	if (rpc_get(call, "half_open")->given)
		policy.half_open_given = rpc_get(call, "half_open")->number >= 0;
	return rpc_changed(call,
		model_vip_set(call->daemon->model, spec->address, spec->protocol, spec->port, &policy, &error),
		&error);
}

enum rpc_outcome rpc_vip_del(struct rpc_call *call)
{
	const struct vip_spec *vip = &rpc_get(call, "vip")->vip;
	struct error error;

	return rpc_changed(call,
		model_vip_del(call->daemon->model, vip->address, vip->protocol, vip->port, &error), &error);
}

static void copy_text(const struct rpc_call *call, const char *param, json_t *to, const char *name)
{
	if (rpc_get(call, param)->given)
		json_object_set_new(to, name, json_string(rpc_get_text(call, param)));
}

/* The parameters as the settings they are. */
static json_t *pool_settings(const struct rpc_call *call)
{
	json_t *settings = json_object();
	const struct rpc_value *panic = rpc_get(call, "panic"), *passive = rpc_get(call, "passive"),
			       *check = rpc_get(call, "check");

	copy_text(call, "pool", settings, "name");
	copy_text(call, "scheduler", settings, "scheduler");
	copy_text(call, "fallback", settings, "fallback");
	copy_text(call, "slow_start", settings, "slow_start");
	if (panic->given)
		json_object_set_new(settings, "panic", json_integer(panic->number));
	if (passive->given)
		json_object_set_new(settings, "passive", json_boolean(passive->flag));
	if (check->given)
		json_object_set(settings, "check", check->object);
	return settings;
}

enum rpc_outcome rpc_pool_add(struct rpc_call *call)
{
	json_t *settings = pool_settings(call);
	struct config_pool wanted;
	struct error error;
	int err = config_pool_from_json(settings, &wanted, &error);

	json_decref(settings);
	if (err)
		return rpc_fail(call, RPC_INVALID_PARAMS, err, "%s", error.text);
	err = model_pool_add(call->daemon->model, &wanted, &error);
	check_free(&wanted.check);
	return rpc_changed(call, err, &error);
}

enum rpc_outcome rpc_pool_del(struct rpc_call *call)
{
	struct error error;

	return rpc_changed(call, model_pool_del(call->daemon->model, rpc_get_text(call, "pool"), &error), &error);
}

enum rpc_outcome rpc_backend_add(struct rpc_call *call)
{
	const struct rpc_value *weight = rpc_get(call, "weight"), *mac = rpc_get(call, "mac");
	struct error error;

	return rpc_changed(call,
		model_backend_add(call->daemon->model, rpc_get_text(call, "pool"), rpc_get(call, "address")->address,
			weight->given ? (uint16_t)weight->number : DEFAULT_WEIGHT, mac->given ? &mac->mac : NULL, &error),
		&error);
}

enum rpc_outcome rpc_backend_del(struct rpc_call *call)
{
	struct error error;

	return rpc_changed(call,
		model_backend_del(call->daemon->model, rpc_get_text(call, "pool"), rpc_get(call, "address")->address,
			&error),
		&error);
}

enum rpc_outcome rpc_backend_set(struct rpc_call *call)
{
	struct error error;

	return rpc_changed(call,
		model_backend_set(call->daemon->model, rpc_get_text(call, "pool"), rpc_get(call, "address")->address,
			(uint16_t)rpc_get(call, "weight")->number, &error),
		&error);
}

enum rpc_outcome rpc_disable(struct rpc_call *call)
{
	struct error error;

	return rpc_changed(call,
		model_disable(call->daemon->model, rpc_get_text(call, "pool"), rpc_get(call, "address")->address, &error),
		&error);
}

enum rpc_outcome rpc_enable(struct rpc_call *call)
{
	struct error error;

	return rpc_changed(call,
		model_enable(call->daemon->model, rpc_get_text(call, "pool"), rpc_get(call, "address")->address, &error),
		&error);
}

enum rpc_outcome rpc_drain(struct rpc_call *call)
{
	const char *deadline = rpc_get_text(call, "deadline");
	int64_t ms = deadline ? duration_parse_ms(deadline) : 0;
	struct drain_wish wish = { .deadline_ms = (uint64_t)ms, .force = rpc_get_flag(call, "force") };
	struct error error;

	if (deadline && ms <= 0)
		return rpc_fail(call, RPC_INVALID_PARAMS, -EINVAL,
			"deadline: \"%.40s\" is not a time such as \"30m\"", deadline);
	/* A sweep that ended since the last look would be taken for one that ended after this. */
	if (call->daemon->counters)
		counters_catch_up(call->daemon->counters);
	return rpc_changed(call,
		model_drain(call->daemon->model, rpc_get_text(call, "pool"), rpc_get(call, "address")->address,
			&wish, &error),
		&error);
}
