// SPDX-License-Identifier: Apache-2.0
// parse_outer, decapsulate and what follows: any bytes at an underlay port, however they lie in
// buffers.
#include "tests/fuzz/eal.hpp"

#include <memory>

namespace {

constexpr std::uint16_t host = 0;
constexpr std::uint16_t wire = 1;
std::unique_ptr<test::Gateway> gateway;

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  fuzz::start_eal();
  gateway = std::make_unique<test::Gateway>(test::GatewayOptions{.mbufs = 127, .copies = 127});
  gateway->add_port(host, test::tenant_port(1));
  gateway->add_port(wire, test::underlay_port("02:70:63:61:70:00"));
  gateway->set_local_vtep(1, "198.18.0.1");
  gateway->set_remote_vtep(2, {.address = "198.18.0.2", .port = wire, .source = "198.18.0.1"});
  gateway->set_local_vtep(3, "fd00::1");
  gateway->set_remote_vtep(4, {.address = "fd00::2", .port = wire, .source = "fd00::1"});
  gateway->set_network(1, 100);
  gateway->set_endpoint(1, "02:00:00:00:0a:01", test::at_port(host));
  gateway->commit();
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 2000) return -1;  // An mbuf's room.
  fuzz::Input input(data, size);
  const std::uint8_t choice = input.byte();
  const fuzz::Layout layout = fuzz::read_layout(input, choice);
  test::Bytes frame = input.take_all();
  fuzz::repair(frame, choice);
  fuzz::HeldFrames held;
  gateway->offer(wire, held.lay_out(gateway->pool(), frame, layout), 0);
  gateway->run();
  held.expect_untouched();
  fuzz::expect_sound(*gateway, 2);
  return 0;
}
