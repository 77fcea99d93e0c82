// SPDX-License-Identifier: Apache-2.0
#include "controlplane/intent/schema.hpp"

#include "controlplane/intent/fields.hpp"
#include "controlplane/intent/write.hpp"

namespace cp {
namespace {

constexpr std::string_view dialect = "https://json-schema.org/draft/2020-12/schema";
constexpr std::string_view name_pattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,30}$";
constexpr std::string_view link_address_pattern = "^[0-9A-Fa-f.:]+/[1-9][0-9]{0,2}$";
constexpr std::string_view mac_pattern = "^[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}$";

std::string number_bounds(const FieldInfo& field) {
  return R"("type":"integer","minimum":)" + std::to_string(field.least) + R"(,"maximum":)" +
         std::to_string(field.most);
}

// As people write them, or a bare number.
std::string measure_type(const FieldInfo& field, std::string_view units) {
  return R"("anyOf":[{)" + number_bounds(field) + R"(},{"type":"string","pattern":)" +
         json_string("^[0-9]+([.][0-9]+)?(" + std::string(units) + ")?$") + "}]";
}

std::string choices_of(const FieldInfo& field) {
  std::string words;
  for (const std::string_view choice : field.choices) {
    if (!words.empty()) words += ',';
    words += json_string(choice);
  }
  return R"("enum":[)" + words + "]";
}

std::string list_of(const FieldInfo& field, const std::string& items) {
  return R"("type":"array","uniqueItems":true,"maxItems":)" + std::to_string(items_max(field)) +
         R"(,"items":{)" + items + "}";
}

std::string name_type() {
  return R"("type":"string","pattern":)" + json_string(name_pattern);
}

std::string type_of(const FieldInfo& field) {
  switch (field.type) {
    case FieldType::name: return name_type();
    case FieldType::text: return R"("type":"string","minLength":1,"maxLength":255)";
    case FieldType::number: return number_bounds(field);
    case FieldType::mac: return R"("type":"string","pattern":)" + json_string(mac_pattern);
    case FieldType::ip: return R"("type":"string","anyOf":[{"format":"ipv4"},{"format":"ipv6"}])";
    case FieldType::dscp: return R"("anyOf":[{"const":"copy"},{)" + number_bounds(field) + "}]";
    case FieldType::name_list: return list_of(field, name_type());
    case FieldType::address_list:
      return list_of(field, R"("type":"string","pattern":)" + json_string(link_address_pattern));
    case FieldType::number_list: return list_of(field, number_bounds(field));
    case FieldType::choice_list: return list_of(field, choices_of(field));
    case FieldType::rate: return measure_type(field, "[KMGT]");
    case FieldType::bytes: return measure_type(field, "[KM]i?");
    case FieldType::share: return R"("type":"string","pattern":"^[0-9]+([.][0-9]+)?%$")";
    case FieldType::boolean: return R"("type":"boolean")";
    case FieldType::choice: return choices_of(field);
  }
  __builtin_unreachable();
}

// What the field is, for the editor that shows it.
std::string description_of(const FieldInfo& field) {
  std::string text(field.help);
  if (!field.unit.empty()) text += " Unit: " + std::string(field.unit) + ".";
  if (!field.initial.empty()) text += " Left out: " + std::string(field.initial) + ".";
  return json_string(text);
}

enum class State : std::uint8_t { absent, shown };

// Counters are named by the data plane and may become more.
constexpr std::string_view state_property =
    R"(,"owner":{"enum":["file","command"]})"
    R"(,"state":{"type":"object",)"
    R"("additionalProperties":{"type":["integer","string","object","null"]}})";

std::string object_body(ObjectKind kind, State state = State::absent) {
  std::string properties;
  std::string required;
  for (const FieldInfo& field : fields(kind)) {
    if (!properties.empty()) properties += ',';
    properties += json_string(field.name) + ":{" + type_of(field) + R"(,"description":)" +
                  description_of(field) + "}";
    if (!field.required) continue;
    if (!required.empty()) required += ',';
    required += json_string(field.name);
  }
  return R"("title":)" + json_string(singular(kind)) + R"(,"description":)" +
         json_string(help(kind)) + R"(,"type":"object","properties":{)" + properties +
         std::string(state == State::shown ? state_property : "") + R"(},"required":[)" + required +
         R"(],"additionalProperties":false)";
}

std::string head(std::string_view name) {
  return "{" + json_string("$schema") + ":" + json_string(dialect) + "," + json_string("$id") +
         ":" + json_string("urn:weir:schema:" + std::string(name)) + ",";
}

// The $defs of what is shown; f(kind, reference) for each kind.
template <class F>
std::string shown_definitions(F&& f) {
  std::string definitions;
  for (std::size_t i = 0; i < object_kind_count; ++i) {
    const auto kind = static_cast<ObjectKind>(i);
    f(kind, R"({"$ref":"#/$defs/)" + std::string(singular(kind)) + R"("})");
    definitions += (i == 0 ? "" : ",") + json_string(singular(kind)) + ":{" +
                   object_body(kind, State::shown) + "}";
  }
  return R"("$defs":{)" + definitions + "}}\n";
}

}  // namespace

std::string shown_object_schema() {
  std::string choices;
  const std::string definitions = shown_definitions([&](ObjectKind, const std::string& reference) {
    choices += (choices.empty() ? "" : ",") + reference;
  });
  return head("object") + R"("type":"object","oneOf":[)" + choices + "]," + definitions;
}

std::string shown_objects_schema() {
  std::string lists;
  const std::string definitions =
      shown_definitions([&](ObjectKind kind, const std::string& reference) {
        lists += (lists.empty() ? "" : ",") + json_string(plural(kind)) +
                 R"(:{"type":"array","items":)" + reference + "}";
      });
  return head("objects") +
         R"("type":"object","minProperties":1,"maxProperties":1,"additionalProperties":false,)"
         R"("properties":{)" +
         lists + "}," + definitions;
}

std::string object_schema(ObjectKind kind) {
  return head(singular(kind)) + object_body(kind) + "}\n";
}

std::string intent_schema() {
  std::string properties;
  std::string definitions;
  for (std::size_t i = 0; i < object_kind_count; ++i) {
    const auto kind = static_cast<ObjectKind>(i);
    const std::string comma = i == 0 ? "" : ",";
    properties += comma + json_string(plural(kind)) +
                  R"(:{"type":"array","items":{"$ref":"#/$defs/)" + std::string(singular(kind)) +
                  R"("}})";
    definitions += comma + json_string(singular(kind)) + ":{" + object_body(kind) + "}";
  }
  return head("intent") +
         R"("title":"intent","description":"What a Weir gateway is to do.","type":"object",)"
         R"("properties":{)" +
         properties + R"(},"additionalProperties":false,"$defs":{)" + definitions + "}}\n";
}

}  // namespace cp
