// SPDX-License-Identifier: Apache-2.0
#include "controlplane/store/difference.hpp"

#include "controlplane/intent/read.hpp"
#include "controlplane/intent/write.hpp"
#include "controlplane/plan/merge.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <unordered_map>

namespace cp {
namespace {

constexpr std::size_t owner_count = 2;

std::unexpected<Errors> no_difference(const std::string& why) {
  Error error;
  error.code = base::Errc::malformed;
  error.message = "a kept difference cannot be read: " + why;
  return fail(std::move(error));
}

template <class F>
void for_each_kind(F&& f) {
  for (std::size_t i = 0; i < object_kind_count; ++i) {
    visit_kind(static_cast<ObjectKind>(i), f);
  }
}

// What the lines say, before anybody has looked at objects.
struct Lines {
  // The objects of each owner as a document that read_intent() takes.
  std::array<std::array<std::string, object_kind_count>, owner_count> objects;
  std::array<std::set<std::string, std::less<>>, object_kind_count> removed;
};

// Cuts the first word off.
std::string_view take_word(std::string_view& line) {
  const std::string_view word = line.substr(0, line.find(' '));
  line.remove_prefix(std::min(line.size(), word.size() + 1));
  return word;
}

// "port wire0" of either form of line.
std::string_view title_in(std::string_view line) {
  if (take_word(line) == "+") take_word(line);
  const std::size_t kind_end = line.find(' ');
  return line.substr(0, line.find(' ', kind_end + 1));
}

bool take_line(std::string_view line, Lines& lines) {
  const std::string_view sign = take_word(line);
  if (sign == "-") {
    const auto kind = parse_kind(take_word(line));
    return kind && lines.removed[static_cast<std::size_t>(*kind)].emplace(line).second;
  }
  const auto owner = parse_owner(take_word(line));
  const auto kind = parse_kind(take_word(line));
  const std::string_view key = take_word(line);
  if (sign != "+" || !owner || !kind || key.empty()) return false;
  std::string& list =
      lines.objects[static_cast<std::size_t>(*owner)][static_cast<std::size_t>(*kind)];
  if (!list.empty()) list += ",\n";
  list += line;
  return true;
}

// The objects of one owner, with it.
Result<Intent> read_objects(const std::array<std::string, object_kind_count>& lists, Owner owner) {
  std::string document = "{";
  for (std::size_t i = 0; i < object_kind_count; ++i) {
    if (i > 0) document += ',';
    document += json_string(plural(static_cast<ObjectKind>(i))) + ":[" + lists[i] + "]";
  }
  document += '}';
  ReadOptions options{.bytes_max = document.size(), .limits = limits_unknown, .whole = false};
  auto intent = read_intent(document, Syntax::json, options);
  if (!intent) return no_difference(intent.error().front().message);
  for_each_kind([&]<class T>(std::type_identity<T>) {
    for (T& object : list_of<T>(*intent)) object.owner = owner;
  });
  return intent;
}

template <class T>
void append(std::vector<T>& to, std::vector<T>&& from) {
  to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
}

bool says_twice(const Intent& sorted) {
  bool twice = false;
  for_each_kind([&]<class T>(std::type_identity<T>) {
    const std::vector<T>& list = list_of<T>(sorted);
    const auto same_key = [](const T& left, const T& right) {
      return !key_less(left, right);
    };
    twice = twice || std::adjacent_find(list.begin(), list.end(), same_key) != list.end();
  });
  return twice;
}

Result<Lines> read_lines(std::string_view text) {
  Lines lines;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    if (line.size() == text.size()) return no_difference("its last line is cut off");
    text.remove_prefix(line.size() + 1);
    if (!take_line(line, lines)) return no_difference("\"" + std::string(line) + "\"");
  }
  return lines;
}

}  // namespace

std::string write_difference(const Intent& from, const Intent& to) {
  std::string text;
  for_each_kind([&]<class T>(std::type_identity<T>) {
    const std::string kind(singular(kind_of_type<T>));
    const Merge<T> merge(list_of<T>(from), list_of<T>(to));
    merge.for_each([&](const T* before, const T* after) {
      if (after == nullptr) {
        text += "- " + kind + " " + key_of(*before) + "\n";
      } else if (before == nullptr || *before != *after) {
        text += "+ ";
        text += name(after->owner);
        text += " " + kind + " " + key_of(*after) + " " + to_json(*after) + "\n";
      }
    });
  });
  return text;
}

Result<Intent> apply_difference(const Intent& from, std::string_view text) {
  auto lines = read_lines(text);
  if (!lines) return std::unexpected(lines.error());
  Intent puts;
  for (std::size_t i = 0; i < owner_count; ++i) {
    auto objects = read_objects(lines->objects[i], static_cast<Owner>(i));
    if (!objects) return std::unexpected(objects.error());
    for_each_kind([&]<class T>(std::type_identity<T>) {
      append(list_of<T>(puts), std::move(list_of<T>(*objects)));
    });
  }
  sort(puts);
  if (says_twice(puts)) return no_difference("it says an object twice");

  Intent result;
  for_each_kind([&]<class T>(std::type_identity<T>) {
    const auto& removed = lines->removed[static_cast<std::size_t>(kind_of_type<T>)];
    const Merge<T> merge(list_of<T>(from), list_of<T>(puts));
    merge.for_each([&](const T* before, const T* after) {
      if (after != nullptr) {
        list_of<T>(result).push_back(*after);
      } else if (removed.empty() || !removed.contains(key_of(*before))) {
        list_of<T>(result).push_back(*before);
      }
    });
  });
  return result;
}

std::string join_differences(const std::vector<std::string>& texts) {
  // What an object is in the end is what the last line about it says.
  std::unordered_map<std::string_view, std::string_view> last;
  for (const std::string& whole : texts) {
    std::string_view text = whole;
    while (!text.empty()) {
      const std::string_view line = text.substr(0, text.find('\n'));
      text.remove_prefix(std::min(text.size(), line.size() + 1));
      last[title_in(line)] = line;
    }
  }
  std::string joined;
  for (const auto& [title, line] : last) joined.append(line).append("\n");
  return joined;
}

}  // namespace cp
