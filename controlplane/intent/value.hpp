// SPDX-License-Identifier: Apache-2.0
// One value of a field ↔ its text, for all syntaxes. What a plain YAML scalar means is decided by
// the field's type and nothing else: 0x64 is no number, 02:00:00:00:00:01 no sexagesimal one, and
// a port may be called "no".
#pragma once

#include "controlplane/intent/fields.hpp"
#include "controlplane/intent/model.hpp"

#include <boost/describe.hpp>

#include <array>
#include <concepts>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

namespace cp {

// How a scalar was written.
enum class Form : std::uint8_t {
  plain,    // YAML without quotes, a word of a command line: the field's type decides.
  quoted,   // A string.
  number,   // JSON's.
  boolean,  // JSON's.
  null,     // JSON's.
};

struct Scalar {
  std::string_view text;
  Form form;
};

// What is wrong with a value: message and suggestion of the Error to be made.
struct ValueFault {
  std::string message;
  std::string suggestion = {};
};

// `text` for a message: quoted, without control characters, cut where it is long.
std::string shown(std::string_view text);
// "must be `what`, not …", as it was written.
std::string must_be(std::string_view what, const Scalar& scalar);

std::expected<std::uint64_t, ValueFault> parse_number(const Scalar& scalar, const FieldInfo& field);
std::expected<Name, ValueFault> parse_name(const Scalar& scalar, const FieldInfo& field);
std::expected<std::string, ValueFault> parse_text(const Scalar& scalar, const FieldInfo& field);
std::expected<base::MacAddress, ValueFault> parse_mac(const Scalar& scalar, const FieldInfo& field);
std::expected<base::IpAddress, ValueFault> parse_ip(const Scalar& scalar, const FieldInfo& field);
std::expected<LinkAddress, ValueFault> parse_link_address(const Scalar& scalar,
                                                          const FieldInfo& field);
std::expected<Dscp, ValueFault> parse_dscp(const Scalar& scalar, const FieldInfo& field);
// What stands behind their numbers is explained at their types (model.hpp).
std::expected<Rate, ValueFault> parse_rate(const Scalar& scalar, const FieldInfo& field);
std::expected<ByteCount, ValueFault> parse_bytes(const Scalar& scalar, const FieldInfo& field);
std::expected<Share, ValueFault> parse_share(const Scalar& scalar, const FieldInfo& field);
std::expected<bool, ValueFault> parse_boolean(const Scalar& scalar);
// The position in field.choices.
std::expected<std::size_t, ValueFault> parse_choice(const Scalar& scalar, const FieldInfo& field);

// A value as text, and whether JSON writes it without quotes.
struct ValueText {
  std::string text;
  bool bare;
};
ValueText text_of(const Dscp& dscp);
ValueText text_of(const LinkAddress& address);
ValueText text_of(const Rate& rate);
ValueText text_of(const ByteCount& count);
ValueText text_of(const Share& share);
inline ValueText text_of(const Name& name) {
  return {std::string(name.view()), false};
}
inline ValueText text_of(const std::string& text) {
  return {text, false};
}
inline ValueText text_of(const base::MacAddress& mac) {
  return {base::to_string(mac), false};
}
inline ValueText text_of(const base::IpAddress& ip) {
  return {base::to_string(ip), false};
}
template <std::unsigned_integral M>
ValueText text_of(M number) {
  if constexpr (std::same_as<M, bool>) {
    return {number ? "true" : "false", true};
  } else {
    return {std::to_string(number), true};
  }
}

template <class M>
concept Choice = std::is_enum_v<M>;

template <class M>
inline constexpr bool is_optional = false;
template <class M>
inline constexpr bool is_optional<std::optional<M>> = true;

template <class M>
inline constexpr bool is_list = false;
template <class M>
inline constexpr bool is_list<std::vector<M>> = true;

// What a member holds where it is not left out; of a list each item.
template <class M>
struct Held {
  using type = M;
};
template <class M>
struct Held<std::optional<M>> {
  using type = M;
};
template <class M>
struct Held<std::vector<M>> {
  using type = M;
};

// The words of a described enum, in order; its values count from 0.
template <Choice M>
std::span<const std::string_view> choices_of() {
  using Enumerators = boost::describe::describe_enumerators<M>;
  static constexpr auto words = []<class... E>(boost::mp11::mp_list<E...>) {
    return std::array<std::string_view, sizeof...(E)>{E::name...};
  }(boost::mp11::mp_rename<Enumerators, boost::mp11::mp_list>{});
  return words;
}

template <Choice M>
ValueText text_of(M choice) {
  return {std::string(choices_of<M>()[static_cast<std::size_t>(choice)]), false};
}

template <class M>
constexpr FieldType field_type() {
  if constexpr (is_optional<M>) {
    return field_type<typename M::value_type>();
  } else if constexpr (std::same_as<M, Name>) {
    return FieldType::name;
  } else if constexpr (std::same_as<M, std::string>) {
    return FieldType::text;
  } else if constexpr (std::same_as<M, bool>) {
    return FieldType::boolean;
  } else if constexpr (std::unsigned_integral<M>) {
    return FieldType::number;
  } else if constexpr (Choice<M>) {
    return FieldType::choice;
  } else if constexpr (std::same_as<M, base::MacAddress>) {
    return FieldType::mac;
  } else if constexpr (std::same_as<M, base::IpAddress>) {
    return FieldType::ip;
  } else if constexpr (std::same_as<M, Dscp>) {
    return FieldType::dscp;
  } else if constexpr (std::same_as<M, Rate>) {
    return FieldType::rate;
  } else if constexpr (std::same_as<M, ByteCount>) {
    return FieldType::bytes;
  } else if constexpr (std::same_as<M, Share>) {
    return FieldType::share;
  } else if constexpr (std::same_as<M, std::vector<LinkAddress>>) {
    return FieldType::address_list;
  } else if constexpr (std::same_as<M, std::vector<std::uint8_t>>) {
    return FieldType::number_list;
  } else if constexpr (is_list<M> && Choice<typename Held<M>::type>) {
    return FieldType::choice_list;
  } else {
    static_assert(std::same_as<M, std::vector<Name>>, "a new type of field needs its cases here");
    return FieldType::name_list;
  }
}

// Where the member holds nothing: was left out, or was never set.
template <class M>
bool is_absent(const M& value) {
  if constexpr (is_optional<M>) {
    return !value.has_value();
  } else if constexpr (requires { value.empty(); }) {
    return value.empty();
  } else {
    return false;
  }
}

// Reads a scalar into a member; lists are read item by item.
template <class M>
std::expected<M, ValueFault> parse_value(const Scalar& scalar, const FieldInfo& field) {
  if constexpr (is_optional<M>) {
    // What unsets an optional field: JSON's null, YAML's empty value, ~ and null.
    const bool none = scalar.form == Form::null ||
                      (scalar.form == Form::plain &&
                       (scalar.text.empty() || scalar.text == "~" || scalar.text == "null"));
    if (none) return M{};
    // Not by conversion, which an optional<bool> has none of.
    auto value = parse_value<typename M::value_type>(scalar, field);
    if (!value) return std::unexpected(std::move(value.error()));
    return M{std::move(*value)};
  } else if constexpr (std::same_as<M, LinkAddress>) {
    return parse_link_address(scalar, field);
  } else if constexpr (field_type<M>() == FieldType::name) {
    return parse_name(scalar, field);
  } else if constexpr (field_type<M>() == FieldType::text) {
    return parse_text(scalar, field);
  } else if constexpr (field_type<M>() == FieldType::mac) {
    return parse_mac(scalar, field);
  } else if constexpr (field_type<M>() == FieldType::ip) {
    return parse_ip(scalar, field);
  } else if constexpr (field_type<M>() == FieldType::dscp) {
    return parse_dscp(scalar, field);
  } else if constexpr (field_type<M>() == FieldType::rate) {
    return parse_rate(scalar, field);
  } else if constexpr (field_type<M>() == FieldType::bytes) {
    return parse_bytes(scalar, field);
  } else if constexpr (field_type<M>() == FieldType::share) {
    return parse_share(scalar, field);
  } else if constexpr (field_type<M>() == FieldType::boolean) {
    return parse_boolean(scalar);
  } else if constexpr (field_type<M>() == FieldType::choice) {
    const auto choice = parse_choice(scalar, field);
    if (!choice) return std::unexpected(choice.error());
    return static_cast<M>(*choice);
  } else {
    // The described range lies within the member's type.
    const auto number = parse_number(scalar, field);
    if (!number) return std::unexpected(number.error());
    return static_cast<M>(*number);
  }
}

}  // namespace cp
