/* SPDX-License-Identifier: BSD-3-Clause */
/* Attaching and configuring the DPDK port. */
#include "ports.h"

#include <errno.h>
#include <net/if.h>
#include <rte_bus.h>
#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "eal.h"
#include "log.h"

#define DESCRIPTORS 1024
#define POOL_CACHE 256
#define EAL_OWN_MEMORY (48u << 20) /* rings, device structures, the kernel path's buffers */

uint64_t port_memory(const struct settings *s)
{
	/* With each buffer: its mbuf, the pool's header, trailer and alignment, a place in the pool's ring. */
	uint64_t each = s->mbuf_size + sizeof(struct rte_mbuf) + 2 * RTE_CACHE_LINE_SIZE + 2 * sizeof(void *);

	return (*s->afxdp ? afxdp_memory(s) : s->mbufs * each) + EAL_OWN_MEMORY;
}

/* ": why" for the end of an error line. */
static const char *because(int error)
{
	static char text[300];
	const char *complaint = eal_complaint();

	snprintf(text, sizeof(text), ": %s", *complaint ? complaint : rte_strerror(error < 0 ? -error : error));
	return text;
}

/* The port of the device: by its name, or the first there is, for some drivers name theirs otherwise. */
static int find_port(const char *device, uint16_t *id)
{
	char name[RTE_ETH_NAME_MAX_LEN];

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(device, ","), device);
	if (!rte_eth_dev_get_port_by_name(name, id))
		return 0;
	RTE_ETH_FOREACH_DEV (*id)
		return 0;
	return -1;
}

/*
 * Whether another process holds the TAP of a net_tap device: DPDK would join it as one more queue and
 * take half of its packets. A TAP that nobody holds has no carrier.
 */
static bool tap_is_taken(const char *port)
{
	const char *name = strstr(port, "iface=");
	struct ifreq request = { 0 };
	bool taken;
	int fd;

	if (strncmp(port, "net_tap", 7) || !name)
		return false;
	name += strlen("iface=");
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%.*s", (int)strcspn(name, ","), name);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	taken = fd >= 0 && !ioctl(fd, SIOCGIFFLAGS, &request) && request.ifr_flags & IFF_RUNNING;
	if (fd >= 0)
		close(fd);
	return taken;
}

/* PCI devices are probed when DPDK starts; virtual ones here, where the error is known. */
static int attach(struct port *port, const struct settings *s)
{
	int error = 0;

	if (eal_port_is_pci(s->port)) {
		if (!find_port(s->port, &port->id))
			return 0;
		log_error("dpdk.port: DPDK does not drive %s: bind it to vfio-pci (dpdk-devbind.py "
			  "--bind=vfio-pci %s), and see that no other process has it",
			s->port, s->port);
		return -1;
	}
	if (tap_is_taken(s->port)) {
		log_error("dpdk.port: the interface of %s is in use by another process", s->port);
		return -1;
	}
	eal_hush_begin();
	error = rte_dev_probe(s->port);
	eal_hush_end();
	if (!error && !find_port(s->port, &port->id))
		return 0;
	log_error("dpdk.port: cannot open %s%s", s->port, error ? because(error) : ": it is no network device");
	return -1;
}

static struct rte_mempool *make_pool(const struct settings *s, int socket)
{
	/* Threads that are no workers put buffers back: one that is preempted meanwhile must not hold up the
	 * workers, which the default ring of the pool would make it do. */
	struct rte_mempool *pool = rte_pktmbuf_pool_create_by_ops(
		"packets", s->mbufs, POOL_CACHE, 0, (uint16_t)s->mbuf_size, socket, "ring_mt_rts");

	if (!pool && socket != SOCKET_ID_ANY)
		return make_pool(s, SOCKET_ID_ANY);
	if (!pool)
		log_error("no memory for %u packet buffers of %u bytes (dpdk.mbufs): %s", s->mbufs, s->mbuf_size,
			rte_strerror(rte_errno));
	return pool;
}

