// SPDX-License-Identifier: Apache-2.0
#include "controlplane/store/difference.hpp"

#include "controlplane/intent/merge.hpp"
#include "controlplane/intent/read.hpp"
#include "controlplane/intent/write.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>

namespace cp {
namespace {

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
  std::array<bool, object_kind_count> cleared{};
  ListOf<Endpoint> endpoints;          // Without braces.
  ListOf<Endpoint> removed_endpoints;  // Their keys.
};

// Names that lines say again and again; their texts are borrowed.
class Names {
 public:
  Name name(std::string_view text) {
    const auto known = known_.find(text);
    if (known != known_.end()) return known->second;
    auto name = Name::make(text);
    if (!name) return {};
    return known_.emplace(text, std::move(*name)).first->second;
  }

 private:
  std::unordered_map<std::string_view, Name> known_;
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

class LineReader {
 public:
  Result<Lines> read(std::string_view text) {
    while (!text.empty()) {
      const std::string_view line = text.substr(0, text.find('\n'));
      if (line.size() == text.size()) return no_difference("its last line is cut off");
      text.remove_prefix(line.size() + 1);
      if (!take(line)) return no_difference("\"" + std::string(line) + "\"");
    }
    return std::move(lines_);
  }

 private:
  bool take(std::string_view line) {
    const std::string_view sign = take_word(line);
    if (sign == "-") return take_removal(line);
    const auto owner = parse_owner(take_word(line));
    const auto kind = parse_kind(take_word(line));
    const std::string_view key = take_word(line);
    if (sign != "+" || !owner || !kind || key.empty()) return false;
    if (*kind == ObjectKind::endpoint && !line.starts_with('{')) {
      return take_endpoint(*owner, key, line);
    }
    std::string& list =
        lines_.objects[static_cast<std::size_t>(*owner)][static_cast<std::size_t>(*kind)];
    if (!list.empty()) list += ",\n";
    list += line;
    return true;
  }

  bool take_removal(std::string_view line) {
    const auto kind = parse_kind(take_word(line));
    if (!kind) return false;
    const auto place = static_cast<std::size_t>(*kind);
    if (line == "*") return !std::exchange(lines_.cleared[place], true);
    if (*kind != ObjectKind::endpoint) return lines_.removed[place].emplace(line).second;
    Endpoint gone;
    if (!read_key(line, gone)) return false;
    lines_.removed_endpoints.push_back(std::move(gone));
    return true;
  }

  bool take_endpoint(Owner owner, std::string_view key, std::string_view place) {
    Endpoint endpoint;
    endpoint.owner = owner;
    const std::string_view field = take_word(place);
    if (!read_key(key, endpoint) || (field != "vtep" && field != "port")) return false;
    Name& name = field == "vtep" ? endpoint.vtep : endpoint.port;
    name = names_.name(place);
    if (name.empty()) return false;
    lines_.endpoints.push_back(std::move(endpoint));
    return true;
  }

  bool read_key(std::string_view text, Endpoint& endpoint) {
    const auto key = parse_endpoint_key(text);
    if (!key) return false;
    endpoint.network = names_.name(key->network);
    endpoint.mac = key->mac;
    return !endpoint.network.empty();
  }

  Lines lines_;
  Names names_;
};

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
    ListOf<T> owned;
    for (T object : list_of<T>(*intent)) {
      object.owner = owner;
      owned.push_back(std::move(object));
    }
    list_of<T>(*intent) = std::move(owned);
  });
  return intent;
}

bool says_twice(const Intent& sorted) {
  bool twice = false;
  for_each_kind([&]<class T>(std::type_identity<T>) {
    const ListOf<T>& list = list_of<T>(sorted);
    const auto same_key = [](const T& left, const T& right) {
      return !key_less(left, right);
    };
    twice = twice || std::adjacent_find(list.begin(), list.end(), same_key) != list.end();
  });
  return twice;
}

// What is put, sorted.
Result<Intent> read_puts(const Lines& lines) {
  Intent puts;
  puts.endpoints = lines.endpoints;
  for (std::size_t i = 0; i < owner_count; ++i) {
    auto objects = read_objects(lines.objects[i], static_cast<Owner>(i));
    if (!objects) return std::unexpected(objects.error());
    for_each_kind([&]<class T>(std::type_identity<T>) {
      for (const T& object : list_of<T>(*objects)) list_of<T>(puts).push_back(object);
    });
  }
  sort(puts);
  if (says_twice(puts)) return no_difference("it says an object twice");
  return puts;
}

template <class T>
void apply_list(const std::vector<T>& from, const Lines& lines, const std::vector<T>& puts,
                std::vector<T>& result) {
  const auto& removed = lines.removed[static_cast<std::size_t>(kind_of_type<T>)];
  const Merge<T> merge(from, puts);
  merge.for_each([&](const T* before, const T* after) {
    if (after != nullptr) {
      result.push_back(*after);
    } else if (removed.empty() || !removed.contains(key_of(*before))) {
      result.push_back(*before);
    }
  });
}

