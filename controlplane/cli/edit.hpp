// SPDX-License-Identifier: Apache-2.0
// Words of a command line, or lines of a batch file → edits as POST /v1/batch takes them. Pure;
// whether an edit makes sense is the server's business.
#pragma once

#include "controlplane/intent/error.hpp"
#include "controlplane/intent/model.hpp"

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cp {

struct Edit {
  std::string verb;  // "add", "set", "delete"
  ObjectKind kind;
  std::string key;  // Not of "add", where it is among the fields.
  std::vector<std::pair<std::string, std::string>> fields;
  std::uint32_t line = 0;  // In the batch file, from 1; 0: not from one.
};

// The words behind noun and verb: "wire0 mtu 1600", "blue mac 02:00:00:00:0b:01 vtep gw2".
std::expected<Edit, Error> parse_edit(ObjectKind kind, std::string_view verb,
                                      const std::vector<std::string>& words);

// One edit a line, without the word weir; # starts a comment. The error has its line.
std::expected<std::vector<Edit>, Error> parse_batch(std::string_view text);

// "a 'b c' \"d\"" → a | b c | d; or the quote that nothing closes.
std::expected<std::vector<std::string>, char> split_words(std::string_view line);

// The JSON document for POST /v1/batch.
std::string batch_body(const std::vector<Edit>& edits);

}  // namespace cp
