// SPDX-License-Identifier: Apache-2.0
#include "controlplane/cli/edit.hpp"

#include <boost/json/serialize.hpp>

#include <array>

namespace cp {

namespace json = boost::json;

namespace {

constexpr std::array<std::string_view, 3> edit_verbs{"add", "set", "delete"};

Error usage(std::string message, std::string suggestion = {}) {
  Error error;
  error.message = std::move(message);
  error.suggestion = std::move(suggestion);
  return error;
}

Error not_closed(char quote) {
  return usage(std::string("a quote (") + quote + ") is not closed");
}

// Takes the words that say which object it is; returns how many they are. An endpoint is
// "blue/02:…", "blue 02:…" or "blue mac 02:…", a queue "wire0/3" or "wire0 3".
std::size_t take_key(ObjectKind kind, const std::vector<std::string>& words, std::string& key) {
  key = words[0];
  if (kind == ObjectKind::queue && words.size() > 1 && parse_queue_key(key + "/" + words[1])) {
    key += "/" + words[1];
    return 2;
  }
  if (kind != ObjectKind::endpoint || key.find('/') != key.npos || words.size() < 2) return 1;
  if (base::parse_mac(words[1])) {
    key += "/" + words[1];
    return 2;
  }
  if (words[1] == "mac" && words.size() > 2) {
    key += "/" + words[2];
    return 3;
  }
  return 1;
}

void add_key_fields(ObjectKind kind, Edit& edit) {
  if (kind != ObjectKind::endpoint && kind != ObjectKind::queue) {
    edit.fields.emplace_back("name", std::move(edit.key));
  } else {
    const bool is_queue = kind == ObjectKind::queue;
    const std::size_t slash = edit.key.find('/');
    edit.fields.emplace_back(is_queue ? "port" : "network", edit.key.substr(0, slash));
    if (slash != edit.key.npos) {
      edit.fields.emplace_back(is_queue ? "traffic_class" : "mac", edit.key.substr(slash + 1));
    }
  }
  edit.key.clear();
}

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r';
}

std::expected<Edit, Error> parse_line(const std::vector<std::string>& words) {
  const auto kind = parse_kind(words[0]);
  if (!kind) {
    return std::unexpected(
        usage("a batch holds edits of ports, next hops, vteps, networks, endpoints, host rules and "
              "queues, not \"" +
                  words[0] + "\"",
              nearest(words[0], kind_nouns())));
  }
  if (words.size() < 2) return std::unexpected(usage("a verb is missing: add, set or delete"));
  return parse_edit(*kind, words[1], {words.begin() + 2, words.end()});
}

}  // namespace

std::expected<Edit, Error> parse_edit(ObjectKind kind, std::string_view verb,
                                      const std::vector<std::string>& words) {
  if (std::find(edit_verbs.begin(), edit_verbs.end(), verb) == edit_verbs.end()) {
    return std::unexpected(
        usage("\"" + std::string(verb) + "\" edits nothing: add, set or delete do",
              nearest(verb, {"add", "set", "delete"})));
  }
  if (words.empty()) {
    return std::unexpected(
        usage(std::string(noun(kind)) + " " + std::string(verb) + ": the name is missing"));
  }
  Edit edit{.verb = std::string(verb), .kind = kind, .key = {}, .fields = {}};
  std::size_t next = take_key(kind, words, edit.key);
  const std::string title = title_of(kind, edit.key);
  if (verb == "add") add_key_fields(kind, edit);
  for (; next < words.size(); next += 2) {
    if (next + 1 == words.size()) {
      return std::unexpected(usage(title + ": field \"" + words[next] + "\" has no value"));
    }
    edit.fields.emplace_back(words[next], words[next + 1]);
  }
  if (verb == "set" && edit.fields.empty()) {
    return std::unexpected(usage(title + ": no field is named; write FIELD VALUE"));
  }
  if (verb == "delete" && !edit.fields.empty()) {
    return std::unexpected(usage(title + ": delete takes no fields"));
  }
  return edit;
}

std::expected<std::vector<std::string>, char> split_words(std::string_view line) {
  std::vector<std::string> words;
  std::size_t i = 0;
  while (i < line.size()) {
    if (is_blank(line[i])) {
      ++i;
      continue;
    }
    if (line[i] == '#') break;
    std::string& word = words.emplace_back();
    char quote = 0;
    for (; i < line.size() && (quote != 0 || !is_blank(line[i])); ++i) {
      if (line[i] == quote) {
        quote = 0;
      } else if (quote == 0 && (line[i] == '"' || line[i] == '\'')) {
        quote = line[i];
      } else {
        word.push_back(line[i]);
      }
    }
    if (quote != 0) return std::unexpected(quote);
  }
  return words;
}

std::expected<std::vector<Edit>, Error> parse_batch(std::string_view text) {
  std::vector<Edit> edits;
  std::uint32_t line_number = 0;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    ++line_number;
    const auto words = split_words(line);
    if (words && words->empty()) continue;
    auto edit = words ? parse_line(*words) : std::unexpected(not_closed(words.error()));
    if (!edit) {
      edit.error().place.line = line_number;
      return std::unexpected(std::move(edit.error()));
    }
    edit->line = line_number;
    edits.push_back(std::move(*edit));
  }
  return edits;
}

// Written at once: a tree of values for a large batch takes longer than the rest of the command.
std::string batch_body(const std::vector<Edit>& edits) {
  constexpr std::size_t bytes_usual = 128;  // Growing by doubling would copy it all again.
  std::string body;
  body.reserve(edits.size() * bytes_usual);
  body += R"({"operations":[)";
  for (const Edit& edit : edits) {
    if (&edit != &edits.front()) body += ',';
    body += R"({"verb":)" + json::serialize(edit.verb);
    body += R"(,"kind":)" + json::serialize(singular(edit.kind));
    if (!edit.key.empty()) body += R"(,"key":)" + json::serialize(edit.key);
    if (edit.line != 0) body += R"(,"line":)" + std::to_string(edit.line);
    char separator = '{';
    for (const auto& [field, value] : edit.fields) {
      if (separator == '{') body += R"(,"fields":)";
      body += separator + json::serialize(field) + ':' + json::serialize(value);
      separator = ',';
    }
    body += edit.fields.empty() ? "}" : "}}";
  }
  body += "]}";
  return body;
}

}  // namespace cp