// One by one, so that what stays is shared.
void apply_list(const ListOf<Endpoint>& from, const Lines& lines, const ListOf<Endpoint>& puts,
                ListOf<Endpoint>& result) {
  result = from;
  const auto place_of = [&result](const Endpoint& endpoint) {
    return result.partition_point([&](const Endpoint& each) { return key_less(each, endpoint); });
  };
  for (const Endpoint& gone : lines.removed_endpoints) {
    const auto at = place_of(gone);
    if (at != result.end() && !key_less(gone, *at)) result.erase(at);
  }
  if (result.empty()) {
    result = puts;
    return;
  }
  for (const Endpoint& endpoint : puts) {
    const auto at = place_of(endpoint);
    if (at != result.end() && !key_less(endpoint, *at)) {
      result.replace(at, endpoint);
    } else {
      result.insert(at, endpoint);
    }
  }
}

void append_key(std::string& text, const Endpoint& endpoint) {
  text.append(endpoint.network.view()).append("/").append(base::to_string(endpoint.mac));
}
template <class T>
void append_key(std::string& text, const T& object) {
  text.append(key_of(object));
}

template <class T>
void append_put(std::string& text, const T& object) {
  text.append("+ ").append(name(object.owner)).append(" ").append(singular(kind_of_type<T>));
  text.append(" ");
  append_key(text, object);
  text.append(" ");
  if constexpr (std::same_as<T, Endpoint>) {
    const bool at_vtep = !object.vtep.empty();
    if (at_vtep && object.port.empty()) {
      text.append("vtep ").append(object.vtep.view()).append("\n");
      return;
    }
    if (!at_vtep && !object.port.empty()) {
      text.append("port ").append(object.port.view()).append("\n");
      return;
    }
  }
  text.append(to_json(object)).append("\n");
}

template <class T>
void append_removal(std::string& text, const T* object) {
  text.append("- ").append(singular(kind_of_type<T>)).append(" ");
  if (object != nullptr) append_key(text, *object);
  if (object == nullptr) text.append("*");
  text.append("\n");
}

// "- endpoint *"
bool clears(std::string_view line) noexcept {
  return line.starts_with("- ") && line.ends_with(" *");
}

}  // namespace

std::string write_difference(const Intent& from, const Intent& to) {
  std::string text;
  for_each_kind([&]<class T>(std::type_identity<T>) {
    const Merge<T> merge(list_of<T>(from), list_of<T>(to));
    // The way back from a file of a million endpoints is as short as what was before.
    if (list_of<T>(from).size() > 2 * list_of<T>(to).size() + 1) {
      append_removal<T>(text, nullptr);
      for (const T& object : list_of<T>(to)) append_put(text, object);
      return;
    }
    merge.for_each_change([&](const T* before, const T* after) {
      if (after == nullptr) {
        append_removal(text, before);
      } else {
        append_put(text, *after);
      }
    });
  });
  return text;
}

Result<Intent> apply_difference(const Intent& from, std::string_view text) {
  auto lines = LineReader().read(text);
  if (!lines) return std::unexpected(lines.error());
  const auto puts = read_puts(*lines);
  if (!puts) return std::unexpected(puts.error());
  Intent removed;
  removed.endpoints = lines->removed_endpoints;
  sort(removed);
  if (says_twice(removed)) return no_difference("it says an object twice");

  Intent result;
  for_each_kind([&]<class T>(std::type_identity<T>) {
    const bool cleared = lines->cleared[static_cast<std::size_t>(kind_of_type<T>)];
    apply_list(cleared ? ListOf<T>() : list_of<T>(from), *lines, list_of<T>(*puts),
               list_of<T>(result));
  });
  return result;
}

std::string join_differences(const std::vector<std::string>& texts) {
  // What an object is in the end is what the last line about it says.
  std::unordered_map<std::string_view, std::string_view> last;
  std::set<std::string_view> cleared;
  for (const std::string& whole : texts) {
    std::string_view text = whole;
    while (!text.empty()) {
      const std::string_view line = text.substr(0, text.find('\n'));
      text.remove_prefix(std::min(text.size(), line.size() + 1));
      if (clears(line)) {
        cleared.insert(line);
        const std::string_view kind = line.substr(2, line.size() - 3);  // With the blank behind it.
        std::erase_if(last, [kind](const auto& each) { return each.first.starts_with(kind); });
        continue;
      }
      last[title_in(line)] = line;
    }
  }
  std::string joined;
  for (const std::string_view line : cleared) joined.append(line).append("\n");
  for (const auto& [title, line] : last) joined.append(line).append("\n");
  return joined;
}

}  // namespace cp
