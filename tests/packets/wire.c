/* SPDX-License-Identifier: BSD-3-Clause */
/* AF_PACKET, as packet(7) describes it. */
#include "wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define ETHERTYPE_ALL 0x0003
#define TAG_AT 12

static int prepare(int fd, const char *interface)
{
	struct sockaddr_ll address = { .sll_family = AF_PACKET, .sll_protocol = htons(ETHERTYPE_ALL) };
	int on = 1, buffer = 4 << 20;

	address.sll_ifindex = (int)if_nametoindex(interface);
	if (!address.sll_ifindex || setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &on, sizeof(on)) ||
		setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)) ||
		setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer)) ||
		bind(fd, (struct sockaddr *)&address, sizeof(address)))
		return -errno;
	return 0;
}

int wire_open(const char *interface)
{
	/* Of no protocol until it is bound: or it would begin with frames of other interfaces. */
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), error;

	if (fd < 0)
		return -errno;
	error = prepare(fd, interface);
	if (error) {
		close(fd);
		return error;
	}
	return fd;
}

int wire_send(int fd, const uint8_t *frame, size_t len)
{
	return send(fd, frame, len, 0) == (ssize_t)len ? 0 : -errno;
}

/* Put back the tag that the kernel took out. Returns the frame's length. */
static long put_tag(struct msghdr *m, uint8_t *frame, size_t size, size_t len)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		struct tpacket_auxdata aux;
		uint16_t tag[2];

		if (c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA)
			continue;
		memcpy(&aux, CMSG_DATA(c), sizeof(aux));
		if (!(aux.tp_status & TP_STATUS_VLAN_VALID) || len < TAG_AT || len + sizeof(tag) > size)
			continue;
		tag[0] = htons(aux.tp_status & TP_STATUS_VLAN_TPID_VALID ? aux.tp_vlan_tpid : 0x8100);
		tag[1] = htons(aux.tp_vlan_tci);
		memmove(frame + TAG_AT + sizeof(tag), frame + TAG_AT, len - TAG_AT);
		memcpy(frame + TAG_AT, tag, sizeof(tag));
		len += sizeof(tag);
	}
	return (long)len;
}

long wire_receive(int fd, uint8_t *frame, size_t size, int wait_ms)
{
	char control[CMSG_SPACE(sizeof(struct tpacket_auxdata))] __attribute__((aligned(8)));
	struct iovec part = { frame, size };
	struct msghdr m = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
	};
	struct pollfd p = { .fd = fd, .events = POLLIN };
	ssize_t n;

	if (poll(&p, 1, wait_ms) <= 0)
		return 0;
	n = recvmsg(fd, &m, MSG_DONTWAIT);
	return n < 0 ? -errno : put_tag(&m, frame, size, (size_t)n);
}
