// SPDX-License-Identifier: Apache-2.0
#include "controlplane/intent/fields.hpp"

#include "controlplane/intent/describe.hpp"
#include "controlplane/intent/value.hpp"

#include <algorithm>

namespace cp {
namespace {

template <class T>
auto make_fields() {
  std::array<FieldInfo, field_count<T>> result{};
  for_each_field<T>(
      [&]<std::size_t I, class M>(std::string_view name, M T::*, const FieldText& text) {
        FieldInfo info{.name = name,
                       .type = field_type<M>(),
                       .help = text.help,
                       .unit = text.unit,
                       .least = text.least,
                       .most = text.most,
                       .choices = {},
                       .initial = text.initial,
                       .example = text.example,
                       .refers_to = text.refers_to,
                       .required = text.required,
                       .key = text.key};
        using Value = typename Held<M>::type;
        if constexpr (Choice<Value>) info.choices = choices_of<Value>();
        result[I] = info;
      });
  return result;
}

template <class T>
std::span<const FieldInfo> fields_of() {
  static const auto result = make_fields<T>();
  return result;
}

Error error_of(const Object& object, std::string_view field, ValueFault fault) {
  return {.code = base::Errc::invalid_argument,
          .message = std::move(fault.message),
          .object = title_of(object),
          .field = std::string(field),
          .file = {},
          .place = {},
          .suggestion = std::move(fault.suggestion)};
}

// "gw2,gw3", also with blanks.
template <class Item>
std::expected<std::vector<Item>, ValueFault> parse_list(std::string_view text,
                                                        const FieldInfo& field) {
  std::vector<Item> items;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find_first_of(", "), text.size());
    if (end > 0) {
      auto item = parse_value<Item>({.text = text.substr(0, end), .form = Form::plain}, field);
      if (!item) return std::unexpected(item.error());
      items.push_back(std::move(*item));
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return items;
}

template <class M>
std::expected<M, ValueFault> parse_words(std::string_view text, const FieldInfo& field) {
  if constexpr (is_list<M>) {
    return parse_list<typename M::value_type>(text, field);
  } else {
    if (text.empty() && field.required) return std::unexpected(ValueFault{"must have a value"});
    if (text.empty()) return M{};
    return parse_value<M>({.text = text, .form = Form::plain}, field);
  }
}

template <class M>
std::string words_of(const M& value) {
  if constexpr (is_optional<M>) {
    return text_of(*value).text;
  } else if constexpr (is_list<M>) {
    std::string text;
    for (const auto& item : value) {
      if (!text.empty()) text += ",";
      text += text_of(item).text;
    }
    return text;
  } else {
    return text_of(value).text;
  }
}

}  // namespace

std::span<const FieldInfo> fields(ObjectKind kind) {
  return visit_kind(kind, []<class T>(std::type_identity<T>) { return fields_of<T>(); });
}

const FieldInfo* find_field(ObjectKind kind, std::string_view name) {
  for (const FieldInfo& field : fields(kind)) {
    if (field.name == name) return &field;
  }
  return nullptr;
}

std::string_view help(ObjectKind kind) noexcept {
  return visit_kind(kind, []<class T>(std::type_identity<T>) { return Description<T>::help; });
}

std::string range_text(const FieldInfo& field) {
  std::string numbers = std::to_string(field.least) + ".." + std::to_string(field.most);
  switch (field.type) {
    case FieldType::name:
      if (field.refers_to) return "name of " + with_article(*field.refers_to);
      return "1..31 letters, digits and . _ -";
    case FieldType::text: return "text";
    case FieldType::number: return numbers;
    case FieldType::mac: return "MAC address";
    case FieldType::ip: return "IP address";
    case FieldType::dscp: return "copy | " + numbers;
    case FieldType::name_list:
      return numbers + " names of " + std::string(plural(field.refers_to.value()));
    case FieldType::address_list: return numbers + " addresses with prefix lengths";
    case FieldType::rate:
      return text_of(Rate{field.least}).text + ".." + text_of(Rate{field.most}).text;
    case FieldType::bytes:
      return text_of(ByteCount{field.least}).text + ".." + text_of(ByteCount{field.most}).text;
    case FieldType::share:
      return text_of(Share{static_cast<std::uint32_t>(field.least)}).text + ".." +
             text_of(Share{static_cast<std::uint32_t>(field.most)}).text;
    case FieldType::boolean: return "true | false";
    case FieldType::number_list: return "numbers " + numbers;
    case FieldType::choice:
    case FieldType::choice_list: break;
  }
  std::string text;
  for (const std::string_view choice : field.choices) {
    if (!text.empty()) text += " | ";
    text += choice;
  }
  return text;
}

bool is_list_type(FieldType type) noexcept {
  return type == FieldType::name_list || type == FieldType::address_list ||
         type == FieldType::number_list || type == FieldType::choice_list;
}

std::size_t items_max(const FieldInfo& field) noexcept {
  if (field.type == FieldType::number_list) return field.most - field.least + 1;
  if (field.type == FieldType::choice_list) return field.choices.size();
  return field.most;
}

std::string_view items_of(const FieldInfo& field) noexcept {
  if (field.type == FieldType::number_list) return "numbers";
  if (field.type == FieldType::choice_list) return "words";
  return field.type == FieldType::name_list ? "names" : "addresses";
}

Status set_field(Object& object, std::string_view field, std::string_view text) {
  const FieldInfo* info = find_field(kind_of(object), field);
  if (info == nullptr) {
    std::vector<std::string_view> names;
    for (const FieldInfo& other : fields(kind_of(object))) names.push_back(other.name);
    return fail({.code = base::Errc::not_found,
                 .message = with_article(kind_of(object)) + " has no such field",
                 .object = title_of(object),
                 .field = std::string(field),
                 .file = {},
                 .place = {},
                 .suggestion = nearest(field, names)});
  }
  std::optional<ValueFault> fault;
  std::visit(
      [&]<class T>(T& concrete) {
        for_each_field<T>(
            [&]<std::size_t I, class M>(std::string_view name, M T::* member, const FieldText&) {
              if (name != field) return;
              auto value = parse_words<M>(text, *info);
              if (value) {
                concrete.*member = std::move(*value);
              } else {
                fault = std::move(value.error());
              }
            });
      },
      object);
  if (fault) return fail(error_of(object, field, std::move(*fault)));
  return {};
}

std::optional<std::string> field_text(const Object& object, std::string_view field) {
  std::optional<std::string> result;
  std::visit(
      [&]<class T>(const T& concrete) {
        for_each_field<T>(
            [&]<std::size_t I, class M>(std::string_view name, M T::* member, const FieldText&) {
              if (name == field && !is_absent(concrete.*member))
                result = words_of(concrete.*member);
            });
      },
      object);
  return result;
}

Object make_object(ObjectKind kind) {
  return visit_kind(kind, []<class T>(std::type_identity<T>) { return Object(T{}); });
}

Result<Object> with_key(ObjectKind kind, std::string_view key) {
  Object object = make_object(kind);
  std::vector<const FieldInfo*> parts;
  for (const FieldInfo& field : fields(kind)) {
    if (field.key) parts.push_back(&field);
  }
  if (parts.size() == 1) {
    const auto set = set_field(object, parts[0]->name, key);
    if (!set) return std::unexpected(set.error());
    return object;
  }
  const std::size_t slash = std::min(key.find('/'), key.size());
  if (slash == key.size()) {
    return fail({.code = base::Errc::invalid_argument,
                 .message = with_article(kind) + " is called " + std::string(parts[0]->name) + "/" +
                            std::string(parts[1]->name) + ", like " +
                            std::string(parts[0]->example) + "/" + std::string(parts[1]->example) +
                            ", not " + shown(key),
                 .object = {},
                 .field = {},
                 .file = {},
                 .place = {},
                 .suggestion = {}});
  }
  auto set = set_field(object, parts[0]->name, key.substr(0, slash));
  if (set) set = set_field(object, parts[1]->name, key.substr(slash + 1));
  if (!set) return std::unexpected(set.error());
  return object;
}

}  // namespace cp
