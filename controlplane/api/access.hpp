// SPDX-License-Identifier: Apache-2.0
// Who may do what. Users of this machine are known by the kernel's word (SO_PEERCRED,
// SO_PEERGROUPS), others by their certificates, never by their own word; what a request takes
// stands in the list of routes.
#pragma once

#include "controlplane/api/http.hpp"
#include "controlplane/connection/tls.hpp"

#include <expected>
#include <optional>
#include <span>
#include <string>
#include <sys/types.h>

namespace cp {

struct Group {
  gid_t id = 0;
  std::string name;
};

// The error is a sentence for the operator. Asks the system's sources (nsswitch.conf): at start
// only.
std::expected<Group, std::string> find_group(const std::string& name);

struct Access {
  // Whose the socket is: its members may connect. None: the group that the process has.
  std::optional<Group> socket_group = std::nullopt;
  // Of those, its members may change something. None: all of them.
  std::optional<Group> admin_group = std::nullopt;

  // root and the process's own user may change whatever their groups are.
  Right right_of(uid_t user, std::span<const gid_t> groups) const;
  // Who stands at the other end of a connected Unix socket; nobody, who reads, at any other.
  Peer peer_of(int socket) const;
  // Who came with that certificate. It changes something only with the admin group's name as one of
  // its units and a name of its own, for history; without an admin group none does.
  Peer peer_of(const CertificateName& name) const;
};

}  // namespace cp
