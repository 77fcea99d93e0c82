// SPDX-License-Identifier: Apache-2.0
#include "controlplane/api/patch.hpp"

#include "controlplane/intent/limits.hpp"
#include "controlplane/intent/model.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <charconv>
#include <optional>
#include <vector>

namespace cp {

namespace json = boost::json;
using base::Errc;

namespace {

// Each looks through a list that may have a million elements; more are a batch's business.
constexpr std::size_t operations_max = 200;

using Pointer = std::vector<std::string>;

Error error_of(std::string message, Errc code = Errc::invalid_argument) {
  Error error;
  error.code = code;
  error.message = std::move(message);
  return error;
}

std::string quoted(std::string_view text) {
  return "\"" + std::string(text) + "\"";
}

// RFC 6901: "/a~1b/c~0d" → "a/b", "c~d".
std::expected<Pointer, Error> parse_pointer(std::string_view text) {
  Pointer pointer;
  if (!text.empty() && text.front() != '/') {
    return std::unexpected(error_of("a path begins with /, and ~1 is a / within a name"));
  }
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '/') {
      pointer.emplace_back();
    } else if (text[i] != '~') {
      pointer.back().push_back(text[i]);
    } else if (i + 1 < text.size() && (text[i + 1] == '0' || text[i + 1] == '1')) {
      pointer.back().push_back(text[++i] == '0' ? '~' : '/');
    } else {
      return std::unexpected(error_of("~ is written ~0, and / within a name ~1"));
    }
  }
  return pointer;
}

// As RFC 6901 writes them: no sign, no zeros in front.
std::optional<std::size_t> parse_place(std::string_view token) {
  if (token.empty() || (token.size() > 1 && token.front() == '0')) return std::nullopt;
  std::size_t place = 0;
  const char* begin = token.data();
  const char* end = begin + token.size();
  const auto read = std::from_chars(begin, end, place);
  if (read.ec != std::errc() || read.ptr != end) return std::nullopt;
  return place;
}

// A member as its text; empty where it is not there.
std::string member(const json::value& object, std::string_view name) {
  const json::object* members = object.if_object();
  const json::value* value = members == nullptr ? nullptr : members->if_contains(name);
  if (value == nullptr) return {};
  return value->is_string() ? std::string(value->get_string()) : json::serialize(*value);
}

// The fields that make the key, as model.hpp composes it.
std::vector<std::string_view> key_fields(ObjectKind kind) {
  if (kind == ObjectKind::endpoint) return {"network", "mac"};
  if (kind == ObjectKind::queue) return {"port", "traffic_class"};
  return {"name"};
}

std::string key_of(ObjectKind kind, const json::value& object) {
  std::string key;
  for (const std::string_view field : key_fields(kind)) {
    if (!key.empty()) key += '/';
    key += member(object, field);
  }
  return key;
}

// Says the key's fields in the object where it does not; false where it says others.
bool give_key(ObjectKind kind, std::string_view key, json::value& object) {
  if (!object.is_object()) return false;
  std::string_view rest = key;
  for (const std::string_view field : key_fields(kind)) {
    const std::string_view part = rest.substr(0, rest.find('/'));
    rest.remove_prefix(std::min(rest.size(), part.size() + 1));
    json::value& value = object.get_object()[field];
    if (!value.is_null()) continue;
    value = part;
    if (const auto number = parse_place(part); number && field == "traffic_class") value = *number;
  }
  return key_of(kind, object) == key;
}

class Patcher {
 public:
  explicit Patcher(json::value document) : document_(std::move(document)) {}

  std::optional<Error> perform(const json::value& operation) {
    const json::object* members = operation.if_object();
    if (members == nullptr) return error_of("an operation is an object");
    const std::string op = member(operation, "op");
    const json::value* value = members->if_contains("value");
    const json::value* path_text = members->if_contains("path");
    if (path_text == nullptr || !path_text->is_string()) return error_of("path is missing");
    auto path = parse_pointer(path_text->get_string());
    if (!path) return path.error();
    const bool wants_value = op == "add" || op == "replace" || op == "test";
    if (wants_value && value == nullptr) return error_of("value is missing");
    if (op == "add") return add(*path, *value);
    if (op == "remove") return remove(*path);
    if (op == "replace") return replace(*path, *value);
    if (op == "test") return test(*path, *value);
    if (op == "move" || op == "copy") return carry(*members, *path, op == "move");
    Error error = error_of("there is no operation " + quoted(op));
    error.field = "op";
    error.suggestion = nearest(op, {"add", "remove", "replace", "move", "copy", "test"});
    return error;
  }

  json::value take() { return std::move(document_); }

 private:
  static Error nothing_there() {
    return error_of("there is nothing at this path", Errc::not_found);
  }

  // Of the document's lists the element by place or by key; nullopt: none is that.
  static std::optional<std::size_t> place_of(const json::array& list, const Pointer& path,
                                             std::size_t depth) {
    if (const auto place = parse_place(path[depth])) {
      if (*place < list.size()) return place;
      return std::nullopt;
    }
    const auto kind = depth == 1 ? parse_kind(path[0]) : std::nullopt;
    if (!kind) return std::nullopt;
    for (std::size_t i = 0; i < list.size(); ++i) {
      if (key_of(*kind, list[i]) == path[depth]) return i;
    }
    return std::nullopt;
  }

