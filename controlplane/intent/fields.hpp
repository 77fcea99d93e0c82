// SPDX-License-Identifier: Apache-2.0
// What there is to know of each field, for people: command options, completion, help and schemas
// are made of this list. It is derived from describe.hpp; nothing is said twice.
#pragma once

#include "controlplane/intent/error.hpp"
#include "controlplane/intent/model.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace cp {

enum class FieldType : std::uint8_t {
  name,  // Of an object.
  text,
  number,  // least..most.
  choice,  // One of `choices`.
  mac,
  ip,
  dscp,  // "copy" or 0..63.
  name_list,
  address_list,  // Each with its prefix length.
  rate,          // least..most bits a second.
  bytes,
  share,  // least..most millionths.
  boolean,
  number_list,  // Each least..most.
  choice_list,  // Of `choices`, each once.
};

// Whether it is written in brackets, and how many may stand there.
bool is_list_type(FieldType type) noexcept;

struct FieldInfo {
  std::string_view name;
  FieldType type;
  std::string_view help;  // One sentence.
  std::string_view unit;  // Empty where none.
  std::uint64_t least;    // Of numbers, inclusive; of bits a second, bytes, millionths likewise.
  std::uint64_t most;
  std::span<const std::string_view> choices;
  std::string_view initial;             // What holds where the field is left out; empty: nothing.
  std::string_view example;             // As written in a file.
  std::optional<ObjectKind> refers_to;  // The names that may stand here.
  bool required;
  bool key;  // Part of what the object is called; never changed.
};

// In the order in which they are written.
std::span<const FieldInfo> fields(ObjectKind kind);
// nullptr where the kind has no such field.
const FieldInfo* find_field(ObjectKind kind, std::string_view name);
// One sentence: what such an object is.
std::string_view help(ObjectKind kind) noexcept;

// "576..9978", "underlay | tenant | transit", "name of a network", for help and errors.
std::string range_text(const FieldInfo& field);
// Of a list: how many it may have, and what they are: "names".
std::size_t items_max(const FieldInfo& field) noexcept;
std::string_view items_of(const FieldInfo& field) noexcept;

// Sets one field from words of a command line ("576", "gw2,gw3"); an empty text unsets an optional
// field. The error names object, field and what would be right.
Status set_field(Object& object, std::string_view field, std::string_view text);
// The field as set_field() reads it; nullopt where it was left out or does not exist.
std::optional<std::string> field_text(const Object& object, std::string_view field);
// All fields empty, as a start for set_field().
Object make_object(ObjectKind kind);
// The same with the fields of its key set; refuses what cannot be a key.
Result<Object> with_key(ObjectKind kind, std::string_view key);

}  // namespace cp
