// SPDX-License-Identifier: Apache-2.0
// The frames of classic little-endian pcap files, for tests against captures.
#pragma once

#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace test {

using Bytes = std::vector<std::uint8_t>;

inline std::vector<Bytes> read_pcap(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const Bytes data{std::istreambuf_iterator<char>(file), {}};
  std::vector<Bytes> frames;
  for (std::size_t at = 24; at + 16 <= data.size();) {
    std::uint32_t captured;
    std::memcpy(&captured, data.data() + at + 8, sizeof captured);
    at += 16;
    if (captured > data.size() - at) break;
    frames.emplace_back(data.begin() + static_cast<std::ptrdiff_t>(at),
                        data.begin() + static_cast<std::ptrdiff_t>(at + captured));
    at += captured;
  }
  return frames;
}

inline void write_pcap(const std::string& path, const std::vector<Bytes>& frames) {
  std::ofstream file(path, std::ios::binary);
  const auto put = [&file](std::uint32_t word) {
    file.write(reinterpret_cast<const char*>(&word), sizeof word);
  };
  for (std::uint32_t word : {0xa1b2'c3d4u, 0x0004'0002u, 0u, 0u, 65535u, 1u}) put(word);
  for (const Bytes& frame : frames) {
    const auto bytes = static_cast<std::uint32_t>(frame.size());
    for (std::uint32_t word : {0u, 0u, bytes, bytes}) put(word);
    file.write(reinterpret_cast<const char*>(frame.data()), bytes);
  }
}

}  // namespace test
