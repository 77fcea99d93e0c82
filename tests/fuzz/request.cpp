// SPDX-License-Identifier: Apache-2.0
// What a client of the API may write into a request's target, or into the body that asks for a
// trace or patches the intent; and a kept difference that is none.
#include "controlplane/api/http.hpp"
#include "controlplane/api/patch.hpp"
#include "controlplane/api/traces.hpp"
#include "controlplane/intent/write.hpp"
#include "controlplane/store/difference.hpp"
#include "dataplane/base/check.hpp"

#include <boost/json/parse.hpp>

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

  cp::Intent intent;
  intent.networks.push_back({.name = *cp::Name::make("blue"), .vni = 100, .flood = {}});
  const auto patched = cp::apply_patch(boost::json::parse(cp::to_json(intent)), text);
  CHECK(patched || !patched.error().front().message.empty());
  const auto changed = cp::apply_difference(intent, text);
  CHECK(!changed ||
        cp::apply_difference(*changed, cp::write_difference(*changed, intent)) == intent);
  return 0;
}
