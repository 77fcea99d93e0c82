// SPDX-License-Identifier: Apache-2.0
// parse_frame and classify_roce on any bytes in one or two segments, gathered as in a pipeline:
// what they say about the packet must lie in the packet.
#include "dataplane/base/check.hpp"
#include "dataplane/packet/segments.hpp"
#include "pipelines/stages/classify_roce.hpp"
#include "pipelines/stages/parse_frame.hpp"
#include "tests/fuzz/eal.hpp"

#include <cstring>
#include <memory>

namespace {

std::unique_ptr<test::Gateway> gateway;

void expect_within(const dp::Packet& packet) {
  const dp::PacketMeta& meta = packet.meta();
  CHECK(meta.kind < contract::PacketKind::count);
  CHECK(meta.destination_qp <= 0xff'ffff);
  if (meta.ip_version == 0) return;
  CHECK(meta.ip_version == 4 || meta.ip_version == 6);
  const unsigned header_bytes = meta.ip_version == 4 ? 20 : 40;
  CHECK(meta.l3 + header_bytes <= packet.contiguous());
  CHECK(meta.l4 >= meta.l3 + header_bytes);
  CHECK(std::uint32_t{meta.l4} + meta.l4_length <= packet.length());
  if (contract::is_roce_v2(meta.kind)) CHECK(meta.l4_length >= 8 + 12 + 4);
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  fuzz::start_eal();
  gateway = std::make_unique<test::Gateway>(test::GatewayOptions{.mbufs = 127, .copies = 127});
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 2000) return -1;  // An mbuf's room.
  fuzz::Input input(data, size);
  const std::array<std::uint16_t, 1> first{input.byte()};
  const auto segments = std::span(first).first(first[0] == 0 ? 0 : 1);
  rte_mbuf* mbuf = dp::gather_head(test::make_mbuf(gateway->pool(), input.take_all(), segments),
                                   gateway->pool());
  CHECK(mbuf != nullptr);

  dp::PacketMeta meta{};
  meta.in_port = base::PortId{0};
  const dp::Packet packet(mbuf, meta);
  dp::PacketMeta at_once = meta;
  const bool recognized = dp::recognize_plain_roce({mbuf, at_once});
  if (dp::parse_frame_at(packet, 0) == dp::keep) {
    expect_within(packet);
    dp::ClassifyRoce classify(gateway->worker(0).environment());
    CHECK(classify.handle(packet) == dp::keep);
    expect_within(packet);
    // The shorter way leads to the same.
    if (recognized) CHECK(std::memcmp(&at_once, &meta, sizeof meta) == 0);
  } else {
    CHECK(!recognized);
  }
  rte_pktmbuf_free(mbuf);
  return 0;
}
