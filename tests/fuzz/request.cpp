// SPDX-License-Identifier: Apache-2.0
// What a client of the API may write into a request's target, or into the body that asks for a
// trace.
#include "controlplane/api/http.hpp"
#include "controlplane/api/traces.hpp"
#include "dataplane/base/check.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  cp::HttpRequest request;
  cp::set_target(request, text);
  CHECK(request.path.size() <= text.size());
  CHECK(cp::decode_percent(text).size() <= text.size());

  cp::Traces traces;
  const auto trace = traces.add(text, cp::Allocation{});
  CHECK(!trace || (trace->count >= 1 && trace->count <= contract::trace_count_max));
  return 0;
}
