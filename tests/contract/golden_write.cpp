// SPDX-License-Identifier: Apache-2.0
// Writes what a release keeps of the contract into its folder: golden_write FOLDER. A file that is
// there already is compared, never written: it is what the release did.
#include "tests/contract/golden_parts.hpp"
#include "tests/contract/samples.hpp"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace {

using test::Sample;

test::Frames frames_of(std::vector<Sample> samples) {
  test::Frames frames;
  for (Sample& sample : samples) frames.emplace(sample.name, std::move(sample.frame));
  return frames;
}

std::string digests_of(const std::vector<Sample>& samples) {
  std::string text;
  for (const Sample& sample : samples) {
    const std::uint64_t digest = test::digest_of(test::record_of(sample.frame, 0));
    text += std::string(sample.name) + " " + std::to_string(digest) + "\n";
  }
  return text;
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// False: the folder has another one.
bool keep(const std::filesystem::path& path, const std::string& bytes) {
  if (!std::filesystem::exists(path)) {
    std::ofstream(path, std::ios::binary) << bytes;
    return true;
  }
  const bool same = read_file(path) == bytes;
  if (!same) std::fprintf(stderr, "%s is of a release and differs; it stays\n", path.c_str());
  return same;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: golden_write FOLDER\n");
    return 2;
  }
  const std::filesystem::path folder = argv[1];
  std::filesystem::create_directories(folder);

  test::GoldenRegion region = test::GoldenRegion::make();
  const auto view = contract::RegionView::open(region.bytes());
  const std::string region_bytes(reinterpret_cast<const char*>(region.bytes().data()),
                                 region.bytes().size());
  const std::filesystem::path table = folder / "table.new";
  test::write_golden_table(table);
  const std::string table_bytes = read_file(table);
  std::filesystem::remove(table);

  bool same = keep(folder / "commands.hex", test::to_text(frames_of(test::command_samples())));
  same &= keep(folder / "events.hex", test::to_text(frames_of(test::event_samples())));
  same &= keep(folder / "digests.txt", digests_of(test::command_samples()));
  same &= keep(folder / "region.bin", region_bytes);
  same &= keep(folder / "region.txt", test::list_region(*view));
  same &= keep(folder / "endpoints.table", table_bytes);
  return same ? 0 : 1;
}
