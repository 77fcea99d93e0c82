// SPDX-License-Identifier: Apache-2.0
#include "controlplane/intent/read.hpp"

#include "controlplane/intent/document.hpp"

namespace cp {
namespace {

void feed(std::string_view text, Syntax syntax, const ReadOptions& options, Document& document) {
  if (text.size() > options.bytes_max) {
    document.refuse({},
                    "has " + std::to_string(text.size()) + " bytes; at most " +
                        std::to_string(options.bytes_max) + " are read",
                    {}, base::Errc::unsupported);
    return;
  }
  switch (syntax) {
    case Syntax::json: feed_json(text, document); break;
    case Syntax::yaml: feed_yaml(text, document); break;
  }
}

FieldMask key_mask(ObjectKind kind) {
  FieldMask mask = 0;
  const auto list = fields(kind);
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (list[i].key) mask |= FieldMask{1} << i;
  }
  return mask;
}

}  // namespace

Syntax guess_syntax(std::string_view text) noexcept {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first == text.npos || text[first] != '{') return Syntax::yaml;
  // JSON's first key is quoted, and only JSON's object may be followed by nothing but "}".
  const std::size_t second = text.find_first_not_of(" \t\r\n", first + 1);
  const bool is_json = second != text.npos && (text[second] == '"' || text[second] == '}');
  return is_json ? Syntax::json : Syntax::yaml;
}

Result<Intent> read_intent(std::string_view text, Syntax syntax, const ReadOptions& options) {
  Document document(options);
  feed(text, syntax, options, document);
  return document.take_intent();
}

Result<Object> read_object(ObjectKind kind, std::string_view text, Syntax syntax,
                           const ReadOptions& options) {
  Object start = make_object(kind);
  FieldMask fixed = 0;
  if (!options.key.empty()) {
    auto keyed = with_key(kind, options.key);
    if (!keyed) return std::unexpected(std::move(keyed.error()));
    start = std::move(*keyed);
    fixed = key_mask(kind);
  }
  Document document(options, std::move(start), fixed, fixed);
  feed(text, syntax, options, document);
  return document.take_object();
}

Result<Object> read_object_onto(Object start, std::string_view text, Syntax syntax,
                                const ReadOptions& options) {
  const FieldMask fixed = key_mask(kind_of(start));
  Document document(options, std::move(start), ~FieldMask{0}, fixed);
  feed(text, syntax, options, document);
  return document.take_object();
}

}  // namespace cp
