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
#define VLAN_ID 0x0fff // Of a tag's control word (IEEE 802.1Q).
#define ND_SOLICITATION 135 // RFC 4861 section 4.3
#define ND_ADVERTISEMENT 136 // RFC 4861 section 4.4

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

static __always_inline void map_ipv4(struct weir_address* to, const void* from) {
  __builtin_memset(to, 0, 10);
  to->bytes[10] = to->bytes[11] = 0xff;
  __builtin_memcpy(&to->bytes[12], from, 4);
}

struct vlan_tag {
  __u16 control;
  __u16 type; // Of what follows.
};

// What the frame carries, and where: right behind the MACs, or behind one tag of VID 0, which has
// only a priority and makes no VLAN (IEEE 802.1Q). 0: it is on a VLAN, or too short.
static __always_inline __u16 find_packet(struct xdp_md* context, void** packet) {
  void* end = (void*)(long)context->data_end;
  struct ethhdr* ethernet = (void*)(long)context->data;
  struct vlan_tag* tag = (void*)(ethernet + 1);

  if ((void*)(ethernet + 1) > end) return 0;
  *packet = ethernet + 1;
  if (ethernet->h_proto != bpf_htons(ETH_P_8021Q) && ethernet->h_proto != bpf_htons(ETH_P_8021AD)) {
    return ethernet->h_proto;
  }
  if ((void*)(tag + 1) > end || tag->control & bpf_htons(VLAN_ID)) return 0;
  *packet = tag + 1;
  return tag->type;
}

// 1 and the packet's destination where it is UDP, or the first fragment of it.
static __always_inline int read_udp(void* at, __u16 type, void* end, struct udp_packet* packet) {
  struct udphdr* udp;

  if (type == bpf_htons(ETH_P_IP)) {
    struct iphdr* ip = at;
    if ((void*)(ip + 1) > end || ip->protocol != IPPROTO_UDP || ip->ihl < 5) return 0;
    if (ip->frag_off & bpf_htons(IP_FRAGMENT_OFFSET)) return 0; // Has no ports.
    udp = (void*)ip + ip->ihl * 4;
    map_ipv4(&packet->destination, &ip->daddr);
  } else if (type == bpf_htons(ETH_P_IPV6)) {
    // No VTEP sends extension headers.
    struct ipv6hdr* ip = at;
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

static __always_inline int has_use(const struct weir_address* address, __u8 use) {
  const __u8* uses = bpf_map_lookup_elem(&local_addresses, address);
  return uses && (*uses & use);
}

// RFC 826, for Ethernet and IPv4.
struct arp_packet {
  __u16 hardware;
  __u16 protocol;
  __u8 hardware_bytes;
  __u8 protocol_bytes;
  __u16 operation;
  __u8 sender_mac[6];
  __u8 sender[4];
  __u8 target_mac[6];
  __u8 target[4];
};

// RFC 4861 sections 4.3 and 4.4.
struct nd_packet {
  __u8 type;
  __u8 code;
  __u16 checksum;
  __u32 flags;
  struct weir_address target;
};

// A question about an address of Weir's, an answer to it, or a claim of it by another. What a
// neighbour announces to all is the kernel's.
static __always_inline int is_neighbour_message(void* at, __u16 type, void* end) {
  struct weir_address address;

  if (type == bpf_htons(ETH_P_ARP)) {
    struct arp_packet* arp = at;
    if ((void*)(arp + 1) > end || arp->protocol != bpf_htons(ETH_P_IP) ||
        arp->hardware_bytes != 6 || arp->protocol_bytes != 4) {
      return 0;
    }
    map_ipv4(&address, arp->target);
    return has_use(&address, weir_address_neighbours);
  }
  if (type == bpf_htons(ETH_P_IPV6)) {
    struct ipv6hdr* ip = at;
    struct nd_packet* nd = (void*)(ip + 1);
    if ((void*)(nd + 1) > end || ip->nexthdr != IPPROTO_ICMPV6) return 0;
    if (nd->type != ND_SOLICITATION && nd->type != ND_ADVERTISEMENT) return 0;
    __builtin_memcpy(&address, &nd->target, 16);
    if (has_use(&address, weir_address_neighbours)) return 1;
    if (nd->type != ND_ADVERTISEMENT) return 0;
    __builtin_memcpy(&address, &ip->daddr, 16);
    return has_use(&address, weir_address_neighbours);
  }
  return 0;
}

static __always_inline int is_ours(struct xdp_md* context) {
  struct udp_packet packet;
  void* end = (void*)(long)context->data_end;
  void* at;
  __u16 type;
  __u32 what = settings.what;

  if (what == weir_steer_all) return 1;
  if (what == weir_steer_nothing) return 0;
  type = find_packet(context, &at);
  if (!type) return 0;
  if (!read_udp(at, type, end, &packet)) {
    return what == weir_steer_vxlan && is_neighbour_message(at, type, end);
  }
  if (what == weir_steer_roce) return packet.port == bpf_htons(PORT_ROCEV2);
  return packet.port == bpf_htons(PORT_VXLAN) && has_use(&packet.destination, weir_address_vxlan);
}

SEC("xdp")
int weir_steer(struct xdp_md* context) {
  __u32 action = settings.unread_action == XDP_DROP ? XDP_DROP : XDP_PASS;
  int verdict;

  if (!is_ours(context)) return XDP_PASS;
  // The action is what becomes of it where the queue has no socket.
  verdict = bpf_redirect_map(&sockets, context->rx_queue_index, action);
  if (verdict != XDP_REDIRECT) {
    count(action == XDP_DROP ? weir_unread_dropped : weir_unread_passed);
  }
  return verdict;
}

// No helper here asks for the GPL.
char _license[] SEC("license") = "Apache-2.0";
