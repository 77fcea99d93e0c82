// SPDX-License-Identifier: Apache-2.0
// The device of a tap port as an operator writes it: what is read, and every way to be wrong.
#include "drivers/tap/device_string.hpp"

#include <gtest/gtest.h>

#include <string>

namespace dp {
namespace {

TEST(TapDeviceString, names_an_interface_and_leaves_the_rest_to_weir) {
  const auto device = parse_tap_device("tap:host0");

  ASSERT_TRUE(device.has_value());
  EXPECT_EQ(device->interface, "host0");
  EXPECT_EQ(device->queues, 0);
  EXPECT_FALSE(device->mac.has_value());
  EXPECT_FALSE(device->persist.has_value());
}

TEST(TapDeviceString, every_option_is_read_in_any_order) {
  const auto device = parse_tap_device("tap:vm-1.eth0,persist=yes,mac=02:00:00:00:11:01,queues=64");

  ASSERT_TRUE(device.has_value());
  EXPECT_EQ(device->interface, "vm-1.eth0");
  EXPECT_EQ(device->queues, 64);
  EXPECT_EQ(device->mac, base::parse_mac("02:00:00:00:11:01"));
  EXPECT_EQ(device->persist, true);
  EXPECT_EQ(parse_tap_device("tap:host0,persist=no")->persist, false);
}

TEST(TapDeviceString, what_is_wrong_is_refused) {
  for (const std::string text : {"tap:",
                                 "tap:,queues=1",
                                 "tap:sixteen-letters-",
                                 "tap:a/b",
                                 "tap:..",
                                 "tap:a b",
                                 "tap:tap%d",
                                 "tap:a:b",
                                 "net_tap0",
                                 "tap:host0,",
                                 "tap:host0,queues",
                                 "tap:host0,queues=",
                                 "tap:host0,queues=0",
                                 "tap:host0,queues=65",
                                 "tap:host0,queues=2x",
                                 "tap:host0,queues=-1",
                                 "tap:host0,mac=",
                                 "tap:host0,mac=02:00:00:00:11",
                                 "tap:host0,mac=ff:ff:ff:ff:ff:ff",
                                 "tap:host0,mac=01:00:5e:00:00:01",
                                 "tap:host0,persist",
                                 "tap:host0,persist=1",
                                 "tap:host0,mtu=9000"}) {
    const auto device = parse_tap_device(text);

    ASSERT_FALSE(device.has_value()) << text;
    EXPECT_EQ(device.error().code, base::Errc::invalid_argument) << text;
  }
}

TEST(TapDeviceString, other_devices_are_not_ours) {
  EXPECT_TRUE(is_tap_device("tap:host0"));
  EXPECT_FALSE(is_tap_device("net_tap0,iface=host0"));
  EXPECT_FALSE(is_tap_device("tap"));
}

}  // namespace
}  // namespace dp
