// SPDX-License-Identifier: Apache-2.0
// Whether a whole intent makes sense: names are unique, what is referred to exists and has the
// right role, numbers are in range, the data plane has room. Pure.
#pragma once

#include "controlplane/intent/error.hpp"
#include "controlplane/intent/limits.hpp"
#include "controlplane/intent/model.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace cp {

// An error and which object (position in its list) and field it is about, for who knows places.
struct Finding {
  ObjectKind kind;
  std::size_t index;
  Error error;
};

// At most error_count_max; none: the intent is good. The lists need not be sorted. Endpoints that
// the intent shares with `known`, which has been found good under whatever limits, are not looked
// at again where that gives the same answer.
std::vector<Finding> find_faults(const Intent& intent, const Limits& limits,
                                 const Intent* known = nullptr);

// The same without positions.
Status validate(const Intent& intent, const Limits& limits);

// What makes room for more of a kind, as the end of a message; nothing does for ports.
std::string room_hint(ObjectKind kind);

// Whether packets to `remote`, which leave at `ports`, carry the address of `local` where no source
// is named: answers to it must be welcome at each of these ports.
bool may_be_source(const Vtep& remote, const Vtep& local, const std::vector<Name>& ports) noexcept;

// Whether `address` is on the link that a port's own address is on.
bool same_link(const LinkAddress& own, const base::IpAddress& address) noexcept;

// Of a remote VTEP that says neither next_hops nor next_hop_mac: the ports with the longest prefix
// that holds its address, of its port where it names one. One: the VTEP is its own next hop there,
// to be resolved. None, or several: nobody knows where packets to it go, and validate() says so.
std::vector<const Port*> links_of(const Intent& intent, const Vtep& vtep);
inline bool is_own_next_hop(const Vtep& vtep) noexcept {
  return vtep.kind == VtepKind::remote && vtep.next_hops.empty() && !vtep.next_hop_mac;
}

}  // namespace cp
