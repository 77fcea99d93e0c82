// SPDX-License-Identifier: Apache-2.0
#include "drivers/link.hpp"

#include "dataplane/base/log.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <string>
#include <sys/ioctl.h>
#include <sys/socket.h>

namespace dp {
namespace {

constexpr std::size_t message_bytes_max = 32768;  // As iproute2 reads.
// A turn of the housekeeper stays short; the rest is told at its next.
constexpr int messages_a_turn_max = 64;

template <class T>
bool copy_front(std::span<const std::byte> bytes, T& value) noexcept {
  if (bytes.size() < sizeof value) return false;
  std::memcpy(&value, bytes.data(), sizeof value);
  return true;
}

// Whoever moves an interface is told of it as if it were removed, with this attribute.
bool names_another_namespace(std::span<const std::byte> attributes) noexcept {
  rtattr attribute{};
  while (copy_front(attributes, attribute)) {
    if (attribute.rta_len < sizeof attribute || attribute.rta_len > attributes.size()) return false;
    if ((attribute.rta_type & NLA_TYPE_MASK) == IFLA_NEW_NETNSID) return true;
    const std::size_t whole = RTA_ALIGN(attribute.rta_len);
    attributes = attributes.subspan(std::min(whole, attributes.size()));
  }
  return false;
}

}  // namespace

KernelLink ask_link(unsigned ifindex) noexcept {
  const base::Descriptor socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  request.ifr_ifindex = static_cast<int>(ifindex);
  if (::ioctl(socket.get(), SIOCGIFNAME, &request) != 0) return {.exists = false, .up = false};
  constexpr int wanted = IFF_UP | IFF_RUNNING;
  if (::ioctl(socket.get(), SIOCGIFFLAGS, &request) != 0 ||
      (request.ifr_flags & wanted) != wanted) {
    return {.exists = true, .up = false};
  }
  // The flags follow a lost carrier as late as the news do; the driver knows at once.
  ethtool_value carrier{.cmd = ETHTOOL_GLINK, .data = 0};
  request.ifr_data = reinterpret_cast<char*>(&carrier);
  const bool says = ::ioctl(socket.get(), SIOCETHTOOL, &request) == 0;
  return {.exists = true, .up = !says || carrier.data != 0};
}

int ask_socket(std::string_view interface) {
  int socket = -1;
  std::ifstream file("/sys/class/net/" + std::string(interface) + "/device/numa_node");
  if (!(file >> socket)) return -1;
  return socket;
}

std::vector<LinkNews> parse_link_news(std::span<const std::byte> message) {
  std::vector<LinkNews> news;
  nlmsghdr header{};
  while (copy_front(message, header)) {
    if (header.nlmsg_len < sizeof header || header.nlmsg_len > message.size()) break;
    const auto body = message.first(header.nlmsg_len).subspan(NLMSG_HDRLEN);
    message = message.subspan(std::min<std::size_t>(NLMSG_ALIGN(header.nlmsg_len), message.size()));
    ifinfomsg link{};
    if ((header.nlmsg_type != RTM_NEWLINK && header.nlmsg_type != RTM_DELLINK) ||
        !copy_front(body, link)) {
      continue;
    }
    // A bridge tells of its ports' coming and going in messages of the same types.
    if (link.ifi_family != AF_UNSPEC) continue;
    constexpr unsigned wanted = IFF_UP | IFF_RUNNING;
    auto what = (link.ifi_flags & wanted) == wanted ? LinkNews::What::up : LinkNews::What::down;
    if (header.nlmsg_type == RTM_DELLINK) {
      const auto attributes = body.subspan(std::min(NLMSG_ALIGN(sizeof link), body.size()));
      what = names_another_namespace(attributes) ? LinkNews::What::moved : LinkNews::What::removed;
    }
    news.push_back({.ifindex = static_cast<unsigned>(link.ifi_index), .what = what});
  }
  return news;
}

LinkWatch::LinkWatch()
    : socket_(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE)) {
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = RTMGRP_LINK;
  if (::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    LOG(warning, "links_not_watched", {"errno", errno},
        {"effect", "changes of links are noticed by asking"});
    socket_.reset();
  }
}

LinkWatch::Heard LinkWatch::hear() {
  Heard heard;
  std::array<std::byte, message_bytes_max> buffer;
  for (int i = 0; i < messages_a_turn_max; ++i) {
    const ssize_t bytes = ::recv(socket_.get(), buffer.data(), buffer.size(), MSG_TRUNC);
    if (bytes < 0) {
      if (errno != ENOBUFS) break;  // EAGAIN: that was all.
      heard.lost = true;
      continue;
    }
    if (static_cast<std::size_t>(bytes) > buffer.size()) {
      heard.lost = true;
      continue;
    }
    const auto message = std::span(buffer).first(static_cast<std::size_t>(bytes));
    const std::vector<LinkNews> news = parse_link_news(message);
    heard.news.insert(heard.news.end(), news.begin(), news.end());
  }
  return heard;
}

}  // namespace dp
