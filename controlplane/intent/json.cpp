// SPDX-License-Identifier: Apache-2.0
// JSON (RFC 8259) as events with their places, in one walk over the text and without a tree.
// Several documents on lines of their own (NDJSON) are one: a list goes on where the line before
// ended.
#include "controlplane/intent/document.hpp"

#include <algorithm>
#include <array>
#include <string>

namespace cp {
namespace {

constexpr std::uint32_t depth_max = 32;

bool is_space(char c) noexcept {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}
bool is_structural(char c) noexcept {
  return c == '{' || c == '}' || c == '[' || c == ']' || c == ',' || c == ':';
}
bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}

// What stands for itself in a string: almost everything in an intent.
constexpr std::array<bool, 256> plain_bytes = [] {
  std::array<bool, 256> plain{};
  for (std::size_t byte = 0x20; byte < 0x80; ++byte) plain[byte] = byte != '"' && byte != '\\';
  return plain;
}();

std::size_t count_digits(std::string_view text) noexcept {
  return static_cast<std::size_t>(std::find_if_not(text.begin(), text.end(), is_digit) -
                                  text.begin());
}

// -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?
bool is_number(std::string_view text) noexcept {
  if (text.starts_with('-')) text.remove_prefix(1);
  const std::size_t whole = count_digits(text);
  if (whole == 0 || (whole > 1 && text[0] == '0')) return false;
  text.remove_prefix(whole);
  if (text.starts_with('.')) {
    const std::size_t part = count_digits(text.substr(1));
    if (part == 0) return false;
    text.remove_prefix(1 + part);
  }
  if (text.starts_with('e') || text.starts_with('E')) {
    text.remove_prefix(1);
    if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
    const std::size_t exponent = count_digits(text);
    if (exponent == 0) return false;
    text.remove_prefix(exponent);
  }
  return text.empty();
}

// Bytes of the character of UTF-8 (RFC 3629) that begins there; 0 where none does.
std::size_t character_bytes(std::string_view text) noexcept {
  const auto byte = [&text](std::size_t at) {
    return at < text.size() ? static_cast<unsigned char>(text[at]) : 0u;
  };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4) return 0;
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  // Overlong forms, surrogates, and what lies beyond U+10FFFF.
  const bool wrong = (first == 0xe0 && byte(1) < 0xa0) || (first == 0xed && byte(1) > 0x9f) ||
                     (first == 0xf0 && byte(1) < 0x90) || (first == 0xf4 && byte(1) > 0x8f);
  return wrong ? 0 : size;
}

void append_character(std::string& out, std::uint32_t code) {
  const auto put = [&out](std::uint32_t byte) {
    out += static_cast<char>(byte);
  };
  if (code < 0x80) return put(code);
  if (code >= 0x10000) {
    put(0xf0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3f));
  } else if (code >= 0x800) {
    put(0xe0 | code >> 12);
  } else {
    return put(0xc0 | code >> 6), put(0x80 | (code & 0x3f));
  }
  put(0x80 | (code >> 6 & 0x3f));
  put(0x80 | (code & 0x3f));
}

class JsonReader {
 public:
  JsonReader(std::string_view text, Document& document) : text_(text), document_(document) {}

  void run() {
    while (value()) {
      const std::uint32_t line = line_;
      skip_blanks();
      if (at_ == text_.size()) return;
      if (line == line_ || !document_.begin_again()) {
        refuse("something follows behind its end");
        return;
      }
    }
  }

 private:
  Place here() const noexcept {
    return {.line = line_, .column = static_cast<std::uint32_t>(at_ - line_start_ + 1)};
  }

  bool refuse(std::string_view why) {
    if (at_ >= text_.size()) why = "it ends too early";
    document_.refuse(here(), "this is no JSON: " + std::string(why));
    return false;
  }

  // The functions below return false where nothing more is to be read: either they have said what
  // is wrong, or the document wants no more.
  bool value() {
    skip_blanks();
    const Place place = here();
    const char first = at_ < text_.size() ? text_[at_] : '\0';
    if (first == '{') return map(place);
    if (first == '[') return list(place);
    if (first != '"') return word(place);
    std::string_view text;
    return string(text) && document_.scalar({.text = text, .form = Form::quoted}, place);
  }

  bool map(Place place) {
    if (++depth_ > depth_max) return refuse("more than 32 levels of nesting");
    ++at_;
    if (!document_.begin_map(place)) return false;
    for (bool first = true; !take('}'); first = false) {
      if (!first && !take(',')) return refuse("a comma or a closing brace is missing");
      skip_blanks();
      const Place key_place = here();
      std::string_view key;
      if (at_ >= text_.size() || text_[at_] != '"') return refuse("a key in quotes is missing");
      if (!string(key) || !document_.key(key, key_place)) return false;
      if (!take(':')) return refuse("a colon is missing behind a key");
      if (!value()) return false;
    }
    --depth_;
    return document_.end_map();
  }

