// SPDX-License-Identifier: Apache-2.0
// What the program in the kernel (steer.bpf.c) and its loader (program.cpp) both know. C, as the
// kernel's side is.
#pragma once

enum weir_steer_what {
  weir_steer_nothing = 0, // All frames stay with the kernel.
  weir_steer_vxlan = 1,   // What the map `local_addresses` says of each address.
  weir_steer_roce = 2,    // RoCEv2, whoever it is for.
  weir_steer_all = 3,
};

// Frames of Weir's whose queue has no socket: the kernel got them, or nobody.
enum weir_steer_count {
  weir_unread_passed = 0,
  weir_unread_dropped = 1,
  weir_steer_counts = 2,
};

// The value of the program's only global: written by the data plane, read once per frame.
struct weir_steer_settings {
  unsigned int what;          // weir_steer_what.
  unsigned int unread_action; // XDP_PASS or XDP_DROP: for frames of ours that nobody reads.
};

// One socket per receive queue; more queues than this stay without.
#define WEIR_QUEUES_MAX 64
// Local VTEPs of one interface, and its addresses for which Weir answers.
#define WEIR_LOCAL_ADDRESSES_MAX 1024

// Bits of the values of the map `local_addresses`: what goes to Weir.
enum weir_address_use {
  weir_address_vxlan = 1,      // VXLAN to it.
  weir_address_neighbours = 2, // ARP and neighbour discovery about it, and answers to it.
};

// An IPv4 address is mapped into IPv6 (::ffff:a.b.c.d).
struct weir_address {
  unsigned char bytes[16];
};
