// SPDX-License-Identifier: Apache-2.0
// The reader of weir-pktgen's profiles on any text: what it refuses has a place, and what it
// accepts can be generated, as frames that are right.
#include "dataplane/base/check.hpp"
#include "tools/pktgen/generate/generator.hpp"
#include "tools/pktgen/profile/messages.hpp"
#include "tools/pktgen/profile/read.hpp"
#include "tools/pktgen/roce/parse.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace {

using namespace pktgen;

void generate(const Profile& profile) {
  const Mix mix = make_mix(profile);
  CHECK(mix.slots.size() == slot_count(profile));
  Generator generator(profile, mix);
  for (int i = 0; i < 64; ++i) {
    const NextFrame next = generator.next();
    std::vector<std::uint8_t> frame(next.frame->bytes());
    next.frame->write(frame.data(), next.fields);
    const auto tunnel = parse_tunnel(frame);
    CHECK(tunnel.has_value() == profile.tunnel.present);
    const auto parsed = parse_frame(tunnel ? tunnel->inner : frame);
    CHECK(parsed && icrc_holds(*parsed) && parsed->packet.opcode == next.opcode);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto profile = read_profile(text, "profile.yaml");
  if (!profile) {
    CHECK(!profile.error().empty());
    for (const cp::Error& error : profile.error()) CHECK(error.place.line > 0);
    return 0;
  }
  if (profile->mode == Mode::generate) {
    generate(*profile);
  } else {
    CHECK(!transports_in_turn(*profile).empty());
  }
  return 0;
}
