/* SPDX-License-Identifier: BSD-3-Clause */
/* The kernel path over a TAP: /dev/net/tun, one system call a frame. */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "kernel_device.h"
#include "log.h"

#define TUN "/dev/net/tun"
#define MAX_SEGMENTS 64
#define RETRY_NS 1000000000ull

struct tap {
	struct kernel_device device;
	struct rte_mempool *pool;
	struct rte_mbuf *spare; /* for the next frame read */
	int fd;
	bool gone;    /* somebody deleted the interface */
	bool tried;   /* in vain, and said so, since it is gone */
	__u64 try_ns; /* to make it anew */
	struct mac mac;
	unsigned int mtu;
	char interface[IFNAMSIZ];
};

static int attach(const char *interface, short flags, bool quiet);
static int configure(const char *interface, struct mac mac, unsigned int mtu, bool quiet);

static void lose(struct tap *tap)
{
	log_error("%s was deleted: what is not for a VIP is lost until it is back", tap->interface);
	tap->gone = true;
	tap->tried = false;
	tap->try_ns = clock_ns() + RETRY_NS;
}

/* Make the interface that was deleted anew; about once a second, for it may be refused for a while. */
static void regain(struct tap *tap)
{
	__u64 now = clock_ns();
	int fd;

	if (now < tap->try_ns)
		return;
	tap->try_ns = now + RETRY_NS;
	fd = attach(tap->interface, IFF_TAP | IFF_NO_PI, tap->tried);
	if (fd < 0 || configure(tap->interface, tap->mac, tap->mtu, tap->tried)) {
		tap->tried = true;
		if (fd >= 0)
			close(fd);
		return;
	}
	close(tap->fd);
	tap->fd = fd;
	tap->gone = false;
	log_warning("%s is back, made anew: its addresses and routes went with the old one", tap->interface);
}

static void tap_write(struct kernel_device *d, struct rte_mbuf **m, unsigned int n)
{
	struct tap *tap = (struct tap *)d;

	if (tap->gone)
		regain(tap);
	for (unsigned int i = 0; i < n && !tap->gone; i++) {
		struct iovec part[MAX_SEGMENTS];
		int parts = 0;
		ssize_t sent;

		for (struct rte_mbuf *s = m[i]; s && parts < MAX_SEGMENTS; s = s->next)
			part[parts++] = (struct iovec){ rte_pktmbuf_mtod(s, void *), rte_pktmbuf_data_len(s) };
		/* Refused while the interface is down, as by any interface that is. */
		sent = writev(tap->fd, part, parts);
		if (sent < 0 && errno == EINTR)
			sent = writev(tap->fd, part, parts);
		if (sent < 0 && errno == EBADFD)
			lose(tap);
	}
	rte_pktmbuf_free_bulk(m, n);
}

static unsigned int tap_read(struct kernel_device *d, struct rte_mbuf **m, unsigned int n)
{
	struct tap *tap = (struct tap *)d;
	unsigned int i = 0;

	while (i < n && !tap->gone) {
		ssize_t len;

		if (!tap->spare)
			tap->spare = rte_pktmbuf_alloc(tap->pool);
		if (!tap->spare)
			break;
		len = read(tap->fd, rte_pktmbuf_mtod(tap->spare, void *), rte_pktmbuf_tailroom(tap->spare));
		if (len <= 0)
			break;
		tap->spare->data_len = (uint16_t)len;
		tap->spare->pkt_len = (uint32_t)len;
		m[i++] = tap->spare;
		tap->spare = NULL;
	}
	return i;
}

static void tap_wait(struct kernel_device *d, unsigned int us)
{
	struct tap *tap = (struct tap *)d;
	struct pollfd p = { .fd = tap->fd, .events = POLLIN };
	struct timespec limit = { .tv_nsec = us * 1000l };

	if (tap->gone) {
		nanosleep(&limit, NULL);
		regain(tap);
	} else if (ppoll(&p, 1, &limit, NULL) > 0 && p.revents & POLLERR) {
		lose(tap);
	}
}

