// SPDX-License-Identifier: Apache-2.0
#include "controlplane/intent/value.hpp"

#include "dataplane/contract/limits.hpp"

#include <charconv>

namespace cp {
namespace {

std::unexpected<ValueFault> wrong(std::string message, std::string suggestion = {}) {
  return std::unexpected(
      ValueFault{.message = std::move(message), .suggestion = std::move(suggestion)});
}

bool is_text(const Scalar& scalar) noexcept {
  return scalar.form == Form::plain || scalar.form == Form::quoted;
}

bool all_digits(std::string_view text) noexcept {
  return !text.empty() && text.find_first_not_of("0123456789") == text.npos;
}

std::string number_range(const FieldInfo& field) {
  std::string text = "a number " + std::to_string(field.least) + ".." + std::to_string(field.most);
  if (!field.unit.empty()) text += " (" + std::string(field.unit) + ")";
  return text;
}

// 0x64 → "100": what the writer of another notation most probably meant.
std::string decimal_of(std::string_view text) {
  int base = 10;
  if (text.starts_with("0x") || text.starts_with("0X")) {
    base = 16;
    text.remove_prefix(2);
  }
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc{} || end != text.data() + text.size()) return {};
  return std::to_string(value);
}

}  // namespace

std::string must_be(std::string_view what, const Scalar& scalar) {
  std::string found;
  switch (scalar.form) {
    case Form::plain: found = scalar.text.empty() ? "nothing" : shown(scalar.text); break;
    case Form::quoted: found = "the text " + shown(scalar.text); break;
    case Form::number:
    case Form::boolean: found = std::string(scalar.text); break;
    case Form::null: found = "null"; break;
  }
  return "must be " + std::string(what) + ", not " + found;
}

std::string shown(std::string_view text) {
  constexpr std::size_t shown_max = 60;
  std::string result = "\"";
  for (const char c : text.substr(0, shown_max)) {
    result += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
  }
  // A UTF-8 character is never cut in its middle.
  if (text.size() > shown_max) {
    while ((static_cast<unsigned char>(result.back()) & 0xc0) == 0x80) result.pop_back();
    if (static_cast<unsigned char>(result.back()) >= 0xc0) result.pop_back();
    result += "…";
  }
  return result + "\"";
}

std::expected<std::uint64_t, ValueFault> parse_number(const Scalar& scalar,
                                                      const FieldInfo& field) {
  const std::string_view text = scalar.text;
  if (scalar.form != Form::plain && scalar.form != Form::number) {
    return wrong(must_be(number_range(field), scalar),
                 scalar.form == Form::quoted && all_digits(text) ? std::string(text) : "");
  }
  const bool other_notation = text.starts_with("0x") || text.starts_with("0X") ||
                              (all_digits(text) && text.size() > 1 && text[0] == '0');
  if (other_notation) {
    return wrong(must_be("written in decimal without leading zeros", scalar), decimal_of(text));
  }
  if (!all_digits(text)) {
    const bool negative = text.size() > 1 && text[0] == '-' && all_digits(text.substr(1));
    return wrong(must_be(number_range(field), scalar), negative ? std::to_string(field.least) : "");
  }
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || value > field.most) {
    return wrong(must_be(number_range(field), scalar), std::to_string(field.most));
  }
  if (value < field.least) {
    return wrong(must_be(number_range(field), scalar), std::to_string(field.least));
  }
  return value;
}

std::expected<Name, ValueFault> parse_name(const Scalar& scalar, const FieldInfo& field) {
  const std::string what =
      field.refers_to ? "the name of " + with_article(*field.refers_to) : "a name";
  if (!is_text(scalar)) return wrong(must_be(what, scalar));
  auto name = Name::make(scalar.text);
  if (!name) {
    return wrong(must_be(what, scalar) +
                 " (1 to 31 letters, digits and . _ -, a letter or digit first)");
  }
  return std::move(*name);
}

