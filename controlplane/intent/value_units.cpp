// SPDX-License-Identifier: Apache-2.0
// Values that engineers write with a unit: rates, bytes, shares. One grammar: digits, perhaps a
// point and more digits, and the unit's letters without a blank. What others write is understood,
// refused, and answered with what it would be here.
#include "controlplane/intent/value.hpp"

#include <array>

namespace cp {
namespace {

__extension__ using Wide = unsigned __int128;

struct Unit {
  std::string_view suffix;
  std::uint64_t factor;
};

// The empty suffix last: it ends every text.
constexpr std::array rate_units{Unit{"T", 1'000'000'000'000}, Unit{"G", 1'000'000'000},
                                Unit{"M", 1'000'000}, Unit{"K", 1'000}, Unit{"", 1}};
// From the coarsest to the finest; a count is written in the first that leaves no rest.
constexpr std::array byte_units{Unit{"M", 1'000'000}, Unit{"Mi", 1'048'576}, Unit{"K", 1'000},
                                Unit{"Ki", 1'024}, Unit{"", 1}};
constexpr std::array share_units{Unit{"%", 10'000}};

constexpr std::size_t digits_max = 12;  // On either side of the point: 10^12 bits a second.

bool few_digits(std::string_view text) noexcept {
  return !text.empty() && text.size() <= digits_max &&
         text.find_first_not_of("0123456789") == text.npos;
}

std::uint64_t number_of(std::string_view digits) noexcept {
  std::uint64_t number = 0;
  for (const char c : digits) number = number * 10 + static_cast<std::uint64_t>(c - '0');
  return number;
}

// "2.5" of units of `factor`; nullopt where it is no such number, or none without a rest.
std::optional<std::uint64_t> scale(std::string_view text, std::uint64_t factor) noexcept {
  const std::size_t point = text.find('.');
  const std::string_view whole = text.substr(0, point);
  if (!few_digits(whole) || (whole.size() > 1 && whole[0] == '0')) return std::nullopt;
  Wide value = Wide{number_of(whole)} * factor;
  if (point != text.npos) {
    const std::string_view part = text.substr(point + 1);
    if (!few_digits(part)) return std::nullopt;
    Wide of_ten = 1;
    for (std::size_t i = 0; i < part.size(); ++i) of_ten *= 10;
    const Wide scaled = Wide{number_of(part)} * factor;
    if (scaled % of_ten != 0) return std::nullopt;
    value += scaled / of_ten;
  }
  if (value > UINT64_MAX) return std::nullopt;
  return static_cast<std::uint64_t>(value);
}

template <std::size_t N>
std::optional<std::uint64_t> read(std::string_view text, const std::array<Unit, N>& units) {
  for (const Unit& unit : units) {
    if (text.ends_with(unit.suffix)) {
      text.remove_suffix(unit.suffix.size());
      return scale(text, unit.factor);
    }
  }
  return std::nullopt;
}

// "10 gbit/s", "64KB", "5 percent" as they would be here; what is no better is left alone.
std::string in_our_words(std::string_view text, bool is_share) {
  std::string words;
  for (const char c : text.substr(0, 40)) {
    if (c == ' ') continue;
    words += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  for (const std::string_view tail : {"it/s", "itps", "its", "it", "/s", "ps", "ytes", "yte"}) {
    if (!words.ends_with(tail)) continue;
    words.resize(words.size() - tail.size());
    break;
  }
  if (words.ends_with("percent")) words.resize(words.size() - std::string_view("percent").size());
  if (words.ends_with('b')) words.pop_back();
  if (is_share && !words.ends_with('%')) {
    // Whether 0.05 is 5 % or 0.05 %, nobody knows.
    return words.starts_with('0') ? "" : words + "%";
  }
  for (char& c : words) {
    if (c == 'k' || c == 'm' || c == 'g' || c == 't') c = static_cast<char>(c - 'a' + 'A');
  }
  return words;
}

template <class T, std::size_t N>
std::expected<T, ValueFault> parse(const Scalar& scalar, const FieldInfo& field,
                                   const std::array<Unit, N>& units, std::string_view what,
                                   T (*make)(std::uint64_t)) {
  const bool takes_numbers = units.back().suffix.empty();
  const bool takes = scalar.form == Form::plain || scalar.form == Form::quoted ||
                     (scalar.form == Form::number && takes_numbers);
  const auto value = takes ? read(scalar.text, units) : std::nullopt;
  const std::uint64_t number = value.value_or(0);
  const bool good = value.has_value();
  if (good && number >= field.least && number <= field.most) return make(number);
  ValueFault fault{.message = must_be(std::string(what) + " " + range_text(field) + ", like " +
                                          std::string(field.example),
                                      scalar)};
  if (good) {
    fault.suggestion = text_of(make(number < field.least ? field.least : field.most)).text;
  } else if (const auto near = read(in_our_words(scalar.text, !takes_numbers), units);
             near && *near >= field.least && *near <= field.most) {
    fault.suggestion = text_of(make(*near)).text;
  }
  return std::unexpected(std::move(fault));
}

// "2.5" where `value` is 2,500 thousandths.
std::string with_point(std::uint64_t value, std::uint64_t of_one) {
  std::string text = std::to_string(value / of_one);
  std::uint64_t rest = value % of_one;
  if (rest == 0) return text;
  text += '.';
  for (; rest != 0; rest %= of_one) {
    of_one /= 10;
    text += static_cast<char>('0' + rest / of_one);
  }
  return text;
}

}  // namespace

std::expected<Rate, ValueFault> parse_rate(const Scalar& scalar, const FieldInfo& field) {
  return parse<Rate>(scalar, field, rate_units, "a rate in bits a second",
                     [](std::uint64_t value) { return Rate{value}; });
}

std::expected<ByteCount, ValueFault> parse_bytes(const Scalar& scalar, const FieldInfo& field) {
  return parse<ByteCount>(scalar, field, byte_units, "a number of bytes",
                          [](std::uint64_t value) { return ByteCount{value}; });
}

std::expected<Share, ValueFault> parse_share(const Scalar& scalar, const FieldInfo& field) {
  return parse<Share>(scalar, field, share_units, "a share",
                      [](std::uint64_t value) { return Share{static_cast<std::uint32_t>(value)}; });
}

std::expected<bool, ValueFault> parse_boolean(const Scalar& scalar) {
  if (scalar.form == Form::plain || scalar.form == Form::boolean) {
    if (scalar.text == "true") return true;
    if (scalar.text == "false") return false;
  }
  ValueFault fault{.message = must_be("true or false", scalar)};
  for (const std::string_view yes : {"yes", "on", "1", "True", "TRUE", "true"}) {
    if (scalar.text == yes) fault.suggestion = "true";
  }
  for (const std::string_view no : {"no", "off", "0", "False", "FALSE", "false"}) {
    if (scalar.text == no) fault.suggestion = "false";
  }
  return std::unexpected(std::move(fault));
}

ValueText text_of(const Rate& rate) {
  for (const Unit& unit : rate_units) {
    // Three digits behind the point are what people read at a glance.
    const std::uint64_t step = unit.factor / 1000;
    if (step < 1000 || rate.bits_per_second < unit.factor || rate.bits_per_second % step != 0) {
      continue;
    }
    return {with_point(rate.bits_per_second / step, 1000) + std::string(unit.suffix), false};
  }
  if (rate.bits_per_second != 0 && rate.bits_per_second % 1000 == 0) {
    return {std::to_string(rate.bits_per_second / 1000) + "K", false};
  }
  return {std::to_string(rate.bits_per_second), true};
}

ValueText text_of(const ByteCount& count) {
  for (const Unit& unit : byte_units) {
    if (unit.factor == 1 || count.bytes == 0 || count.bytes % unit.factor != 0) continue;
    return {std::to_string(count.bytes / unit.factor) + std::string(unit.suffix), false};
  }
  return {std::to_string(count.bytes), true};
}

ValueText text_of(const Share& share) {
  return {with_point(share.millionths, 10'000) + "%", false};
}

}  // namespace cp