  bool list(Place place) {
    if (++depth_ > depth_max) return refuse("more than 32 levels of nesting");
    ++at_;
    if (!document_.begin_list(place)) return false;
    for (bool first = true; !take(']'); first = false) {
      if (!first && !take(',')) return refuse("a comma or a closing bracket is missing");
      if (!value()) return false;
    }
    --depth_;
    return document_.end_list();
  }

  // A number, true, false or null.
  bool word(Place place) {
    const std::size_t start = at_;
    std::size_t end = start;
    while (end < text_.size() && !is_space(text_[end]) && !is_structural(text_[end]) &&
           text_[end] != '"') {
      ++end;
    }
    const std::string_view text = text_.substr(start, end - start);
    Form form = Form::number;
    if (text == "true" || text == "false") {
      form = Form::boolean;
    } else if (text == "null") {
      form = Form::null;
    } else if (!is_number(text)) {
      return refuse("a value is missing, or a text lacks its quotes");
    }
    at_ = end;
    return document_.scalar({.text = text, .form = form}, place);
  }

  // From the quote on. `result` lies in the text, or in unescaped_ until the next string.
  bool string(std::string_view& result) {
    const std::size_t start = ++at_;
    skip_plain();
    if (at_ < text_.size() && text_[at_] == '"') {
      result = text_.substr(start, at_ - start);
      ++at_;
      return true;
    }
    unescaped_.assign(text_.substr(start, at_ - start));
    if (!rest_of_string()) return false;
    result = unescaped_;
    return true;
  }

  bool rest_of_string() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '"') {
        ++at_;
        return true;
      }
      if (c == '\\') {
        if (!escape()) return false;
        continue;
      }
      if (static_cast<unsigned char>(c) < 0x20) return refuse("a control character in a string");
      const std::size_t size = character_bytes(text_.substr(at_, 4));
      if (size == 0) return refuse("what is no UTF-8 in a string");
      unescaped_.append(text_.substr(at_, size));
      at_ += size;
    }
    return refuse("a string has no end");
  }

  bool escape() {
    constexpr std::string_view letters = "\"\\/bfnrt";
    constexpr std::string_view meanings = "\"\\/\b\f\n\r\t";
    const char letter = at_ + 1 < text_.size() ? text_[at_ + 1] : '\0';
    if (letter == 'u') return escaped_code();
    const std::size_t index = letters.find(letter);
    if (letter == '\0' || index == letters.npos) return refuse("an escape that JSON does not have");
    unescaped_ += meanings[index];
    at_ += 2;
    return true;
  }

  // \u0041, or two of them for a character beyond U+FFFF.
  bool escaped_code() {
    constexpr std::size_t bytes = 6;
    const auto high = code_at(at_);
    if (!high) return refuse("an escape without four hexadecimal digits");
    if (*high < 0xd800 || *high > 0xdfff) {
      append_character(unescaped_, *high);
      at_ += bytes;
      return true;
    }
    const auto low = code_at(at_ + bytes);
    if (*high > 0xdbff || !low || *low < 0xdc00 || *low > 0xdfff) {
      return refuse("half of a surrogate pair");
    }
    append_character(unescaped_, 0x10000 + ((*high - 0xd800) << 10) + (*low - 0xdc00));
    at_ += 2 * bytes;
    return true;
  }

  std::optional<std::uint32_t> code_at(std::size_t at) const noexcept {
    if (at + 6 > text_.size() || text_[at] != '\\' || text_[at + 1] != 'u') return std::nullopt;
    std::uint32_t code = 0;
    for (const char c : text_.substr(at + 2, 4)) {
      constexpr std::string_view digits = "0123456789abcdef0123456789ABCDEF";
      const std::size_t digit = digits.find(c);
      if (digit == digits.npos) return std::nullopt;
      code = code << 4 | static_cast<std::uint32_t>(digit & 15);
    }
    return code;
  }

  void skip_plain() noexcept {
    while (at_ < text_.size() && plain_bytes[static_cast<unsigned char>(text_[at_])]) ++at_;
  }

  void skip_blanks() noexcept {
    for (; at_ < text_.size() && is_space(text_[at_]); ++at_) {
      if (text_[at_] != '\n') continue;
      ++line_;
      line_start_ = at_ + 1;
    }
  }

  // Blanks and the character, if it is next.
  bool take(char c) noexcept {
    skip_blanks();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  std::string_view text_;
  Document& document_;
  std::string unescaped_;
  std::size_t at_ = 0;
  std::size_t line_start_ = 0;
  std::uint32_t line_ = 1;
  std::uint32_t depth_ = 0;
};

}  // namespace

void feed_json(std::string_view text, Document& document) {
  JsonReader(text, document).run();
}

}  // namespace cp
