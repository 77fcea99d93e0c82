// SPDX-License-Identifier: Apache-2.0
// What the kernel tells of its neighbours, read from messages of every shape. That they are
// followed, tests/system/neighbours.py shows.
#include "dataplane/housekeeper/kernel_neighbours.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

namespace {

using Bytes = std::vector<std::uint8_t>;

const Bytes four = {198, 18, 0, 2};
const Bytes six = {0xfd, 0, 0, 0x18, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2};
const Bytes mac = {2, 0, 0, 0, 0xff, 0x72};

struct Attribute {
  std::uint16_t type;
  Bytes value;
};

struct Neighbour {
  std::uint16_t type = RTM_NEWNEIGH;
  std::uint8_t family = AF_INET;
  std::uint16_t state = NUD_REACHABLE;
  std::vector<Attribute> attributes = {{NDA_DST, four}, {NDA_LLADDR, mac}};
};

template <typename T>
void append(std::vector<std::byte>& to, const T& value) {
  to.resize(to.size() + sizeof value);
  std::memcpy(to.data() + to.size() - sizeof value, &value, sizeof value);
}

std::vector<std::byte> message(const Neighbour& neighbour) {
  std::vector<std::byte> bytes;
  append(bytes, nlmsghdr{.nlmsg_type = neighbour.type});
  append(bytes,
         ndmsg{.ndm_family = neighbour.family, .ndm_ifindex = 5, .ndm_state = neighbour.state});
  for (const auto& [type, value] : neighbour.attributes) {
    append(bytes, rtattr{.rta_len = static_cast<std::uint16_t>(RTA_LENGTH(value.size())),
                         .rta_type = type});
    for (const std::uint8_t byte : value) append(bytes, byte);
    bytes.resize(NLMSG_ALIGN(bytes.size()));
  }
  const auto length = static_cast<std::uint32_t>(bytes.size());
  std::memcpy(bytes.data(), &length, sizeof length);
  return bytes;
}

std::vector<dp::KernelNeighbourNews> news_of(const Neighbour& neighbour) {
  return dp::parse_kernel_neighbours(message(neighbour));
}

base::IpAddress address(const Bytes& bytes) {
  base::IpAddress made{};
  if (bytes.size() == 4) made = base::IpAddress::from(base::Ipv4Address(0));
  std::memcpy(made.v6.bytes.data() + 16 - bytes.size(), bytes.data(), bytes.size());
  return made;
}

void expect_one(const Neighbour& neighbour, const Bytes& of, bool has_mac) {
  const auto news = news_of(neighbour);
  ASSERT_EQ(news.size(), 1u);
  EXPECT_EQ(news[0].place.ifindex, 5u);
  EXPECT_EQ(news[0].place.address, address(of));
  EXPECT_EQ(news[0].deleted, neighbour.type == RTM_DELNEIGH);
  ASSERT_EQ(news[0].mac.has_value(), has_mac);
  if (!has_mac) return;
  EXPECT_EQ(std::memcmp(news[0].mac->bytes.data(), mac.data(), mac.size()), 0);
}

TEST(KernelNeighbours, of_both_families_have_the_mac_that_the_kernel_would_send_to) {
  for (const std::uint16_t state :
       {NUD_PERMANENT, NUD_NOARP, NUD_REACHABLE, NUD_PROBE, NUD_STALE, NUD_DELAY}) {
    expect_one({.state = state}, four, true);
    expect_one(
        {.family = AF_INET6, .state = state, .attributes = {{NDA_LLADDR, mac}, {NDA_DST, six}}},
        six, true);
  }
}

TEST(KernelNeighbours, that_are_looked_for_failed_or_deleted_have_none) {
  for (const std::uint16_t state : {NUD_NONE, NUD_INCOMPLETE, NUD_FAILED}) {
    expect_one({.state = state}, four, false);
  }
  expect_one({.type = RTM_DELNEIGH}, four, false);
  expect_one({.attributes = {{NDA_DST, four}}}, four, false);
}

TEST(KernelNeighbours, are_no_bridge_entries_nor_what_else_is_told) {
  EXPECT_TRUE(news_of({.family = AF_BRIDGE}).empty());
  EXPECT_TRUE(news_of({.family = AF_UNSPEC}).empty());
  EXPECT_TRUE(news_of({.type = RTM_NEWLINK}).empty());
  EXPECT_TRUE(news_of({.type = RTM_GETNEIGH}).empty());
  EXPECT_TRUE(news_of({.attributes = {{NDA_LLADDR, mac}}}).empty()) << "of no address";
}

TEST(KernelNeighbours, addresses_of_odd_lengths_are_none) {
  for (std::size_t bytes = 0; bytes < 20; ++bytes) {
    Bytes odd(bytes, 2);
    EXPECT_EQ(news_of({.attributes = {{NDA_DST, odd}, {NDA_LLADDR, mac}}}).size(), bytes == 4)
        << bytes;
    EXPECT_EQ(news_of({.family = AF_INET6, .attributes = {{NDA_DST, odd}}}).size(), bytes == 16)
        << bytes;
    if (bytes != 6) expect_one({.attributes = {{NDA_DST, four}, {NDA_LLADDR, odd}}}, four, false);
  }
}

TEST(KernelNeighbours, attributes_of_odd_lengths_and_unknown_types_are_passed_over) {
  expect_one({.attributes =
                  {{NDA_CACHEINFO, Bytes(15)}, {NDA_DST, four}, {99, Bytes(1)}, {NDA_LLADDR, mac}}},
             four, true);
}

TEST(KernelNeighbours, several_come_in_one_buffer) {
  auto bytes = message({});
  const auto foreign = message({.type = RTM_NEWADDR});
  const auto last = message({.family = AF_INET6, .attributes = {{NDA_DST, six}}});
  bytes.insert(bytes.end(), foreign.begin(), foreign.end());
  bytes.insert(bytes.end(), last.begin(), last.end());

  const auto news = dp::parse_kernel_neighbours(bytes);

  ASSERT_EQ(news.size(), 2u);
  EXPECT_TRUE(news[0].mac.has_value());
  EXPECT_EQ(news[1].place.address, address(six));
}

TEST(KernelNeighbours, of_messages_cut_anywhere_are_none) {
  const auto whole = message({});
  for (std::size_t bytes = 0; bytes < whole.size(); ++bytes) {
    EXPECT_TRUE(dp::parse_kernel_neighbours(std::span(whole).first(bytes)).empty()) << bytes;
  }
}

TEST(KernelNeighbours, lengths_that_lie_end_the_search) {
  const std::size_t first = NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(ndmsg));
  for (const std::uint16_t length : {0, 3, 200, 65535}) {
    auto bytes = message({});
    std::memcpy(bytes.data() + first, &length, sizeof length);
    EXPECT_TRUE(dp::parse_kernel_neighbours(bytes).empty()) << length;
    // The second attribute's: what stood before it holds.
    bytes = message({});
    std::memcpy(bytes.data() + first + RTA_SPACE(4), &length, sizeof length);
    const auto news = dp::parse_kernel_neighbours(bytes);
    ASSERT_EQ(news.size(), 1u) << length;
    EXPECT_FALSE(news[0].mac.has_value()) << length;
  }
  // A message's own: shorter than its header, or just the header.
  for (const std::uint32_t length : {0U, 15U, 16U, 27U}) {
    auto bytes = message({});
    std::memcpy(bytes.data(), &length, sizeof length);
    EXPECT_TRUE(dp::parse_kernel_neighbours(bytes).empty()) << length;
  }
}

}  // namespace
