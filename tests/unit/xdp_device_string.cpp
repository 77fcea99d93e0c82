// SPDX-License-Identifier: Apache-2.0
// The device of an xdp port as an operator writes it: what is read, and every way to be wrong.
#include "drivers/xdp/device_string.hpp"

#include <gtest/gtest.h>

#include <string>

namespace dp {
namespace {

TEST(XdpDeviceString, names_an_interface_and_leaves_the_rest_to_weir) {
  const auto device = parse_xdp_device("xdp:eth0");

  ASSERT_TRUE(device.has_value());
  EXPECT_EQ(device->interface, "eth0");
  EXPECT_EQ(device->queues, 0);
  EXPECT_EQ(device->mode, XdpMode::automatic);
  EXPECT_EQ(device->copy, XdpCopy::automatic);
  EXPECT_FALSE(device->busy_poll);
  EXPECT_FALSE(device->absent.has_value());
}

TEST(XdpDeviceString, every_option_is_read_in_any_order) {
  const auto device =
      parse_xdp_device("xdp:enp3s0f1,absent=drop,copy=zerocopy,queues=64,mode=native");

  ASSERT_TRUE(device.has_value());
  EXPECT_EQ(device->interface, "enp3s0f1");
  EXPECT_EQ(device->queues, 64);
  EXPECT_EQ(device->mode, XdpMode::native);
  EXPECT_EQ(device->copy, XdpCopy::zero_copy);
  EXPECT_EQ(device->absent, XdpAbsent::drop);
  EXPECT_EQ(parse_xdp_device("xdp:e,mode=generic,copy=copy,absent=pass")->mode, XdpMode::generic);
  EXPECT_EQ(parse_xdp_device("xdp:e,mode=auto,copy=auto")->copy, XdpCopy::automatic);
  EXPECT_TRUE(parse_xdp_device("xdp:e,busy_poll=on")->busy_poll);
  EXPECT_FALSE(parse_xdp_device("xdp:e,busy_poll=off")->busy_poll);
}

TEST(XdpDeviceString, what_is_wrong_is_refused) {
  for (const std::string text :
       {"xdp:", "xdp:,queues=1", "xdp:sixteen-letters-", "xdp:a/b", "xdp:..", "net_tap0",
        "xdp:eth0,", "xdp:eth0,queues", "xdp:eth0,queues=", "xdp:eth0,queues=0",
        "xdp:eth0,queues=65", "xdp:eth0,queues=2x", "xdp:eth0,queues=-1", "xdp:eth0,mode=skb",
        "xdp:eth0,copy=no", "xdp:eth0,busy_poll", "xdp:eth0,busy_poll=1", "xdp:eth0,absent=maybe",
        "xdp:eth0,start_queue=1"}) {
    const auto device = parse_xdp_device(text);

    ASSERT_FALSE(device.has_value()) << text;
    EXPECT_EQ(device.error().code, base::Errc::invalid_argument) << text;
  }
}

TEST(XdpDeviceString, other_devices_are_not_ours) {
  EXPECT_TRUE(is_xdp_device("xdp:eth0"));
  EXPECT_FALSE(is_xdp_device("net_af_xdp0,iface=eth0"));
  EXPECT_FALSE(is_xdp_device("xdp"));
}

}  // namespace
}  // namespace dp
