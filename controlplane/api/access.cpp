// SPDX-License-Identifier: Apache-2.0
#include "controlplane/api/access.hpp"

#include <algorithm>
#include <cerrno>
#include <grp.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

namespace cp {
namespace {

// As the client had them when it connected; its primary group is among its credentials instead.
std::vector<gid_t> read_groups(int socket) {
  std::vector<gid_t> groups(64);
  for (;;) {
    auto size = static_cast<socklen_t>(groups.size() * sizeof(gid_t));
    const int result = ::getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &size);
    const bool too_many = result != 0 && errno == ERANGE;
    if (result != 0 && !too_many) return {};
    groups.resize(size / sizeof(gid_t));
    if (!too_many) return groups;
  }
}

}  // namespace

std::expected<Group, std::string> find_group(const std::string& name) {
  std::vector<char> room(64u << 10);
  group entry{};
  group* found = nullptr;
  if (::getgrnam_r(name.c_str(), &entry, room.data(), room.size(), &found) != 0 ||
      found == nullptr) {
    return std::unexpected("this system knows no group \"" + name + "\"");
  }
  return Group{.id = entry.gr_gid, .name = name};
}

Right Access::right_of(uid_t user, std::span<const gid_t> groups) const {
  if (user == 0 || user == ::geteuid() || !admin_group) return Right::change;
  return std::ranges::find(groups, admin_group->id) != groups.end() ? Right::change : Right::read;
}

Peer Access::peer_of(int socket) const {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  Peer peer;
  // On TCP the kernel answers with uid -1 and no process: nobody.
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0 ||
      credentials.pid <= 0) {
    return peer;
  }
  std::vector<gid_t> groups = read_groups(socket);
  groups.push_back(credentials.gid);
  peer.uid = credentials.uid;
  peer.pid = credentials.pid;
  peer.right = right_of(credentials.uid, groups);
  if (admin_group) peer.change_takes = "the group " + admin_group->name;
  return peer;
}

Peer Access::peer_of(const CertificateName& name) const {
  Peer peer;
  peer.certificate = name.common_name.empty() ? "(no single CN)" : name.common_name;
  peer.change_takes =
      admin_group ? "a certificate with a CN, and OU = " + admin_group->name
                  : "an --admin-group of weir-controlplane, which the certificate has as OU";
  if (admin_group && !name.common_name.empty() &&
      std::ranges::find(name.units, admin_group->name) != name.units.end()) {
    peer.right = Right::change;
  }
  return peer;
}

}  // namespace cp
