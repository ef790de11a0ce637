/* SPDX-License-Identifier: BSD-3-Clause */
/* Attaching, replacing, taking off; whose program is on the interface. */
#include "xdp_attach.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "log.h"

/* What an interface has: at most one program in native and one in generic mode, and one in the card itself. */
static int query(unsigned int index, struct bpf_xdp_query_opts *found)
{
	return bpf_xdp_query((int)index, 0, found);
}

int xdp_attach_look(unsigned int index, uint32_t program_id, bool *native, uint32_t *foreign)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, found);
	const uint32_t *const places[] = { &found.drv_prog_id, &found.skb_prog_id, &found.hw_prog_id,
		&found.prog_id };

	int result = index ? query(index, &found) : -ENODEV;

	*foreign = 0;
	if (result)
		return result == -ENODEV ? 0 : result;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (*places[i] && *places[i] != program_id)
			*foreign = *places[i];
	/* One program alone may stand in prog_id only, with its mode. */
	*native = found.drv_prog_id == program_id || found.attach_mode == XDP_ATTACHED_DRV;
	return program_id &&
		(found.drv_prog_id == program_id || found.skb_prog_id == program_id ||
			found.prog_id == program_id);
}

/* Name of a program, as far as we may see it: looking one up by its id takes more rights than attaching. */
static void name_of(uint32_t id, char name[BPF_OBJ_NAME_LEN])
{
	struct bpf_prog_info info = { 0 };
	uint32_t size = sizeof(info);
	int fd = bpf_prog_get_fd_by_id(id);

	*name = '\0';
	if (fd < 0)
		return;
	if (!bpf_obj_get_info_by_fd(fd, &info, &size))
		snprintf(name, BPF_OBJ_NAME_LEN, "%s", info.name);
	close(fd);
}

static int refuse_foreign(const char *interface, uint32_t id, struct error *error)
{
	char name[BPF_OBJ_NAME_LEN];

	name_of(id, name);
	return error_set(error, EBUSY,
		"interface %s has another XDP program, id %u%s%s%s, which shunt leaves alone: take it off (ip "
		"link set dev %s "
		"xdp off, or end what attached it)",
		interface, id, *name ? " (" : "", name, *name ? ")" : "", interface);
}

/* A link in one mode: its descriptor or -errno. */
static int create(const struct xdp_set *set, unsigned int index, bool native)
{
	LIBBPF_OPTS(bpf_link_create_opts, options, .flags = native ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE);

	return bpf_link_create(set->program, (int)index, BPF_XDP, &options);
}

/* An error that says no more of the mode than of anything else. */
static bool is_general(int error)
{
	return error == -EBUSY || error == -EEXIST || error == -EPERM || error == -ENODEV || error == -ENOMEM;
}

static int explain(int result, const char *interface, enum xdp_mode mode, struct error *error)
{
	switch (result) {
	case -ENODEV:
		return error_set(error, ENODEV, "interface %s is not there", interface);
	case -EPERM:
		return error_set(error, EPERM,
			"not permitted to attach to interface %s: shuntd needs CAP_NET_ADMIN, CAP_BPF and "
			"CAP_PERFMON",
			interface);
	case -EINVAL:
		if (mode == XDP_MODE_GENERIC)
			return error_set(error, EINVAL,
				"interface %s: the kernel takes no XDP program by a link, which it has since "
				"Linux 5.9",
				interface);
		/* fall through */
	default:
		if (mode == XDP_MODE_NATIVE)
			return error_set(error, -result,
				"interface %s: its driver takes no native XDP program (%s): set xdp.mode to "
				"\"auto\" or \"generic\", "
				"or lower its MTU if that is large",
				interface, strerror(-result));
		return error_set(error, -result, "interface %s: the XDP program can't be attached: %s", interface,
			strerror(-result));
	}
}

