// SPDX-License-Identifier: Apache-2.0
#include "controlplane/intent/write.hpp"

#include "controlplane/intent/describe.hpp"
#include "controlplane/intent/value.hpp"

#include <algorithm>
#include <array>

namespace cp {
namespace {

void append_json_string(std::string& out, std::string_view text) {
  constexpr std::string_view hex = "0123456789abcdef";
  out += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (byte < 0x20) {
      out += "\\u00";
      out += hex[byte >> 4];
      out += hex[byte & 15];
    } else {
      out += c;
    }
  }
  out += '"';
}

// "10G", "0.2%": a number with a unit is none to any YAML reader.
bool is_measure(std::string_view text) {
  const std::size_t unit = text.find_first_not_of("0123456789.");
  if (unit == 0 || unit == text.npos || text[0] == '.') return false;
  const std::string_view suffix = text.substr(unit);
  constexpr std::array<std::string_view, 7> units = {"K", "M", "G", "T", "Ki", "Mi", "%"};
  return std::find(units.begin(), units.end(), suffix) != units.end();
}

// Whether every YAML reader takes the plain scalar for a string: a word that is no number, no
// boolean and no null of YAML 1.1 or 1.2.
bool plain_in_yaml(std::string_view text) {
  static constexpr std::array<std::string_view, 10> words = {"null", "true", "false", "yes", "no",
                                                             "on",   "off",  "y",     "n",   "inf"};
  if (is_measure(text)) return true;
  if (text.empty() || !((text[0] >= 'a' && text[0] <= 'z') || (text[0] >= 'A' && text[0] <= 'Z'))) {
    return false;
  }
  std::string lower(text);
  for (char& c : lower) {
    const bool is_letter_or_digit =
        (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!is_letter_or_digit && c != '_' && c != '-' && c != '.') return false;
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return std::find(words.begin(), words.end(), lower) == words.end();
}

// The two syntaxes differ in quotes and in the space behind a colon and a comma.
struct Json {
  static constexpr std::string_view colon = ":";
  static constexpr std::string_view comma = ",";
  static void append_key(std::string& out, std::string_view key) { append_json_string(out, key); }
  static void append_text(std::string& out, std::string_view text) {
    append_json_string(out, text);
  }
};

struct Yaml {
  static constexpr std::string_view colon = ": ";
  static constexpr std::string_view comma = ", ";
  static void append_key(std::string& out, std::string_view key) { out += key; }
  static void append_text(std::string& out, std::string_view text) {
    if (plain_in_yaml(text)) {
      out += text;
    } else {
      append_json_string(out, text);
    }
  }
};

template <class Syntax, class M>
void append_value(std::string& out, const M& value) {
  if constexpr (is_optional<M>) {
    append_value<Syntax>(out, *value);
  } else if constexpr (is_list<M>) {
    out += '[';
    for (std::size_t i = 0; i < value.size(); ++i) {
      if (i > 0) out += Syntax::comma;
      append_value<Syntax>(out, value[i]);
    }
    out += ']';
  } else if constexpr (std::same_as<M, Name>) {
    Syntax::append_text(out, value.view());
  } else {
    const ValueText text = text_of(value);
    if (text.bare) {
      out += text.text;
    } else {
      Syntax::append_text(out, text.text);
    }
  }
}

template <class Syntax, class T>
void append_object(std::string& out, const T& object) {
  out += '{';
  bool first = true;
  for_each_field<T>(
      [&]<std::size_t I, class M>(std::string_view name, M T::* member, const FieldText&) {
        if (is_absent(object.*member)) return;
        if (!first) out += Syntax::comma;
        first = false;
        Syntax::append_key(out, name);
        out += Syntax::colon;
        append_value<Syntax>(out, object.*member);
      });
  out += '}';
}

void append_owner(std::string& out, Owner owner) {
  out.back() = ',';  // The brace that closed the object.
  out += R"("owner":)" + json_string(name(owner)) + "}";
}

template <class T>
void append_json_list(std::string& out, const ListOf<T>& list, Shown shown = Shown::no) {
  out += '[';
  const char* separator = "\n";
  for (const T& object : list) {
    out += separator;
    separator = ",\n";
    append_object<Json>(out, object);
    if (shown == Shown::with_owner) append_owner(out, object.owner);
  }
  out += list.empty() ? "]" : "\n]";
}

}  // namespace

std::string to_json(const Intent& intent) {
  std::string out = "{";
  for (std::size_t i = 0; i < object_kind_count; ++i) {
    const auto kind = static_cast<ObjectKind>(i);
    out += i == 0 ? "\n" : ",\n";
    append_json_string(out, plural(kind));
    out += ':';
    visit_kind(kind, [&]<class T>(std::type_identity<T>) {
      append_json_list<T>(out, list_of<T>(intent));
    });
  }
  return out + "\n}\n";
}

std::string to_json(const Object& object) {
  std::string out;
  std::visit([&](const auto& concrete) { append_object<Json>(out, concrete); }, object);
  return out;
}

std::string to_json(const Intent& intent, ObjectKind kind, Shown shown) {
  std::string out;
  visit_kind(kind, [&]<class T>(std::type_identity<T>) {
    append_json_list<T>(out, list_of<T>(intent), shown);
  });
  return out + "\n";
}

std::string to_json_shown(const Object& object) {
  std::string out = to_json(object);
  append_owner(out, owner_of(object));
  return out;
}

std::string to_yaml(const Intent& intent) {
  std::string out;
  for (std::size_t i = 0; i < object_kind_count; ++i) {
    const auto kind = static_cast<ObjectKind>(i);
    visit_kind(kind, [&]<class T>(std::type_identity<T>) {
      const auto& list = list_of<T>(intent);
      out += plural(kind);
      out += list.empty() ? ": []\n" : ":\n";
      for (const T& object : list) {
        out += "  - ";
        append_object<Yaml>(out, object);
        out += '\n';
      }
    });
  }
  return out;
}

std::string json_string(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

}  // namespace cp
