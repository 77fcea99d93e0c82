// SPDX-License-Identifier: Apache-2.0
// Runs in the kernel for each frame that an xdp port's interface receives: what is Weir's goes to
// the socket of its queue, everything else stays with the kernel. It outlives the data plane; a
// queue without a socket is how it knows that nobody reads.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "steer.h"

#define PORT_VXLAN 4789  // RFC 7348
#define PORT_ROCEV2 4791 // InfiniBand Architecture, annex A17
#define IP_FRAGMENT_OFFSET 0x1fff

// Written by the data plane through a mapping, while frames come.
struct weir_steer_settings settings SEC(".data") = {weir_steer_nothing, XDP_PASS};

struct {
  __uint(type, BPF_MAP_TYPE_XSKMAP);
  __uint(max_entries, WEIR_QUEUES_MAX);
  __type(key, __u32);
  __type(value, __u32);
} sockets SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, WEIR_LOCAL_ADDRESSES_MAX);
  __type(key, struct weir_address);
  __type(value, __u8);
} local_addresses SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, weir_steer_counts);
  __type(key, __u32);
  __type(value, __u64);
} counts SEC(".maps");

static __always_inline void count(__u32 which) {
  __u64* counter = bpf_map_lookup_elem(&counts, &which);
  if (counter) ++*counter;
}

struct udp_packet {
  struct weir_address destination;
  __u16 port;
};

// 1 and the packet's destination where the frame is UDP, or the first fragment of it.
static __always_inline int read_udp(struct xdp_md* context, struct udp_packet* packet) {
  void* at = (void*)(long)context->data;
  void* end = (void*)(long)context->data_end;
  struct ethhdr* ethernet = at;
  struct udphdr* udp;

  if ((void*)(ethernet + 1) > end) return 0;
  if (ethernet->h_proto == bpf_htons(ETH_P_IP)) {
    struct iphdr* ip = (void*)(ethernet + 1);
    if ((void*)(ip + 1) > end || ip->protocol != IPPROTO_UDP || ip->ihl < 5) return 0;
    if (ip->frag_off & bpf_htons(IP_FRAGMENT_OFFSET)) return 0; // Has no ports.
    udp = (void*)ip + ip->ihl * 4;
    __builtin_memset(&packet->destination, 0, 10);
    packet->destination.bytes[10] = packet->destination.bytes[11] = 0xff;
    __builtin_memcpy(&packet->destination.bytes[12], &ip->daddr, 4);
  } else if (ethernet->h_proto == bpf_htons(ETH_P_IPV6)) {
    // No VTEP sends extension headers.
    struct ipv6hdr* ip = (void*)(ethernet + 1);
    if ((void*)(ip + 1) > end || ip->nexthdr != IPPROTO_UDP) return 0;
    udp = (void*)(ip + 1);
    __builtin_memcpy(&packet->destination, &ip->daddr, 16);
  } else {
    return 0;
  }
  if ((void*)(udp + 1) > end) return 0;
  packet->port = udp->dest;
  return 1;
}

static __always_inline int is_ours(struct xdp_md* context) {
  struct udp_packet packet;
  __u32 what = settings.what;

  if (what == weir_steer_all) return 1;
  if (what == weir_steer_nothing || !read_udp(context, &packet)) return 0;
  if (what == weir_steer_roce) return packet.port == bpf_htons(PORT_ROCEV2);
  return packet.port == bpf_htons(PORT_VXLAN) &&
         bpf_map_lookup_elem(&local_addresses, &packet.destination) != 0;
}

SEC("xdp")
int weir_steer(struct xdp_md* context) {
  __u32 action = settings.unread_action == XDP_DROP ? XDP_DROP : XDP_PASS;
  int verdict;

  if (!is_ours(context)) {
    count(weir_left);
    return XDP_PASS;
  }
  // The action is what becomes of it where the queue has no socket.
  verdict = bpf_redirect_map(&sockets, context->rx_queue_index, action);
  if (verdict == XDP_REDIRECT) {
    count(weir_steered);
  } else {
    count(action == XDP_DROP ? weir_unread_dropped : weir_unread_passed);
  }
  return verdict;
}

// No helper here asks for the GPL.
char _license[] SEC("license") = "Apache-2.0";
