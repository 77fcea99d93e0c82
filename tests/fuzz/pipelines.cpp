// SPDX-License-Identifier: Apache-2.0
// All pipelines with random tables that change between bursts: the first bytes choose the tables,
// then come frames, each with its port, its repairs and how it lies in buffers.
#include "tests/fuzz/eal.hpp"
#include "tests/pipeline/model.hpp"

namespace {

constexpr std::uint16_t transit_left = test::Model::wire + 1;
constexpr std::uint16_t transit_right = transit_left + 1;
// An underlay port with a twin, and that.
constexpr std::uint16_t twinned = transit_right + 1;
constexpr std::uint16_t twin = twinned + 1;
constexpr std::uint16_t port_count = twin + 1;

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  fuzz::start_eal();
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const std::uint8_t choice = input.byte();
  test::Gateway gateway({.workers = static_cast<std::uint16_t>(1 + (choice & 1)),
                         .queues = static_cast<std::uint16_t>(1 + (choice & 1)),
                         .mbufs = 1023,
                         .copies = (choice & 2) != 0 ? 511u : 7u,
                         .headroom = static_cast<std::uint16_t>((choice & 4) != 0 ? 128 : 40),
                         .tx_room = (choice & 8) != 0 ? SIZE_MAX : 2});
  gateway.add_port(transit_left, test::transit_port(transit_right));
  gateway.add_port(transit_right, test::transit_port(base::no_port.value));
  dp::PortRecord record = test::underlay_port("02:70:63:61:70:00");
  record.twin = base::PortId{twin};
  gateway.add_port(twinned, record);
  gateway.add_port(twin, test::host_port(twinned));
  test::Model model(gateway, input.number());
  model.change(100);
  gateway.commit();
  if ((choice & 16) != 0) {
    contract::TraceAdd every{};
    every.trace = 1;
    every.count = 20;
    (void)gateway.trace_board().add(every);
  }

  fuzz::HeldFrames held;
  for (int burst = 0; burst < 4 && !input.empty(); ++burst) {
    for (int i = 0; i < 8 && !input.empty(); ++i) {
      std::uint16_t port = input.byte() % port_count;
      if (test::Model::is_vlan(port)) port = test::Model::trunk;
      const std::uint8_t repairs = input.byte();
      const fuzz::Layout layout = fuzz::read_layout(input, repairs);
      test::Bytes frame = input.take(input.number() % 1600);
      fuzz::repair(frame, repairs);
      gateway.offer(port, held.lay_out(gateway.pool(), frame, layout),
                    static_cast<std::uint16_t>(i & choice & 1));
    }
    gateway.run();
    held.expect_untouched();
    (void)gateway.take_traces();
    model.change(input.byte() % 8);
    gateway.commit();
  }
  fuzz::expect_sound(gateway, port_count);
  return 0;
}
