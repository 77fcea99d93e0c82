// SPDX-License-Identifier: Apache-2.0
// Files and request bodies → intent. YAML is read as events, without a tree in between; JSON is
// canonical. Both know the line and column of every field and tell all they find wrong at once.
#pragma once

#include "controlplane/intent/error.hpp"
#include "controlplane/intent/limits.hpp"
#include "controlplane/intent/model.hpp"

#include <cstddef>
#include <string>
#include <string_view>

namespace cp {

enum class Syntax { json, yaml };

// What a document may be, whatever it says: a hostile one ends here.
struct ReadOptions {
  std::string file = {};  // For errors; empty: not from a file.
  std::size_t bytes_max = std::size_t{256} << 20;
  Limits limits = {};
  std::string key = {};  // read_object(): the key that a URL gave.
  // read_intent(): false for objects out of an intent, whose references lead outside of them.
  bool whole = true;
};

// By content: JSON where a brace and a quoted key or nothing come first, else YAML.
Syntax guess_syntax(std::string_view text) noexcept;

// The whole intent: read, validated (validate.hpp) and sorted; errors have their places.
Result<Intent> read_intent(std::string_view text, Syntax syntax, const ReadOptions& options = {});

// One object, as the body of a request. Where options.key says what it is called, the key's fields
// may be left out and cannot differ. Checked no further than the types: the rest needs the intent.
Result<Object> read_object(ObjectKind kind, std::string_view text, Syntax syntax,
                           const ReadOptions& options = {});
// Changes of an object: what the text does not name stays; null unsets an optional field.
Result<Object> read_object_onto(Object start, std::string_view text, Syntax syntax,
                                const ReadOptions& options = {});

}  // namespace cp
