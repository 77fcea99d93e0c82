// SPDX-License-Identifier: Apache-2.0
// The reader of the counter region on bytes that a data plane of another release, or a broken one,
// might have left: a sound region with some bytes replaced, or nothing but the fuzzer's.
#include "dataplane/contract/region.hpp"

#include "tests/fuzz/input.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace {

std::vector<std::uint64_t> sound_region() {
  const contract::RegionShape shape{.worker_count = 2,
                                    .port_count = 2,
                                    .network_count = 2,
                                    .vtep_count = 2,
                                    .next_hop_count = 2,
                                    .neighbour_count = 2,
                                    .stages = {"transit/pick_peer", "transit/transmit"}};
  std::vector<std::uint64_t> words(contract::lay_out(shape).total_bytes / 8);
  contract::describe_region(std::as_writable_bytes(std::span(words)), shape);
  return words;
}

void read_everything(const contract::RegionView& view) {
  for (const contract::Field& field : view.fields()) {
    for (const std::uint32_t at : {0u, 1u, 7u, 0xffff'ffffu}) {
      std::array<std::uint32_t, contract::dimension_count_max> indices;
      indices.fill(at);
      const auto given =
          std::span(indices).first(std::min<std::size_t>(field.dimension_count, indices.size()));
      (void)view.value(field, given);
      (void)view.text(field, given);
    }
    for (std::uint32_t i = 0; i < contract::dimension_count_max; ++i) {
      (void)view.label(field.dimensions[i].label_list, 0);
      (void)view.label(field.dimensions[i].label_list, 0xffff'ffff);
    }
  }
  for (const std::uint32_t worker : {0u, 1u, 2u, 0xffff'ffffu}) (void)view.read_totals(worker);
  (void)view.find("worker.rx");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::vector<std::uint64_t> sound = sound_region();
  fuzz::Input input(data, size);
  std::vector<std::uint64_t> words;
  std::size_t bytes = 0;
  if ((input.byte() & 1) != 0) {
    const auto raw = input.take_all();
    bytes = raw.size();
    words.resize(bytes / 8 + 1);
    std::ranges::copy(raw, reinterpret_cast<std::uint8_t*>(words.data()));
  } else {
    // The description is where the reader believes what it is told: the first 64 KB.
    words = sound;
    bytes = words.size() * 8 - input.byte();
    while (!input.empty()) {
      const std::uint16_t offset = input.number();
      const std::uint8_t value = input.byte();
      if (offset < bytes) reinterpret_cast<std::uint8_t*>(words.data())[offset] = value;
    }
  }
  // A copy of exactly this size, so that the sanitizer sees its end.
  std::vector<std::uint64_t> memory((bytes + 7) / 8);
  if (bytes > 0) std::memcpy(memory.data(), words.data(), bytes);
  const auto view = contract::RegionView::open(std::as_bytes(std::span(memory)).first(bytes));
  if (view) read_everything(*view);
  return 0;
}
