/* SPDX-License-Identifier: BSD-3-Clause */
/* Statistics that are not in the program's maps: the interface's own, and shuntd's. */
#include "xdp_stats.h"

#include <bpf/libbpf.h>
#include <ifaddrs.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "xdp_system.h"

/* What is kept beside the header: the kernel's counts as they were read last. */
struct kept {
	struct stats_header stats;
	int index; /* of the interface they are of; one that is made anew begins with 0 */
	uint32_t rx_missed, rx_errors, tx_errors;
};

struct stats_header *xdp_stats_new(const char *interface)
{
	struct kept *kept = calloc(1, sizeof(*kept));
	struct stats_header *stats;

	if (!kept)
		return NULL;
	stats = &kept->stats;
	stats->magic = STATS_MAGIC;
	stats->abi = STATS_ABI;
	stats->pid = (uint32_t)getpid();
	stats->size = sizeof(*stats);
	stats->started_ns = stats->heartbeat_ns = xdp_system_now_ns();
	stats->n_workers = (uint32_t)libbpf_num_possible_cpus();
	stats->n_ports = 1;
	snprintf(stats->port[0].name, sizeof(stats->port[0].name), "%s", interface);
	snprintf(stats->port[0].driver, sizeof(stats->port[0].driver), "xdp");
	return stats;
}

void xdp_stats_read_set(struct stats_header *stats, const struct xdp_set *set)
{
	stats->snapshot_version = 0;
	if (!set->control)
		return;
	stats->started_ns = set->control->started_ns;
	stats->n_workers = set->control->sizes.n_cpus;
	if (set->control->in_force != XDP_NO_SNAPSHOT)
		stats->snapshot_version = set->control->snapshot_version;
}

/* The kernel's counts are 32 bits wide here: add what they have risen by. */
static void follow(__u64 *total, uint32_t *before, uint32_t now)
{
	*total += (uint32_t)(now - *before);
	*before = now;
}

static void read_errors(struct kept *kept)
{
	struct stats_port *port = &kept->stats.port[0];
	struct ifaddrs *all, *a;

	if (getifaddrs(&all))
		return;
	for (a = all; a; a = a->ifa_next) {
		const struct rtnl_link_stats *link = a->ifa_data;

		if (!a->ifa_addr || a->ifa_addr->sa_family != AF_PACKET || !link ||
			strcmp(a->ifa_name, port->name))
			continue;
		follow(&port->rx_missed, &kept->rx_missed, link->rx_missed_errors);
		follow(&port->rx_errors, &kept->rx_errors, link->rx_errors);
		follow(&port->tx_errors, &kept->tx_errors, link->tx_errors);
	}
	freeifaddrs(all);
}

void xdp_stats_read_port(struct stats_header *stats)
{
	struct kept *kept = (struct kept *)stats;
	struct stats_port *port = &stats->port[0];
	struct ifreq request = { 0 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return;
	port->link_up = 0;
	memcpy(request.ifr_name, port->name, sizeof(request.ifr_name) - 1);
	if (!ioctl(fd, SIOCGIFFLAGS, &request))
		port->link_up = (request.ifr_flags & (IFF_UP | IFF_RUNNING)) == (IFF_UP | IFF_RUNNING);
	if (!ioctl(fd, SIOCGIFMTU, &request))
		port->mtu = request.ifr_mtu > UINT16_MAX ? UINT16_MAX : (__u16)request.ifr_mtu;
	if (!ioctl(fd, SIOCGIFHWADDR, &request))
		memcpy(port->mac.byte, request.ifr_hwaddr.sa_data, sizeof(port->mac.byte));
	if (!ioctl(fd, SIOCGIFINDEX, &request) && request.ifr_ifindex != kept->index) {
		kept->index = request.ifr_ifindex;
		kept->rx_missed = kept->rx_errors = kept->tx_errors = 0;
	}
	close(fd);
	read_errors(kept);
}

void xdp_stats_beat(struct stats_header *stats, struct xdp_set *set)
{
	uint64_t now = xdp_system_now_ns();

	__atomic_store_n(&stats->heartbeat_ns, now, __ATOMIC_RELAXED);
	if (set && set->control)
		set->control->last_beat_ns = now;
	if (set && set->flows)
		set->flows->last_beat_s = now / 1000000000u;
	if (set && set->elder)
		set->elder->last_beat_s = now / 1000000000u;
}
