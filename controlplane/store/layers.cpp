// SPDX-License-Identifier: Apache-2.0
#include "controlplane/store/layers.hpp"

#include "controlplane/store/difference.hpp"
#include "controlplane/store/row_digest.hpp"

#include <utility>

namespace cp {
namespace {

Layer layer_of(LayerNumber number, std::string_view difference) noexcept {
  return {.number = number,
          .bytes = difference.size(),
          .digest = RowDigest('l').add_value(number).add_large(difference).value()};
}

// Calls f(layer, text) in the order in which they were written.
template <class F>
Status for_each_layer(Database& database, F&& f) {
  auto row = Statement::make(database, "SELECT number, difference FROM layers ORDER BY number");
  if (!row) return std::unexpected(row.error());
  row->start();
  Statement::Step step;
  while ((step = row->step()) == Statement::Step::row) {
    f(layer_of(row->integer(0), row->text(1)), row->text(1));
  }
  if (step == Statement::Step::failed) return fail(database.error("read"));
  return {};
}

}  // namespace

Result<Layer> write_layer(Database& database, LayerNumber number, std::string_view difference) {
  auto row = Statement::make(database, "INSERT INTO layers VALUES (?, ?)");
  if (!row) return std::unexpected(row.error());
  if (row->start().bind(number).bind(difference).step() != Statement::Step::done) {
    return fail(database.error("write"));
  }
  return layer_of(number, difference);
}

Status remove_layer(Database& database, LayerNumber number) {
  auto row = Statement::make(database, "DELETE FROM layers WHERE number = ?");
  if (!row) return std::unexpected(row.error());
  if (row->start().bind(number).step() != Statement::Step::done) {
    return fail(database.error("write"));
  }
  return {};
}

Result<Layers> read_layers(Database& database) {
  Layers layers;
  auto read = for_each_layer(database, [&](const Layer& layer, std::string_view text) {
    layers.rows.push_back(layer);
    layers.texts.emplace_back(text);
  });
  if (!read) return std::unexpected(read.error());
  return layers;
}

Status add_up_layers(Database& database, std::uint64_t& digest) {
  return for_each_layer(database,
                        [&](const Layer& layer, std::string_view) { digest += layer.digest; });
}

Result<Intent> apply_layers(const Intent& base, std::vector<std::string> texts) {
  if (texts.empty()) return base;
  auto first = apply_difference(base, texts.front());
  if (!first || texts.size() == 1) return first;
  // All later ones at once: a thousand small changes copy no lists a thousand times.
  texts.erase(texts.begin());
  return apply_difference(*first, join_differences(texts));
}

}  // namespace cp
