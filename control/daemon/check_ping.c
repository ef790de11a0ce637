/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Checks of type ping: an ICMP echo request is answered. By the kernel's own sockets for that where it lets us
 * (net.ipv4.ping_group_range, for IPv6 as well), else by raw ones, for which shuntd needs CAP_NET_RAW.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check_kind.h"

#define PAYLOAD 24
#define IPV4_HEADER_MIN 20
#define IPV4_HEADER_MAX 60

/* The echo of ICMP and of ICMPv6 is the same but for its type. */
struct echo {
	uint8_t type;
	uint8_t code;
	__be16 checksum;
	__be16 id;
	__be16 sequence;
	uint8_t payload[PAYLOAD]; /* random: tells our answer from any other */
};
_Static_assert(sizeof(struct echo) == 32, "no padding");

struct ping_run {
	struct check_run run;
	struct echo request;
	bool ipv4;
	bool raw;
};

/* RFC 1071. Of ICMPv6 the kernel does it, which knows the addresses. */
static __be16 checksum_of(const struct echo *echo)
{
	const uint8_t *byte = (const uint8_t *)echo;
	uint32_t sum = 0;

	for (size_t i = 0; i < sizeof(*echo); i += 2)
		sum += (uint32_t)byte[i] << 8 | byte[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

/* A raw socket gets every ICMP packet of its peer: with a thousand checks of one VIP under way that would be many. */
static int only_id(int fd, bool ipv4, __be16 id)
{
	struct sock_filter code[] = {
		/* X: where ICMP begins, of IPv4 after the header. */
		ipv4 ? (struct sock_filter)BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0) :
		       (struct sock_filter)BPF_STMT(BPF_LDX | BPF_W | BPF_IMM, 0),
		BPF_STMT(BPF_LD | BPF_H | BPF_IND, offsetof(struct echo, id)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ntohs(id), 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0xffff),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog program = { .len = sizeof(code) / sizeof(code[0]), .filter = code };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

/* Found out once, with a socket that is not used. */
static bool needs_raw(struct checker *checker, bool ipv4)
{
	enum checker_ping *way = &checker->ping[ipv4];
	int fd;

	if (*way == CHECKER_PING_UNKNOWN) {
		fd = socket(ipv4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, ipv4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
		if (fd >= 0)
			*way = CHECKER_PING_OWN;
		else if (errno == EACCES || errno == EPERM || errno == EPROTONOSUPPORT)
			*way = CHECKER_PING_RAW;
		if (fd >= 0)
			close(fd);
	}
	return *way == CHECKER_PING_RAW;
}

static void begin(struct check_run *run, const struct check *check, const struct check_target *target)
{
	struct ping_run *ping = (struct ping_run *)run;
	struct check_target host = *target;

	host.port = 0;
	ping->ipv4 = addr_is_ipv4(target->address);
	ping->raw = needs_raw(run->checker, ping->ipv4);
	if (getrandom(&ping->request, sizeof(ping->request), GRND_NONBLOCK) != sizeof(ping->request)) {
		check_finish(run, CHECK_UNMADE, "no random numbers yet");
		return;
	}
	ping->request.type = ping->ipv4 ? ICMP_ECHO : ICMPV6_ECHO_REQUEST;
	ping->request.code = 0;
	ping->request.checksum = 0;
	if (ping->ipv4)
		ping->request.checksum = checksum_of(&ping->request);
	if (!check_connect(run, ping->raw ? SOCK_RAW : SOCK_DGRAM, ping->ipv4 ? IPPROTO_ICMP : IPPROTO_ICMPV6, check,
		    &host))
		return;
	if (ping->raw && only_id(run->fd, ping->ipv4, ping->request.id) < 0)
		check_finish(run, CHECK_UNMADE, "%s", strerror(errno));
	else
		check_send(run, &ping->request, sizeof(ping->request));
}

/* Whether it is the answer to the request. What else comes of ICMP is left alone: the answer may come after it. */
static bool is_answer(const struct ping_run *ping, const uint8_t *data, size_t size)
{
	const struct echo *request = &ping->request;
	struct echo answer;
	size_t header = 0;

	if (ping->raw && ping->ipv4) {
		header = size ? (size_t)(data[0] & 0x0f) * 4 : 0;
		if (header < IPV4_HEADER_MIN)
			return false;
	}
	if (size < header + sizeof(answer))
		return false;
	memcpy(&answer, data + header, sizeof(answer));
	/* The kernel's own sockets have an id of the kernel's choice, and see to it. */
	return answer.type == (ping->ipv4 ? ICMP_ECHOREPLY : ICMPV6_ECHO_REPLY) && answer.code == 0 &&
	       (!ping->raw || answer.id == request->id) && answer.sequence == request->sequence &&
	       memcmp(answer.payload, request->payload, PAYLOAD) == 0;
}

static void look(struct check_run *run, short what)
{
	uint8_t data[IPV4_HEADER_MAX + sizeof(struct echo)];
	ssize_t size = check_receive(run, data, sizeof(data));

	(void)what;
	if (size >= 0 && is_answer((struct ping_run *)run, data, (size_t)size))
		check_succeed(run);
}

const struct check_kind check_ping = { .size = sizeof(struct ping_run), .begin = begin, .look = look };
