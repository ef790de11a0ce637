/* SPDX-License-Identifier: BSD-3-Clause */
/* Interfaces that this process has no struct xdp for: taking off what is there, and pointing it out. */
#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "xdp.h"
#include "xdp_attach.h"
#include "xdp_multicast.h"
#include "xdp_pin.h"
#include "xdp_system.h"

int xdp_detach(const struct xdp_options *options, bool *found, struct error *error)
{
	struct xdp_attachment attachment = { .link = -1 };
	struct xdp_pins pins;
	uint32_t program_id;
	int result = xdp_pin_init(&pins, options->pin_dir, options->interface, error);

	*found = false;
	if (!result)
		result = xdp_system_check_rights(error);
	if (!result)
		result = xdp_pin_lock_there(&pins, error);
	if (result)
		return result == -ENOENT ? 0 : result;
	attachment.link = xdp_pin_get_link(&pins, &program_id, &attachment.index);
	*found = attachment.link >= 0;
	result = xdp_attach_off(&attachment);
	if (result) {
		error_set(error, -result, "the XDP program can't be taken off interface %s: %s",
			options->interface, strerror(-result));
	} else {
		xdp_multicast_set(&pins, 0, false);
		xdp_pin_remove(&pins);
	}
	xdp_pin_unlock(&pins);
	return result;
}

static void warn_of(const char *pin_dir, const char *name)
{
	uint32_t program_id;
	struct xdp_pins pins;
	struct error error;
	unsigned int index;
	int link;

	/* What another shuntd has locked is that one's. */
	if (xdp_pin_init(&pins, pin_dir, name, &error) || xdp_pin_lock_there(&pins, &error))
		return;
	link = xdp_pin_get_link(&pins, &program_id, &index);
	if (link >= 0 && index)
		log_warning("interface %s still has an XDP program of shunt's, id %u, that nobody feeds: "
			    "\"shuntctl detach %s\" "
			    "takes it off",
			name, program_id, name);
	if (link >= 0)
		close(link);
	xdp_pin_unlock(&pins);
}

void xdp_warn_of_others(const char *pin_dir, const char *interface)
{
	DIR *folder = opendir(pin_dir);
	char name[IFNAMSIZ];
	struct dirent *entry;

	while (folder && (entry = readdir(folder))) {
		if (entry->d_name[0] == '.' || strlen(entry->d_name) >= sizeof(name))
			continue;
		strcpy(name, entry->d_name);
		for (char *c = name; *c; c++)
			if (*c == ':')
				*c = '.';
		if (!interface || strcmp(name, interface))
			warn_of(pin_dir, name);
	}
	if (folder)
		closedir(folder);
}
