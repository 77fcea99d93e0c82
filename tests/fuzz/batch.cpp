// SPDX-License-Identifier: Apache-2.0
// The reader of batch files (`weir -f`) on any text: what it accepts is a document that the API can
// read, and what it refuses has a line.
#include "controlplane/cli/edit.hpp"
#include "dataplane/base/check.hpp"

#include <boost/json/parse.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto edits = cp::parse_batch(text);
  if (!edits) {
    CHECK(edits.error().place.line > 0);
    return 0;
  }
  boost::system::error_code wrong;
  const auto document = boost::json::parse(cp::batch_body(*edits), wrong);
  // Bytes that are no UTF-8 are the API's to refuse.
  CHECK(wrong || document.is_object() || document.is_array());
  return 0;
}