  // What `depth` tokens of the path lead to; nullptr: nothing.
  json::value* find(const Pointer& path, std::size_t depth) {
    json::value* at = &document_;
    for (std::size_t i = 0; i < depth && at != nullptr; ++i) {
      if (json::object* object = at->if_object()) {
        at = object->if_contains(path[i]);
      } else if (json::array* list = at->if_array()) {
        const auto place = place_of(*list, path, i);
        at = place ? &(*list)[*place] : nullptr;
      } else {
        at = nullptr;
      }
    }
    return at;
  }

  std::optional<Error> add(const Pointer& path, json::value value) {
    if (path.empty()) {
      document_ = std::move(value);
      return std::nullopt;
    }
    json::value* parent = find(path, path.size() - 1);
    if (parent == nullptr) return nothing_there();
    if (json::object* object = parent->if_object()) {
      (*object)[path.back()] = std::move(value);
      return std::nullopt;
    }
    json::array* list = parent->if_array();
    if (list == nullptr) return nothing_there();
    return add_to(*list, path, std::move(value));
  }

  static std::optional<Error> add_to(json::array& list, const Pointer& path, json::value value) {
    const std::string& token = path.back();
    const auto kind = path.size() == 2 ? parse_kind(path[0]) : std::nullopt;
    const auto place = parse_place(token);
    if (place && *place <= list.size()) {
      list.insert(list.begin() + static_cast<std::ptrdiff_t>(*place), std::move(value));
      return std::nullopt;
    }
    if (token != "-") {
      if (place || !kind) return nothing_there();
      if (!give_key(*kind, token, value)) {
        return error_of("the value is called otherwise than its path");
      }
      if (const auto there = place_of(list, path, 1)) {
        list[*there] = std::move(value);  // As with the members of an object.
        return std::nullopt;
      }
    }
    list.push_back(std::move(value));
    return std::nullopt;
  }

  std::optional<Error> remove(const Pointer& path) {
    if (find(path, path.size()) == nullptr) return nothing_there();
    if (path.empty()) return error_of("the whole cannot be removed; replace it with {}");
    json::value& parent = *find(path, path.size() - 1);
    if (json::object* object = parent.if_object()) {
      object->erase(path.back());
      return std::nullopt;
    }
    json::array& list = parent.get_array();
    list.erase(list.begin() + static_cast<std::ptrdiff_t>(*place_of(list, path, path.size() - 1)));
    return std::nullopt;
  }

  std::optional<Error> replace(const Pointer& path, const json::value& value) {
    json::value* at = find(path, path.size());
    if (at == nullptr) return nothing_there();
    json::value next = value;
    const bool by_key = path.size() == 2 && !parse_place(path[1]) && parse_kind(path[0]);
    if (by_key && !give_key(*parse_kind(path[0]), path[1], next)) {
      return error_of("the value is called otherwise than its path");
    }
    *at = std::move(next);
    return std::nullopt;
  }

  std::optional<Error> test(const Pointer& path, const json::value& value) {
    const json::value* at = find(path, path.size());
    if (at == nullptr) return nothing_there();
    if (*at == value) return std::nullopt;
    return error_of("the test fails: " + json::serialize(*at) + " stands there", Errc::wrong_state);
  }

  std::optional<Error> carry(const json::object& members, const Pointer& path, bool moves) {
    const json::value* from_text = members.if_contains("from");
    if (from_text == nullptr || !from_text->is_string()) return error_of("from is missing");
    const auto from = parse_pointer(from_text->get_string());
    if (!from) return from.error();
    const json::value* at = find(*from, from->size());
    if (at == nullptr) return error_of("there is nothing at from", Errc::not_found);
    const bool into_itself =
        from->size() < path.size() && std::equal(from->begin(), from->end(), path.begin());
    if (moves && into_itself) return error_of("nothing can be moved into itself");
    json::value value = *at;
    if (moves) {
      if (auto error = remove(*from)) return error;
    } else {
      copied_bytes_ += json::serialize(value).size();
      // A copy of a copy doubles it.
      if (copied_bytes_ > document_bytes_max) {
        return error_of("the patch copies more than " + std::to_string(document_bytes_max) +
                        " bytes");
      }
    }
    return add(path, std::move(value));
  }

  json::value document_;
  std::size_t copied_bytes_ = 0;
};

}  // namespace

Result<json::value> apply_patch(json::value document, std::string_view patch) {
  boost::system::error_code broken;
  const json::value operations = json::parse(patch, broken);
  if (broken) return fail(error_of("the patch is no JSON: " + broken.message(), Errc::malformed));
  if (!operations.is_array()) {
    return fail(error_of(R"(a patch is a list like [{"op": "replace", "path": "/ports/wire0/mtu", )"
                         R"("value": 1600}])",
                         Errc::malformed));
  }
  if (operations.get_array().size() > operations_max) {
    return fail(error_of("a patch has at most " + std::to_string(operations_max) +
                         " operations; a batch has no such limit"));
  }
  Patcher patcher(std::move(document));
  std::size_t number = 0;
  for (const json::value& operation : operations.get_array()) {
    ++number;
    auto error = patcher.perform(operation);
    if (!error) continue;
    error->object = "operation " + std::to_string(number);
    if (const std::string path = member(operation, "path"); !path.empty()) {
      error->object += " at " + path;
    }
    return fail(std::move(*error));
  }
  return patcher.take();
}

}  // namespace cp