/* A link in the mode asked for: its descriptor, or -errno and *error. */
static int link_to(struct xdp_attachment *a, const char *interface, const struct xdp_set *set, unsigned int index,
	enum xdp_mode mode, struct error *error)
{
	uint32_t foreign;
	int link = -EOPNOTSUPP;
	bool native;

	a->native_refused[0] = '\0';
	if (mode != XDP_MODE_GENERIC) {
		a->native = true;
		link = create(set, index, true);
	}
	if (mode == XDP_MODE_GENERIC || (mode == XDP_MODE_AUTO && link < 0 && !is_general(link))) {
		if (mode == XDP_MODE_AUTO)
			snprintf(a->native_refused, sizeof(a->native_refused), "%s", strerror(-link));
		a->native = false;
		link = create(set, index, false);
	}
	if (link >= 0)
		return link;
	xdp_attach_look(index, 0, &native, &foreign);
	if ((link == -EBUSY || link == -EEXIST) && foreign)
		return refuse_foreign(interface, foreign, error);
	return explain(link, interface, mode, error);
}

static int pin(const struct xdp_pins *pins, const struct xdp_set *set, int link, struct error *error)
{
	int result = xdp_pin_put_link(pins, link);

	if (result)
		return error_set(error, -result, "interface %s: the XDP program can't be pinned in %s: %s",
			pins->interface, pins->folder, strerror(-result));
	result = xdp_pin_name_set(pins, set->program_id);
	if (result)
		log_warning("%s/current can't be made: %s", pins->folder, strerror(-result));
	return 0;
}

int xdp_attach(struct xdp_attachment *a, const struct xdp_pins *pins, const struct xdp_set *set,
	unsigned int index, enum xdp_mode mode, struct error *error)
{
	uint32_t foreign;
	bool native;
	int link, result;

	/* One of ours on this very interface would be in the way of the new link; it is only there for another
	 * mode. */
	if (a->link >= 0 && a->index == index)
		xdp_attach_off(a);
	xdp_attach_look(index, 0, &native, &foreign);
	if (foreign)
		return refuse_foreign(pins->interface, foreign, error);
	result = xdp_pin_put_set(pins, set);
	if (result)
		return error_set(error, -result, "interface %s: maps can't be pinned in %s: %s", pins->interface,
			pins->folder, strerror(-result));
	link = link_to(a, pins->interface, set, index, mode, error);
	result = link < 0 ? link : pin(pins, set, link, error);
	if (result) {
		if (link >= 0) {
			bpf_link_detach(link);
			close(link);
		}
		xdp_pin_drop_set(pins, set->program_id);
		return result;
	}
	xdp_attach_off(a);
	a->link = link;
	a->index = index;
	xdp_pin_clean(pins, set->program_id);
	return 0;
}

int xdp_attach_replace(
	struct xdp_attachment *a, const struct xdp_pins *pins, const struct xdp_set *set, struct error *error)
{
	int result = xdp_pin_put_set(pins, set);

	if (result)
		return error_set(error, -result, "interface %s: maps can't be pinned in %s: %s", pins->interface,
			pins->folder, strerror(-result));
	result = bpf_link_update(a->link, set->program, NULL);
	if (result) {
		xdp_pin_drop_set(pins, set->program_id);
		return error_set(error, -result, "interface %s: its XDP program can't be replaced: %s",
			pins->interface, strerror(-result));
	}
	result = xdp_pin_name_set(pins, set->program_id);
	if (result)
		log_warning("%s/current can't be made: %s", pins->folder, strerror(-result));
	return 0;
}

int xdp_attach_off(struct xdp_attachment *a)
{
	int result = 0;

	if (a->link < 0)
		return 0;
	/* At once, and not some time after the last one who has the link open. A dead one says ENOLINK or so. */
	result = bpf_link_detach(a->link);
	close(a->link);
	a->link = -1;
	return result == -ENOLINK || result == -EINVAL ? 0 : result;
}
