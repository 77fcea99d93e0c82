// SPDX-License-Identifier: Apache-2.0
// Opening and closing DPDK devices: what is asked for, what is refused, and that nothing is left.
#include "dataplane/base/check.hpp"
#include "dataplane/base/log.hpp"
#include "drivers/ethdev/devargs.hpp"
#include "drivers/ethdev/device.hpp"

#include <gtest/gtest.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

#include <array>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace dp {
namespace {

using base::Errc;

class EthdevDevices : public testing::Test {
 protected:
  EthdevDevices() : pool_(make_pool()) {
    base::set_log(base::LogLevel::error, base::LogFormat::text, "test");
  }
  ~EthdevDevices() override {
    EXPECT_EQ(rte_mempool_in_use_count(pool_), 0U) << "mbufs were lost";
    rte_mempool_free(pool_);
  }

  static rte_mempool* make_pool() {
    rte_mempool* pool =
        rte_pktmbuf_pool_create("ethdev", 4095, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
    CHECK(pool != nullptr);
    return pool;
  }
  static DeviceRequest request(const std::string& device, std::uint16_t workers = 1) {
    return {.device = device,
            .worker_count = workers,
            .rx_queues = 0,
            .rx_descriptors = 512,
            .tx_descriptors = 512,
            .mtu = 0,
            .promiscuous = true};
  }
  static std::size_t descriptors() {
    return static_cast<std::size_t>(
        std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {}));
  }
  base::Result<std::unique_ptr<Device>> open(const DeviceRequest& wanted) {
    return EthdevDevice::open(wanted, *pool_, *helper_);
  }
  Errc refusal(const DeviceRequest& wanted) {
    const auto device = open(wanted);
    return device ? Errc::ok : device.error().code;
  }