static void choose_queues(struct port *port, const struct rte_eth_dev_info *info, unsigned int workers)
{
	unsigned int n = workers;

	n = RTE_MIN(n, info->max_rx_queues);
	n = RTE_MIN(n, info->max_tx_queues);
	port->queues = (uint16_t)n;
	if (n < workers)
		log_warning("%s has %u queues: %u of %u workers run", port->name, n, n, workers);
}

static void choose_offloads(const struct port *port, const struct rte_eth_dev_info *info,
	struct rte_eth_conf *conf, const struct settings *s)
{
	uint64_t hash = info->flow_type_rss_offloads & (RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP);

	conf->rxmode.mtu = port->mtu;
	if (port->queues > 1 && hash) {
		conf->rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
		conf->rx_adv_conf.rss_conf.rss_hf = hash;
	} else if (port->queues > 1 && !port->virtual) {
		log_warning("%s can't spread packets over its queues: worker 0 gets them all", port->name);
	}
	if (port->mtu + RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN + 8u > s->mbuf_size - RTE_PKTMBUF_HEADROOM)
		conf->rxmode.offloads |= info->rx_offload_capa & RTE_ETH_RX_OFFLOAD_SCATTER;
	conf->txmode.offloads |= info->tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
}

/* What the device has, or what the configuration wants it to have. Returns 0 or -errno, logged if it is -EDOM. */
static int choose_mtu(struct port *port, const struct rte_eth_dev_info *info, const struct settings *s)
{
	if (!s->mtu)
		return rte_eth_dev_get_mtu(port->id, &port->mtu);
	if (s->mtu < info->min_mtu || s->mtu > info->max_mtu) {
		log_error("dpdk.mtu: %u: %s can have %u to %u", s->mtu, port->name, info->min_mtu, info->max_mtu);
		return -EDOM;
	}
	port->mtu = (uint16_t)s->mtu;
	return 0;
}

static int configure(struct port *port, const struct settings *s, unsigned int workers)
{
	uint16_t rx_descriptors = DESCRIPTORS, tx_descriptors = DESCRIPTORS;
	int socket = rte_eth_dev_socket_id(port->id), error;
	struct rte_eth_conf conf = { 0 };
	struct rte_ether_addr mac;
	struct rte_eth_dev_info info;

	error = rte_eth_dev_info_get(port->id, &info);
	if (error)
		return error;
	snprintf(port->driver, sizeof(port->driver), "%s", info.driver_name);
	port->virtual = !eal_port_is_pci(s->port);
	choose_queues(port, &info, workers);
	error = choose_mtu(port, &info, s);
	if (error)
		return error;
	error = rte_eth_macaddr_get(port->id, &mac);
	if (error)
		return error;
	memcpy(port->mac.byte, mac.addr_bytes, sizeof(port->mac.byte));
	choose_offloads(port, &info, &conf, s);
	error = rte_eth_dev_configure(port->id, port->queues, port->queues, &conf);
	/* Some drivers take the MTU from what they are configured with, some only when they are told to. */
	if (!error && s->mtu)
		error = rte_eth_dev_set_mtu(port->id, port->mtu);
	if (error && error != -ENOTSUP)
		return error;
	error = rte_eth_dev_adjust_nb_rx_tx_desc(port->id, &rx_descriptors, &tx_descriptors);
	if (error)
		return error;
	port->pool = make_pool(s, socket < 0 ? SOCKET_ID_ANY : socket);
	if (!port->pool)
		return -ENOMEM;
	for (uint16_t q = 0; q < port->queues && !error; q++) {
		error = rte_eth_rx_queue_setup(
			port->id, q, rx_descriptors, (unsigned int)socket, NULL, port->pool);
		if (!error)
			error = rte_eth_tx_queue_setup(port->id, q, tx_descriptors, (unsigned int)socket, NULL);
	}
	return error;
}

