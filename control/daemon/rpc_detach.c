/* SPDX-License-Identifier: BSD-3-Clause */
/* detach: the XDP program off an interface. */
#include <string.h>

#include "forwarder_xdp.h"
#include "rpc_method.h"

/* The XDP forwarder of this daemon, or NULL on another path. */
static struct xdp *loader_of(const struct daemon *daemon)
{
	const struct forwarder *forwarder = publish_forwarder(daemon->publisher, FORWARDER_XDP);

	return forwarder ? forwarder_xdp_loader(forwarder) : NULL;
}

enum rpc_outcome rpc_detach(struct rpc_call *call)
{
	struct xdp_options options = { .interface = rpc_get_text(call, "interface"),
		.pin_dir = call->daemon->config->xdp_pin };
	struct xdp *own = loader_of(call->daemon);
	struct error error;
	bool found;
	int result;

	if (!options.interface && !own)
		return rpc_fail(call, RPC_REFUSED, -EINVAL,
			"shuntd is not on the XDP path: name the interface that a program is to be taken off");
	if (!options.interface)
		options.interface = xdp_interface(own);
	if (own && !strcmp(options.interface, xdp_interface(own)))
		result = xdp_release(own, &found, &error);
	else
		result = xdp_detach(&options, &found, &error);
	if (result)
		return rpc_fail(call, RPC_REFUSED, result, "%s", error.text);
	call->result = json_pack("{s:s,s:b}", "interface", options.interface, "detached", found);
	return RPC_DONE;
}