std::expected<std::string, ValueFault> parse_text(const Scalar& scalar, const FieldInfo&) {
  constexpr std::size_t size_max = contract::device_bytes - 1;
  if (!is_text(scalar) || scalar.text.empty()) return wrong(must_be("a text", scalar));
  if (scalar.text.size() > size_max) {
    return wrong("must have at most " + std::to_string(size_max) + " characters, not " +
                 std::to_string(scalar.text.size()));
  }
  for (const char c : scalar.text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte > 0x7e) {
      return wrong(must_be("printable ASCII without line breaks", scalar));
    }
  }
  return std::string(scalar.text);
}

std::expected<base::MacAddress, ValueFault> parse_mac(const Scalar& scalar, const FieldInfo&) {
  constexpr std::string_view what = "a MAC address like 02:00:00:00:0a:01";
  if (!is_text(scalar)) return wrong(must_be(what, scalar));
  if (const auto mac = base::parse_mac(scalar.text)) return *mac;
  // Cisco's and Windows' spellings and left-out zeros are not read, but understood.
  std::string digits;
  for (const char c : scalar.text) {
    if (c != ':' && c != '-' && c != '.') digits += c;
  }
  if (digits.size() == 12) {
    for (std::size_t at = 10; at >= 2; at -= 2) digits.insert(at, ":");
    if (base::parse_mac(digits)) return wrong(must_be(what, scalar), digits);
  }
  return wrong(must_be(what, scalar));
}

std::expected<base::IpAddress, ValueFault> parse_ip(const Scalar& scalar, const FieldInfo&) {
  constexpr std::string_view what = "an IP address like 198.18.0.1";
  if (!is_text(scalar)) return wrong(must_be(what, scalar));
  if (const auto ip = base::parse_ip(scalar.text)) return *ip;
  const std::string_view address = scalar.text.substr(0, scalar.text.find('/'));
  return wrong(must_be(what, scalar), base::parse_ip(address) ? std::string(address) : "");
}

std::expected<LinkAddress, ValueFault> parse_link_address(const Scalar& scalar, const FieldInfo&) {
  constexpr std::string_view what =
      "an address with its prefix length like 198.18.0.1/31 or fd00::1/127";
  const std::size_t slash = std::min(scalar.text.find('/'), scalar.text.size());
  const auto address =
      is_text(scalar) ? base::parse_ip(scalar.text.substr(0, slash)) : std::nullopt;
  if (!address) return wrong(must_be(what, scalar));
  // What a link between two gateways has where nothing else is known.
  const std::string point_to_point =
      base::to_string(*address) + (address->is_v4() ? "/31" : "/127");
  const std::string_view digits = scalar.text.substr(std::min(slash + 1, scalar.text.size()));
  const std::uint64_t most = address->is_v4() ? 32 : 128;
  std::uint64_t length = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
  if (error != std::errc{} || end != digits.data() + digits.size() || length == 0 ||
      length > most || digits[0] == '0') {
    return wrong(must_be(what, scalar), point_to_point);
  }
  return LinkAddress{.address = *address, .prefix_length = static_cast<std::uint8_t>(length)};
}

std::expected<Dscp, ValueFault> parse_dscp(const Scalar& scalar, const FieldInfo& field) {
  if (is_text(scalar) && scalar.text == "copy") return Dscp{};
  if (const auto number = parse_number(scalar, field)) {
    return Dscp{.pinned = static_cast<std::uint8_t>(*number)};
  } else {
    std::string near = number.error().suggestion;
    if (near.empty()) near = nearest(scalar.text, {"copy"});
    return wrong(must_be(range_text(field), scalar), near);
  }
}

std::expected<std::size_t, ValueFault> parse_choice(const Scalar& scalar, const FieldInfo& field) {
  if (is_text(scalar)) {
    for (std::size_t i = 0; i < field.choices.size(); ++i) {
      if (scalar.text == field.choices[i]) return i;
    }
  }
  return wrong(must_be(range_text(field), scalar),
               nearest(scalar.text, {field.choices.begin(), field.choices.end()}));
}

ValueText text_of(const LinkAddress& address) {
  return {base::to_string(address.address) + "/" + std::to_string(address.prefix_length), false};
}

ValueText text_of(const Dscp& dscp) {
  if (dscp.pinned) return {std::to_string(*dscp.pinned), true};
  return {"copy", false};
}

}  // namespace cp
