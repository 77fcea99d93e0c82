// SPDX-License-Identifier: Apache-2.0
// The readers of intent on any text. What they accept, they must read again from what they write.
#include "controlplane/intent/read.hpp"
#include "controlplane/intent/write.hpp"
#include "dataplane/base/check.hpp"

#include <cstdint>
#include <string_view>

#ifndef WEIR_SYNTAX
#error "WEIR_SYNTAX is yaml or json"
#endif

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)cp::guess_syntax(text);
  const auto intent = cp::read_intent(text, cp::Syntax::WEIR_SYNTAX);
  for (const auto kind : {cp::ObjectKind::port, cp::ObjectKind::vtep, cp::ObjectKind::network,
                          cp::ObjectKind::endpoint, cp::ObjectKind::next_hop,
                          cp::ObjectKind::host_rule, cp::ObjectKind::queue}) {
    const auto object = cp::read_object(kind, text, cp::Syntax::WEIR_SYNTAX);
    if (!object) continue;
    const auto again = cp::read_object(kind, cp::to_json(*object), cp::Syntax::json);
    CHECK(again.has_value() && *again == *object);
  }
  if (!intent) {
    CHECK(!intent.error().empty());
    return 0;
  }
  const auto from_json = cp::read_intent(cp::to_json(*intent), cp::Syntax::json);
  CHECK(from_json.has_value() && *from_json == *intent);
  const auto from_yaml = cp::read_intent(cp::to_yaml(*intent), cp::Syntax::yaml);
  CHECK(from_yaml.has_value() && *from_yaml == *intent);
  return 0;
}
