// SPDX-License-Identifier: Apache-2.0
#include "dataplane/housekeeper/kernel_neighbours.hpp"

#include "dataplane/base/log.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <span>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace dp {
namespace {

// Below the kernel's own delay before it probes a neighbour that is in use (5 s), so that one that
// only Weir uses is probed like one that the kernel uses.
constexpr std::uint64_t ask_interval_ns = 2'000'000'000;
// In these the kernel has a MAC that it would send to.
constexpr unsigned usable_states =
    NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_PROBE | NUD_STALE | NUD_DELAY;
constexpr int messages_per_turn = 64;
constexpr int asked_per_turn = 16;  // Some 100 us.

struct NeighbourRequest {
  nlmsghdr header;
  ndmsg neighbour;
  alignas(4) std::array<std::uint8_t, RTA_SPACE(16)> attribute;
};

NeighbourRequest make_request(std::uint16_t type, std::uint16_t flags,
                              const KernelNeighbours::Place& place) noexcept {
  NeighbourRequest request{};
  const bool is_v4 = place.address.is_v4();
  const unsigned bytes = is_v4 ? 4 : 16;
  request.header.nlmsg_type = type;
  request.header.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
  request.header.nlmsg_len =
      static_cast<std::uint32_t>(offsetof(NeighbourRequest, attribute) + RTA_LENGTH(bytes));
  request.neighbour.ndm_family = is_v4 ? AF_INET : AF_INET6;
  request.neighbour.ndm_ifindex = static_cast<int>(place.ifindex);
  const rtattr attribute{.rta_len = static_cast<std::uint16_t>(RTA_LENGTH(bytes)),
                         .rta_type = NDA_DST};
  std::memcpy(request.attribute.data(), &attribute, sizeof attribute);
  std::memcpy(request.attribute.data() + RTA_LENGTH(0), place.address.v6.bytes.data() + 16 - bytes,
              bytes);
  return request;
}

// nullopt: it speaks of no address that could be a next hop's.
std::optional<KernelNeighbourNews> read_news(const nlmsghdr& header,
                                             std::span<const std::byte> body) noexcept {
  if (header.nlmsg_type != RTM_NEWNEIGH && header.nlmsg_type != RTM_DELNEIGH) return std::nullopt;
  ndmsg neighbour;
  if (body.size() < sizeof neighbour) return std::nullopt;
  std::memcpy(&neighbour, body.data(), sizeof neighbour);
  if (neighbour.ndm_family != AF_INET && neighbour.ndm_family != AF_INET6) return std::nullopt;
  const std::size_t address_bytes = neighbour.ndm_family == AF_INET ? 4 : 16;
  KernelNeighbourNews news{
      .place = {.ifindex = static_cast<unsigned>(neighbour.ndm_ifindex), .address = {}},
      .mac = std::nullopt,
      .deleted = header.nlmsg_type == RTM_DELNEIGH};
  const bool usable = !news.deleted && (neighbour.ndm_state & usable_states) != 0;
  bool has_address = false;
  body = body.subspan(std::min(body.size(), std::size_t{NLMSG_ALIGN(sizeof neighbour)}));
  while (body.size() >= sizeof(rtattr)) {
    rtattr attribute;
    std::memcpy(&attribute, body.data(), sizeof attribute);
    if (attribute.rta_len < sizeof attribute || attribute.rta_len > body.size()) break;
    const auto value = body.subspan(sizeof attribute, attribute.rta_len - sizeof attribute);
    if (attribute.rta_type == NDA_DST && value.size() == address_bytes) {
      has_address = true;
      if (address_bytes == 4) news.place.address = base::IpAddress::from(base::Ipv4Address(0));
      std::memcpy(news.place.address.v6.bytes.data() + 16 - address_bytes, value.data(),
                  address_bytes);
    } else if (attribute.rta_type == NDA_LLADDR && value.size() == 6 && usable) {
      news.mac.emplace();
      std::memcpy(news.mac->bytes.data(), value.data(), value.size());
    }
    body = body.subspan(std::min(body.size(), std::size_t{RTA_ALIGN(attribute.rta_len)}));
  }
  if (!has_address) return std::nullopt;
  return news;
}

}  // namespace