/* The sockets of an interface instead of a device of DPDK's. */
static int open_afxdp(struct port *port, const struct settings *s, unsigned int workers)
{
	port->afxdp = afxdp_open(s, workers);
	if (!port->afxdp)
		return -1;
	snprintf(port->name, sizeof(port->name), "%s", s->afxdp);
	snprintf(port->driver, sizeof(port->driver), "AF_XDP");
	port->virtual = true;
	port->queues = (uint16_t)afxdp_queues(port->afxdp);
	if (!afxdp_mtu(port->afxdp, &port->mtu) && !afxdp_mac(port->afxdp, &port->mac))
		return 0;
	log_error("dpdk.port: %s: %m", s->afxdp);
	port_close(port);
	return -1;
}

int port_open(struct port *port, const struct settings *s, unsigned int workers)
{
	int error;

	*port = (struct port){ .link_up = -1 };
	if (*s->afxdp)
		return open_afxdp(port, s, workers);
	if (attach(port, s))
		return -1;
	rte_eth_dev_get_name_by_port(port->id, port->name);
	eal_hush_begin();
	error = configure(port, s, workers);
	eal_hush_end();
	if (!error)
		return 0;
	if (error != -EDOM && (port->pool || error != -ENOMEM))
		log_error("%s: cannot be configured%s", port->name, because(error));
	port_close(port);
	return -1;
}

int port_start(struct port *port)
{
	int error;

	if (port->afxdp)
		return 0;
	eal_hush_begin();
	error = rte_eth_dev_start(port->id);
	if (!error) {
		/* Neighbour solicitations for VIPs come to multicast groups that the kernel never joined. What
		 * has no such filter says so, and lets everything in. */
		rte_eth_allmulticast_enable(port->id);
		if (port->virtual)
			rte_eth_promiscuous_enable(port->id);
	}
	eal_hush_end();
	if (error) {
		log_error("%s: cannot be started%s", port->name, because(error));
		return -1;
	}
	port->started = true;
	return 0;
}

void port_close(struct port *port)
{
	if (port->afxdp) {
		afxdp_close(port->afxdp);
		port->afxdp = NULL;
		return;
	}
	eal_hush_begin();
	if (port->started)
		rte_eth_dev_stop(port->id);
	rte_eth_dev_close(port->id);
	rte_mempool_free(port->pool);
	eal_hush_end();
}

void port_describe(const struct port *port, struct stats_port *to)
{
	snprintf(to->name, sizeof(to->name), "%.31s", port->name);
	snprintf(to->driver, sizeof(to->driver), "%s", port->driver);
	to->mac = port->mac;
	to->mtu = port->mtu;
	to->rx_queues = port->queues;
	to->tx_queues = port->queues;
}

static void watch_afxdp(struct port *port, struct stats_port *to)
{
	int link = afxdp_link(port->afxdp);

	if (link < 0 && !port->gone)
		log_error("%s: the interface is gone, and its AF_XDP sockets with it", port->name);
	port->gone = link < 0;
	to->link_up = link > 0;
	if (link >= 0 && port->link_up != link)
		log_info("%s: link is %s", port->name, link ? "up" : "down");
	port->link_up = link;
	to->rx_missed = afxdp_missed(port->afxdp);
}

void port_watch(struct port *port, struct stats_port *to)
{
	struct rte_eth_link link;
	struct rte_eth_stats stats;

	if (port->afxdp) {
		watch_afxdp(port, to);
		return;
	}
	if (!rte_eth_link_get_nowait(port->id, &link)) {
		bool known =
			link.link_speed != RTE_ETH_SPEED_NUM_NONE && link.link_speed != RTE_ETH_SPEED_NUM_UNKNOWN;

		to->link_up = link.link_status;
		to->link_mbps = link.link_status && known ? link.link_speed : 0;
		if (port->link_up != link.link_status)
			log_info("%s: link is %s", port->name, link.link_status ? "up" : "down");
		port->link_up = link.link_status;
	}
	if (!rte_eth_stats_get(port->id, &stats)) {
		to->rx_missed = stats.imissed + stats.rx_nombuf;
		to->rx_errors = stats.ierrors;
		to->tx_errors = stats.oerrors;
	}
}
