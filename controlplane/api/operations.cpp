// SPDX-License-Identifier: Apache-2.0
#include "controlplane/api/operations.hpp"

#include <boost/json/array.hpp>
#include <boost/json/monotonic_resource.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <optional>

namespace cp {

namespace json = boost::json;
using base::Errc;

namespace {

Error malformed(std::string message, std::string field = {}, std::string suggestion = {}) {
  Error error;
  error.code = Errc::malformed;
  error.message = std::move(message);
  error.field = std::move(field);
  error.suggestion = std::move(suggestion);
  return error;
}

// As a command line would say it: numbers bare, lists with commas.
std::optional<std::string> setting_text(const json::value& value) {
  if (value.is_null()) return std::string();
  if (value.is_string()) return std::string(value.get_string());
  if (value.is_object()) return std::nullopt;
  if (!value.is_array()) return json::serialize(value);
  std::string text;
  for (const json::value& element : value.get_array()) {
    if (!element.is_string() && !element.is_number()) return std::nullopt;
    if (!text.empty()) text += ",";
    text += element.is_string() ? std::string(element.get_string()) : json::serialize(element);
  }
  return text;
}

std::optional<OperationVerb> parse_verb(std::string_view word) {
  if (word == "add") return OperationVerb::add;
  if (word == "set") return OperationVerb::set;
  if (word == "delete") return OperationVerb::remove;
  return std::nullopt;
}

class Reader {
 public:
  Result<Operation> read(const json::value& value) {
    Operation operation{};
    const json::object* object = value.if_object();
    if (object == nullptr) return fail(malformed("an operation must be an object"));
    bool has_verb = false;
    bool has_kind = false;
    for (const auto& [key, member] : *object) {
      auto status = read_member(operation, key, member);
      if (!status) return std::unexpected(place(status.error(), operation.line));
      has_verb = has_verb || key == "verb";
      has_kind = has_kind || key == "kind";
    }
    if (!has_verb || !has_kind) {
      return fail(malformed("an operation needs a verb and a kind"));
    }
    return operation;
  }

 private:
  static Errors place(Errors errors, std::uint32_t line) {
    for (Error& error : errors) error.place.line = line;
    return errors;
  }

  static Status read_member(Operation& operation, std::string_view key, const json::value& value) {
    const std::string text = value.is_string() ? std::string(value.get_string()) : std::string();
    if (key == "verb") {
      const auto verb = parse_verb(text);
      if (!verb) {
        return fail(malformed("must be add, set or delete", "verb",
                              nearest(text, {"add", "set", "delete"})));
      }
      operation.verb = *verb;
    } else if (key == "kind") {
      const auto kind = parse_kind(text);
      if (!kind) {
        return fail(malformed(
            "must be port, next_hop, vtep, network, endpoint, host_rule or queue", "kind",
            nearest(text,
                    {"port", "next_hop", "vtep", "network", "endpoint", "host_rule", "queue"})));
      }
      operation.kind = *kind;
    } else if (key == "key") {
      operation.key = text;
    } else if (key == "line") {
      boost::system::error_code wrong;
      operation.line = value.to_number<std::uint32_t>(wrong);
      if (wrong) return fail(malformed("must be a number", "line"));
    } else if (key == "fields" && value.is_object()) {
      return read_fields(operation, value.get_object());
    } else {
      return fail(malformed("operations have no such member", std::string(key),
                            nearest(key, {"verb", "kind", "key", "line", "fields"})));
    }
    return {};
  }

  static Status read_fields(Operation& operation, const json::object& fields) {
    for (const auto& [field, value] : fields) {
      auto text = setting_text(value);
      if (!text) return fail(malformed("must be a string, a number or a list of strings", field));
      operation.settings.push_back({.field = std::string(field), .text = std::move(*text)});
    }
    return {};
  }
};

std::string_view word(OperationVerb verb) {
  switch (verb) {
    case OperationVerb::add: return "add";
    case OperationVerb::set: return "set";
    case OperationVerb::remove: return "delete";
  }
  __builtin_unreachable();
}

std::string setting_of(const Operation& operation, std::string_view field) {
  for (const FieldSetting& setting : operation.settings) {
    if (setting.field == field) return setting.text;
  }
  return {};
}

// Of an object that is added the key stands among its fields.
std::string key_of(const Operation& operation) {
  if (operation.verb != OperationVerb::add) return operation.key;
  if (operation.kind == ObjectKind::endpoint) {
    return setting_of(operation, "network") + "/" + setting_of(operation, "mac");
  }
  if (operation.kind == ObjectKind::queue) {
    return setting_of(operation, "port") + "/" + setting_of(operation, "traffic_class");
  }
  return setting_of(operation, "name");
}

Status perform_one(Intent& intent, const Operation& operation) {
  switch (operation.verb) {
    case OperationVerb::add: return add(intent, operation.kind, operation.settings);
    case OperationVerb::set: return set(intent, operation.kind, operation.key, operation.settings);
    case OperationVerb::remove: return remove(intent, operation.kind, operation.key);
  }
  __builtin_unreachable();
}

}  // namespace

Result<std::vector<Operation>> parse_operations(std::string_view body) {
  boost::system::error_code broken;
  json::monotonic_resource memory;  // Of a large batch: freed as one.
  const json::value document = json::parse(body, broken, &memory);
  const json::object* object = broken ? nullptr : document.if_object();
  const json::value* list = object == nullptr ? nullptr : object->if_contains("operations");
  if (broken) return fail(malformed("the body is no JSON: " + broken.message()));
  if (list == nullptr || !list->is_array()) {
    return fail(malformed(R"(the body must be like {"operations": [{"verb": "add", …}]})"));
  }
  std::vector<Operation> operations;
  operations.reserve(list->get_array().size());
  for (const json::value& value : list->get_array()) {
    auto operation = Reader().read(value);
    if (!operation) return std::unexpected(std::move(operation.error()));
    operations.push_back(std::move(*operation));
  }
  return operations;
}

Status perform(Intent& intent, const std::vector<Operation>& operations) {
  for (const Operation& operation : operations) {
    auto status = perform_one(intent, operation);
    if (status) continue;
    for (Error& error : status.error()) error.place.line = operation.line;
    return status;
  }
  return {};
}

std::string summary_of(const std::vector<Operation>& operations) {
  if (operations.size() != 1) return "batch of " + std::to_string(operations.size()) + " edits";
  const Operation& only = operations.front();
  return std::string(word(only.verb)) + " " + title_of(only.kind, key_of(only));
}

}  // namespace cp