static void tap_close(struct kernel_device *d)
{
	struct tap *tap = (struct tap *)d;

	rte_pktmbuf_free(tap->spare);
	close(tap->fd);
	free(tap);
}

static void say_why(const char *interface)
{
	if (errno == EBUSY)
		log_error("dpdk.kernel_interface: %s is in use by another process", interface);
	else if (errno == EINVAL)
		log_error("dpdk.kernel_interface: %s is there already and is no TAP of this kind", interface);
	else if (errno == EPERM)
		log_error("dpdk.kernel_interface: no right to make %s: CAP_NET_ADMIN is needed", interface);
	else
		log_error("dpdk.kernel_interface: cannot make %s by " TUN ": %m", interface);
}

/* quiet: the error is known already. */
static int attach(const char *interface, short flags, bool quiet)
{
	struct ifreq request = { .ifr_flags = flags };
	int fd = open(TUN, O_RDWR | O_NONBLOCK | O_CLOEXEC);

	strncpy(request.ifr_name, interface, IFNAMSIZ - 1);
	if (fd >= 0 && !ioctl(fd, TUNSETIFF, &request) && !ioctl(fd, TUNSETPERSIST, 1))
		return fd;
	if (!quiet)
		say_why(interface);
	if (fd >= 0)
		close(fd);
	return -1;
}

int kernel_tap_attach(const char *interface, short flags)
{
	return attach(interface, flags, false);
}

static int set_mac(int fd, const char *interface, struct mac mac)
{
	struct ifreq request = { 0 };

	strncpy(request.ifr_name, interface, IFNAMSIZ - 1);
	if (ioctl(fd, SIOCGIFHWADDR, &request))
		return -1;
	/* Setting it makes the kernel forget its neighbours: only when it is another one. */
	if (!memcmp(request.ifr_hwaddr.sa_data, mac.byte, sizeof(mac.byte)))
		return 0;
	request.ifr_hwaddr.sa_family = ARPHRD_ETHER;
	memcpy(request.ifr_hwaddr.sa_data, mac.byte, sizeof(mac.byte));
	return ioctl(fd, SIOCSIFHWADDR, &request);
}

static int configure(const char *interface, struct mac mac, unsigned int mtu, bool quiet)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), result = -1;
	struct ifreq request = { 0 };
	const char *what = "MAC";

	strncpy(request.ifr_name, interface, IFNAMSIZ - 1);
	if (fd < 0 || set_mac(fd, interface, mac))
		goto out;
	what = "MTU";
	request.ifr_mtu = (int)mtu;
	if (ioctl(fd, SIOCSIFMTU, &request))
		goto out;
	what = "state";
	if (ioctl(fd, SIOCGIFFLAGS, &request))
		goto out;
	request.ifr_flags |= IFF_UP;
	if (ioctl(fd, SIOCSIFFLAGS, &request))
		goto out;
	result = 0;
out:
	if (result && !quiet)
		log_error("dpdk.kernel_interface: cannot set the %s of %s: %m", what, interface);
	if (fd >= 0)
		close(fd);
	return result;
}

int kernel_tap_configure(const char *interface, struct mac mac, unsigned int mtu)
{
	return configure(interface, mac, mtu, false);
}

struct kernel_device *kernel_tap_open(
	const char *interface, struct rte_mempool *pool, struct mac mac, unsigned int mtu)
{
	struct tap *tap = calloc(1, sizeof(*tap));

	if (!tap)
		return NULL;
	tap->device = (struct kernel_device){ tap_write, tap_read, tap_wait, tap_close };
	tap->pool = pool;
	tap->mac = mac;
	tap->mtu = mtu;
	strncpy(tap->interface, interface, IFNAMSIZ - 1);
	tap->fd = attach(interface, IFF_TAP | IFF_NO_PI, false);
	if (tap->fd < 0) {
		free(tap);
		return NULL;
	}
	return &tap->device;
}