  rte_mempool* pool_;
  // A program that ends at once: no device here needs it.
  base::Result<PortHelper> helper_ = PortHelper::start({.program = "/bin/true", .bpffs = "/tmp"});
};

TEST_F(EthdevDevices, ring_returns_what_was_sent_into_it) {
  auto device = open(request("net_ring0", 2));
  ASSERT_TRUE(device.has_value()) << device.error().text;
  EXPECT_EQ((*device)->facts().rx_queues, 2);
  EXPECT_EQ((*device)->facts().tx_queues, 2);
  EXPECT_EQ((*device)->facts().rx_descriptors, 512);
  EXPECT_EQ((*device)->facts().tx_descriptors, 512);
  EXPECT_EQ((*device)->facts().mtu, 1500);
  EXPECT_TRUE((*device)->observe().link.up);

  std::array<rte_mbuf*, 3> frames{};
  ASSERT_EQ(rte_pktmbuf_alloc_bulk(pool_, frames.data(), frames.size()), 0);
  EXPECT_EQ(send((*device)->port(), base::QueueId{1}, frames), 3);
  Batch batch;
  receive((*device)->port(), base::QueueId{1}, batch);
  EXPECT_EQ(batch.size(), 3);
}

TEST_F(EthdevDevices, closing_gives_everything_back_however_often) {
  (void)open(request("net_ring0"));  // What DPDK allocates once.
  const std::size_t before = descriptors();

  for (int round = 0; round < 100; ++round) {
    auto ring = open(request("net_ring0"));
    auto null = open(request("net_null7,no-rx=1"));
    ASSERT_TRUE(ring.has_value()) << round << ring.error().text;
    ASSERT_TRUE(null.has_value()) << round << null.error().text;
    // Frames that nobody receives before the device is closed.
    std::array<rte_mbuf*, 8> frames{};
    ASSERT_EQ(rte_pktmbuf_alloc_bulk(pool_, frames.data(), frames.size()), 0);
    ASSERT_EQ(send((*ring)->port(), base::QueueId{0}, frames), 8);
  }

  EXPECT_EQ(descriptors(), before);
  EXPECT_EQ(rte_eth_dev_count_avail(), 0);
}

TEST_F(EthdevDevices, same_name_twice_is_refused) {
  const auto first = open(request("net_null0"));
  ASSERT_TRUE(first.has_value());

  EXPECT_EQ(refusal(request("net_null0,size=64")), Errc::already_exists);
}

TEST_F(EthdevDevices, devices_that_cannot_be_are_refused_with_a_sentence) {
  const std::size_t before = descriptors();
  for (const char* device :
       {"net_pcap0,rx_pcap=/no/such/file", "no_such_driver0", "0000:ff:1f.7", "0000:ff:1f.7",
        "net_null0,no-such-key=1", "%n", ",,,", "net_ring0=x"}) {
    const auto opened = open(request(device));
    if (opened) continue;
    EXPECT_GT(std::string_view(opened.error().text).size(), 20U) << device;
  }
  EXPECT_EQ(refusal(request("net_pcap0,rx_pcap=/no/such/file")), Errc::device_failed);
  EXPECT_EQ(refusal(request("no_such_driver0")), Errc::device_failed);
  EXPECT_EQ(descriptors(), before);
  EXPECT_EQ(rte_eth_dev_count_avail(), 0);
}

TEST_F(EthdevDevices, too_few_queues_are_refused) {
  const std::string file = testing::TempDir() + "weir-ethdev-test.pcap";
  EXPECT_EQ(refusal(request("net_pcap0,tx_pcap=" + file, 2)), Errc::unsupported);
  auto wanted = request("net_ring0");
  wanted.rx_queues = 1000;
  EXPECT_EQ(refusal(wanted), Errc::unsupported);
  std::filesystem::remove(file);
  EXPECT_EQ(rte_eth_dev_count_avail(), 0);
}

TEST_F(EthdevDevices, jumbo_mtu_takes_several_buffers_or_is_refused) {
  for (const char* device : {"net_ring0", "net_memif0,role=server,socket-abstract=yes"}) {
    auto wanted = request(device);
    wanted.mtu = 9216;
    const auto opened = open(wanted);
    ASSERT_TRUE(opened.has_value()) << device << ": " << opened.error().text;
    EXPECT_TRUE((*opened)->facts().receives_segmented) << device;
    EXPECT_EQ((*opened)->facts().mtu, 9216) << device;
  }
  auto one_buffer = request("net_null0,no-rx=1");
  one_buffer.mtu = 9216;
  EXPECT_EQ(refusal(one_buffer), Errc::unsupported);
  one_buffer.mtu = 1500;
  const auto device = open(one_buffer);
  ASSERT_TRUE(device.has_value()) << device.error().text;
  one_buffer.mtu = 9216;
  const auto adjusted = (*device)->adjust(one_buffer);
  ASSERT_FALSE(adjusted.has_value());
  EXPECT_EQ(adjusted.error().code, Errc::unsupported);
  EXPECT_EQ((*device)->facts().mtu, 1500);
}

// A frame of `bytes` in `segments` equal parts, each byte telling its place.
rte_mbuf* chain_of(rte_mempool& pool, std::uint32_t bytes, std::uint32_t segments) {
  rte_mbuf* first = nullptr;
  std::uint32_t place = 0;
  for (std::uint32_t i = 0; i < segments; ++i) {
    rte_mbuf* mbuf = rte_pktmbuf_alloc(&pool);
    CHECK(mbuf != nullptr);
    const auto part = static_cast<std::uint16_t>((bytes - place) / (segments - i));
    char* room = rte_pktmbuf_append(mbuf, part);
    CHECK(room != nullptr);
    for (std::uint16_t k = 0; k < part; ++k) room[k] = static_cast<char>(place++ % 251);
    if (first == nullptr) {
      first = mbuf;
    } else {
      CHECK(rte_pktmbuf_chain(first, mbuf) == 0);
    }
  }
  return first;
}

bool is_whole(const rte_mbuf* frame, std::uint32_t bytes) {
  std::vector<char> copy(bytes);
  const auto* data = static_cast<const char*>(rte_pktmbuf_read(frame, 0, bytes, copy.data()));
  if (data == nullptr || frame->pkt_len != bytes) return false;
  for (std::uint32_t i = 0; i < bytes; ++i) {
    if (data[i] != static_cast<char>(i % 251)) return false;
  }
  return true;
}

TEST_F(EthdevDevices, jumbo_frames_pass_a_ring_as_they_are) {
  auto wanted = request("net_ring0");
  wanted.mtu = 9216;
  auto device = open(wanted);
  ASSERT_TRUE(device.has_value()) << device.error().text;
  constexpr std::uint32_t bytes = 9216 + 14;

  std::array<rte_mbuf*, 1> frames{chain_of(*pool_, bytes, 5)};
  ASSERT_EQ(send((*device)->port(), base::QueueId{0}, frames), 1);
  Batch batch;
  receive((*device)->port(), base::QueueId{0}, batch);

  ASSERT_EQ(batch.size(), 1);
  EXPECT_EQ(batch.mbuf(0)->nb_segs, 5);
  EXPECT_TRUE(is_whole(batch.mbuf(0), bytes));
}

TEST_F(EthdevDevices, chains_longer_than_a_device_sends_are_copied) {
  auto device = open(request("net_ring0"));
  ASSERT_TRUE(device.has_value());
  auto& port = std::get<EthdevPort>((*device)->port());
  port.limit_segments(2, *pool_);

  // One segment, two, seven that fit two, and as many that need three.
  std::array<rte_mbuf*, 5> frames{chain_of(*pool_, 1000, 1), chain_of(*pool_, 3000, 2),
                                  chain_of(*pool_, 3000, 7), chain_of(*pool_, 6000, 7),
                                  chain_of(*pool_, 1000, 1)};
  // The worker drops what a port did not take, from the first such frame on.
  ASSERT_EQ(port.send(base::QueueId{0}, frames), 3);
  rte_pktmbuf_free_bulk(frames.data() + 3, 2);
  Batch batch;
  port.receive(base::QueueId{0}, batch);

  ASSERT_EQ(batch.size(), 3);
  EXPECT_TRUE(is_whole(batch.mbuf(0), 1000));
  EXPECT_TRUE(is_whole(batch.mbuf(1), 3000));
  EXPECT_TRUE(is_whole(batch.mbuf(2), 3000));
  EXPECT_EQ(batch.mbuf(2)->nb_segs, 2);
}

TEST_F(EthdevDevices, mtu_that_a_device_does_not_know_is_our_own_limit) {
  auto device = open(request("net_ring0"));
  ASSERT_TRUE(device.has_value());

  auto other = request("net_ring0");
  other.mtu = 1400;
  other.promiscuous = false;
  ASSERT_TRUE((*device)->adjust(other).has_value());
  EXPECT_EQ((*device)->facts().mtu, 1400);
  ASSERT_TRUE((*device)->adjust(request("net_ring0")).has_value());
  EXPECT_EQ((*device)->facts().mtu, 1500);
}

TEST(Devargs, name_driver_and_values_are_read) {
  EXPECT_EQ(device_name("net_tap0,iface=host0"), "net_tap0");
  EXPECT_EQ(device_name("0000:03:00.0"), "0000:03:00.0");
  EXPECT_EQ(driver_name("net_af_packet12,iface=eth1"), "net_af_packet");
  EXPECT_EQ(driver_name("0000:03:00.0"), "");
  EXPECT_EQ(devargs_value("net_tap0,iface=host0,mac=fixed", "iface"), "host0");
  EXPECT_EQ(devargs_value("net_tap0,iface=host0,mac=fixed", "mac"), "fixed");
  EXPECT_EQ(devargs_value("net_tap0,iface=host0", "face"), "");
  EXPECT_EQ(devargs_value("net_tap0", "iface"), "");
}

TEST(Devargs, drivers_that_count_what_they_did_not_take_are_known) {
  EXPECT_TRUE(counts_refused_frames("net_tap0,iface=host0"));
  EXPECT_TRUE(counts_refused_frames("net_vhost3,iface=/run/vhost.sock"));
  EXPECT_FALSE(counts_refused_frames("net_af_packet0,iface=eth1"));
  EXPECT_FALSE(counts_refused_frames("net_tapestry0"));
  EXPECT_FALSE(counts_refused_frames("0000:03:00.0"));
}

TEST(Devargs, the_socket_that_a_device_makes_itself_is_told_from_one_that_it_connects_to) {
  EXPECT_EQ(served_socket("net_vhost0,iface=/s,queues=2"), "/s");
  EXPECT_EQ(served_socket("net_vhost0,iface=/s,client=0"), "/s");
  EXPECT_EQ(served_socket("net_vhost0,iface=/s,client=1"), "");
  EXPECT_EQ(served_socket("net_virtio_user0,path=/s,server=1"), "/s");
  EXPECT_EQ(served_socket("net_virtio_user0,path=/s"), "");
  EXPECT_EQ(served_socket("net_memif0,role=server,socket=/s"), "");
}

TEST(Devargs, queues_and_frame_sizes_are_added_where_a_driver_must_be_told) {
  EXPECT_EQ(complete_devargs("net_tap0,iface=x", 4, 9000), "net_tap0,iface=x");
  EXPECT_EQ(complete_devargs("net_vhost0,iface=/s", 2, 1500), "net_vhost0,iface=/s,queues=2,tso=1");
  EXPECT_EQ(complete_devargs("net_vhost0,iface=/s,queues=8,tso=0", 2, 1500),
            "net_vhost0,iface=/s,queues=8,tso=0");
  EXPECT_EQ(complete_devargs("net_memif0,role=client", 2, 1600), "net_memif0,role=client");
  EXPECT_EQ(complete_devargs("net_memif0,role=client", 2, 9216),
            "net_memif0,role=client,bsize=9280");
  EXPECT_EQ(complete_devargs("net_af_packet0,iface=e", 2, 1500), "net_af_packet0,iface=e,qpairs=2");
  EXPECT_EQ(complete_devargs("net_af_packet0,iface=e", 1, 4200),
            "net_af_packet0,iface=e,qpairs=1,framesz=8192,blocksz=8192");
}

TEST(Devargs, tell_which_devices_take_privilege) {
  for (const char* device :
       {"net_tap0,iface=a", "net_tun3", "net_af_packet0,iface=a", "net_af_xdp1,iface=a",
        "net_pcap0,iface=lo", "net_pcap0,rx_pcap=x,tx_iface=lo", "net_pcap0,rx_iface=lo",
        "net_pcap0,rx_iface_in=lo", "net_virtio_user0,path=/dev/vhost-net", "0000:3b:00.0",
        "3B:00.1,key=value", "pci:0000:3b:00.0"}) {
    EXPECT_TRUE(takes_privilege(device)) << device;
  }
  for (const char* device : {"net_ring0", "net_memif0,role=server", "net_null0",
                             "net_vhost0,iface=/run/weir/vm0", "net_pcap0,rx_pcap=x,tx_pcap=y",
                             "net_virtio_user0,path=/run/weir/vm0", "xdp:eth0", "tap:ab"}) {
    EXPECT_FALSE(takes_privilege(device)) << device;
  }
}

}  // namespace
}  // namespace dp
