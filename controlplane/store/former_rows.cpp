// SPDX-License-Identifier: Apache-2.0
#include "controlplane/store/former_rows.hpp"

#include "controlplane/intent/read.hpp"
#include "controlplane/intent/write.hpp"
#include "controlplane/store/row_digest.hpp"

#include <array>
#include <string>
#include <unordered_map>
#include <utility>

namespace cp {
namespace {

// The owner file counts nothing: rows of the schema without owners are its.
std::uint64_t object_digest(ObjectKind kind, std::string_view key, std::string_view json,
                            Owner owner) {
  RowDigest digest('o');
  digest.add(static_cast<char>(kind)).add_value(key).add(json);
  if (owner != Owner::file) digest.add('\0').add(name(owner));
  return digest.value();
}

// By kind and key.
using Owned = std::array<std::unordered_map<std::string, Owner>, object_kind_count>;

void give_owners(Intent& intent, const Owned& owned) {
  for (std::size_t i = 0; i < object_kind_count; ++i) {
    if (owned[i].empty()) continue;
    visit_kind(static_cast<ObjectKind>(i), [&]<class T>(std::type_identity<T>) {
      ListOf<T> list;
      for (T object : list_of<T>(intent)) {
        const auto at = owned[i].find(key_of(object));
        if (at != owned[i].end()) object.owner = at->second;
        list.push_back(std::move(object));
      }
      list_of<T>(intent) = std::move(list);
    });
  }
}

Error no_owner(Database& database, std::string object) {
  Error error = database.error({});
  error.code = base::Errc::malformed;
  error.object = std::move(object);
  error.message =
      "does not say who owns it; restore a copy, or move the file away to start with an empty "
      "store";
  return error;
}

}  // namespace

Result<Intent> read_former_rows(Database& database, std::uint64_t& digest) {
  auto rows = Statement::make(database, "SELECT key, json, owner FROM objects WHERE kind = ?");
  if (!rows) return std::unexpected(rows.error());
  // The same text as in a file, so that there is one reader; beside it whose each object is that
  // is not the file's.
  std::string document = "{";
  Owned owned;
  for (std::size_t i = 0; i < object_kind_count; ++i) {
    const auto kind = static_cast<ObjectKind>(i);
    document += (i == 0 ? "" : ",") + json_string(plural(kind)) + ":[";
    rows->start().bind(static_cast<std::int64_t>(kind));
    Statement::Step step;
    for (bool first = true; (step = rows->step()) == Statement::Step::row; first = false) {
      const auto owner = parse_owner(rows->text(2));
      if (!owner) return fail(no_owner(database, title_of(kind, rows->text(0))));
      digest += object_digest(kind, rows->text(0), rows->text(1), *owner);
      if (*owner != Owner::file) owned[i].emplace(rows->text(0), *owner);
      if (!first) document += ",\n";
      document += rows->text(1);
    }
    if (step == Statement::Step::failed) return fail(database.error("read"));
    document += ']';
  }
  document += '}';
  const ReadOptions options{
      .file = database.path(), .bytes_max = document.size(), .limits = limits_unknown, .key = {}};
  auto intent = read_intent(document, Syntax::json, options);
  if (intent) give_owners(*intent, owned);
  return intent;
}

}  // namespace cp
