// SPDX-License-Identifier: Apache-2.0
// What the kernel tells of its interfaces, read from messages of every shape, and asked of one that
// always is there.
#include "drivers/link.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

namespace {

using What = dp::LinkNews::What;

struct Attribute {
  rtattr header{.rta_len = sizeof(rtattr) + 4, .rta_type = 0};
  std::uint32_t value = 7;
};

std::vector<std::byte> message(std::uint16_t type, unsigned flags,
                               const std::vector<std::uint16_t>& attributes = {},
                               std::uint8_t family = AF_UNSPEC) {
  nlmsghdr header{};
  header.nlmsg_type = type;
  header.nlmsg_len = static_cast<std::uint32_t>(NLMSG_LENGTH(sizeof(ifinfomsg)) +
                                                attributes.size() * sizeof(Attribute));
  ifinfomsg link{};
  link.ifi_family = family;
  link.ifi_index = 5;
  link.ifi_flags = flags;
  std::vector<std::byte> bytes(header.nlmsg_len);
  std::memcpy(bytes.data(), &header, sizeof header);
  std::memcpy(bytes.data() + NLMSG_HDRLEN, &link, sizeof link);
  std::size_t place = NLMSG_LENGTH(sizeof link);
  for (const std::uint16_t type_of_attribute : attributes) {
    Attribute attribute;
    attribute.header.rta_type = type_of_attribute;
    std::memcpy(bytes.data() + place, &attribute, sizeof attribute);
    place += sizeof attribute;
  }
  return bytes;
}

What only(const std::vector<std::byte>& bytes) {
  const auto news = dp::parse_link_news(bytes);
  EXPECT_EQ(news.size(), 1U);
  EXPECT_EQ(news.at(0).ifindex, 5U);
  return news.at(0).what;
}

TEST(LinkNews, tell_up_down_removed_and_moved_apart) {
  EXPECT_EQ(only(message(RTM_NEWLINK, IFF_UP | IFF_RUNNING)), What::up);
  EXPECT_EQ(only(message(RTM_NEWLINK, IFF_UP)), What::down) << "no carrier";
  EXPECT_EQ(only(message(RTM_NEWLINK, 0)), What::down);
  EXPECT_EQ(only(message(RTM_DELLINK, IFF_UP | IFF_RUNNING, {IFLA_MTU})), What::removed);
  EXPECT_EQ(only(message(RTM_DELLINK, 0, {IFLA_MTU, IFLA_NEW_NETNSID})), What::moved);
}

TEST(LinkNews, are_not_what_others_tell) {
  EXPECT_TRUE(dp::parse_link_news(message(RTM_NEWADDR, IFF_UP)).empty());
  EXPECT_TRUE(dp::parse_link_news(message(RTM_DELLINK, 0, {}, AF_BRIDGE)).empty());
}

TEST(LinkNews, several_come_in_one_buffer) {
  auto bytes = message(RTM_NEWLINK, IFF_UP | IFF_RUNNING);
  const auto second = message(RTM_DELLINK, 0);
  bytes.insert(bytes.end(), second.begin(), second.end());

  const auto news = dp::parse_link_news(bytes);

  ASSERT_EQ(news.size(), 2U);
  EXPECT_EQ(news[1].what, What::removed);
}

TEST(LinkNews, of_messages_cut_anywhere_are_none) {
  const auto whole = message(RTM_DELLINK, 0, {IFLA_MTU, IFLA_NEW_NETNSID});
  for (std::size_t bytes = 0; bytes < whole.size(); ++bytes) {
    EXPECT_TRUE(dp::parse_link_news(std::span(whole).first(bytes)).empty()) << bytes;
  }
}

TEST(LinkNews, attributes_that_lie_about_their_length_end_the_search) {
  auto bytes = message(RTM_DELLINK, 0, {IFLA_MTU, IFLA_NEW_NETNSID});
  for (const std::uint16_t length : {0, 3, 200}) {
    std::memcpy(bytes.data() + NLMSG_LENGTH(sizeof(ifinfomsg)), &length, sizeof length);
    EXPECT_EQ(only(bytes), What::removed) << length;
  }
}

TEST(KernelLink, exists_or_does_not) {
  EXPECT_TRUE(dp::ask_link(if_nametoindex("lo")).exists);
  EXPECT_FALSE(dp::ask_link(0).exists);
  EXPECT_FALSE(dp::ask_link(0x7fff'ffff).exists);
}

TEST(LinkWatch, hears_nothing_where_nothing_happens) {
  dp::LinkWatch watch;

  ASSERT_GE(watch.descriptor(), 0);
  EXPECT_FALSE(watch.hear().lost);
}

}  // namespace