std::vector<KernelNeighbourNews> parse_kernel_neighbours(std::span<const std::byte> message) {
  std::vector<KernelNeighbourNews> all;
  while (message.size() >= sizeof(nlmsghdr)) {
    nlmsghdr header;
    std::memcpy(&header, message.data(), sizeof header);
    if (header.nlmsg_len < sizeof header || header.nlmsg_len > message.size()) break;
    const auto body = message.subspan(sizeof header, header.nlmsg_len - sizeof header);
    if (const auto news = read_news(header, body)) all.push_back(*news);
    message = message.subspan(std::min(message.size(), std::size_t{NLMSG_ALIGN(header.nlmsg_len)}));
  }
  return all;
}

bool KernelNeighbours::open() {
  if (socket_) return true;
  base::Descriptor socket(
      ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE));
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = RTMGRP_NEIGH;
  if (!socket ||
      ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    LOG(error, "kernel_neighbours_unread", {"errno", errno});
    return false;
  }
  socket_ = std::move(socket);
  return true;
}

void KernelNeighbours::want(const Place& place, std::uint64_t now) {
  const auto [entry, is_new] = wanted_.try_emplace(place);
  if (!is_new) return;
  entry->second.since_ns = now;
  next_ask_ns_ = 0;  // The next turn asks.
}

// The kernel resolves, and keeps known, what somebody sends to: an empty datagram to the port that
// discards (RFC 863). Telling it by netlink would take a right that this process has given up.
void KernelNeighbours::ask(const Place& place) const noexcept {
  const bool is_v4 = place.address.is_v4();
  const base::Descriptor sender(
      ::socket(is_v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int ifindex = static_cast<int>(place.ifindex);
  // Every failure below is met again at the next asking.
  if (!sender ||
      ::setsockopt(sender.get(), SOL_SOCKET, SO_BINDTOIFINDEX, &ifindex, sizeof ifindex) != 0) {
    return;
  }
  constexpr std::uint16_t discard = 9;
  if (is_v4) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(discard);
    std::memcpy(&to.sin_addr, place.address.v6.bytes.data() + 12, sizeof to.sin_addr);
    (void)::sendto(sender.get(), "", 0, MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&to),
                   sizeof to);
  } else {
    sockaddr_in6 to{};
    to.sin6_family = AF_INET6;
    to.sin6_port = htons(discard);
    std::memcpy(&to.sin6_addr, place.address.v6.bytes.data(), sizeof to.sin6_addr);
    to.sin6_scope_id = place.ifindex;
    (void)::sendto(sender.get(), "", 0, MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&to),
                   sizeof to);
  }
  // Who knows it already says so.
  const auto get = make_request(RTM_GETNEIGH, 0, place);
  (void)::send(socket_.get(), &get, get.header.nlmsg_len, MSG_DONTWAIT);
}

void KernelNeighbours::ask_some(std::uint64_t now) {
  auto next = wanted_.upper_bound(last_asked_);
  for (int i = 0; i < asked_per_turn && next != wanted_.end(); ++i, ++next) {
    ask(next->first);
    last_asked_ = next->first;
  }
  if (next != wanted_.end()) return;
  next_ask_ns_ = now + ask_interval_ns;
  last_asked_ = {};
}

void KernelNeighbours::read(std::uint64_t now, const Told& told) {
  alignas(nlmsghdr) std::array<std::byte, 16384> buffer;
  for (int i = 0; i < messages_per_turn; ++i) {
    const ssize_t size = ::recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (size <= 0) return;  // ENOBUFS: some were lost, and are asked for again.
    const auto message = std::span<const std::byte>(buffer).first(static_cast<std::size_t>(size));
    for (const KernelNeighbourNews& news : parse_kernel_neighbours(message)) {
      const auto found = wanted_.find(news.place);
      if (found != wanted_.end()) take(*found, news, now, told);
    }
  }
}

void KernelNeighbours::take(std::pair<const Place, Known>& wanted, const KernelNeighbourNews& news,
                            std::uint64_t now, const Told& told) {
  auto& [place, known] = wanted;
  if (news.deleted) ask(place);  // By an operator, mostly: not two seconds without.
  if (known.mac == news.mac) return;
  const auto before = std::exchange(known.mac, news.mac);
  known.since_ns = now;
  known.moves += before && known.mac ? 1 : 0;
  known.losses += known.mac ? 0 : 1;
  told(place, known.mac, before.value_or(base::MacAddress{}));
}

void KernelNeighbours::turn(std::uint64_t now, const Told& told) {
  if (wanted_.empty() || !open()) return;
  read(now, told);
  if (now >= next_ask_ns_) ask_some(now);
}

}  // namespace dp
