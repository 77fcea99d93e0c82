// SPDX-License-Identifier: Apache-2.0
#include "controlplane/api/counters.hpp"

#include <boost/json/value.hpp>

#include <array>

namespace cp {

namespace json = boost::json;
using contract::Dimension;
using contract::Field;
using contract::FieldKind;
using contract::RegionView;
using contract::to_view;

namespace {

using Indices = std::array<std::uint32_t, contract::dimension_count_max>;

// Sum over every dimension from `depth` on, but for the one that `at` fixes.
std::uint64_t sum(const RegionView& region, const Field& field, const Position& at,
                  Indices& indices, std::uint32_t depth) {
  // The second bound holds for every field that RegionView let pass; the compiler cannot know.
  if (depth == field.dimension_count || depth == indices.size()) {
    return region.value(field, {indices.data(), depth});
  }
  const Dimension& dimension = field.dimensions[depth];
  std::uint64_t total = 0;
  const auto fixed = at.in(to_view(dimension.name));
  const std::uint32_t first = fixed.value_or(0);
  const std::uint32_t end = fixed ? first + 1 : dimension.count;
  for (std::uint32_t i = first; i < end; ++i) {
    indices[depth] = i;
    total += sum(region, field, at, indices, depth + 1);
  }
  return total;
}

// Labelled dimensions from `depth` on as nested objects; the rest is summed. Before them stand
// only the worker and what `at` fixes.
json::value read_nested(const RegionView& region, const Field& field, const Position& at,
                        Indices& indices, std::uint32_t depth,
                        const std::vector<std::uint32_t>& labelled) {
  if (depth == labelled.size()) {
    // All labelled indices are chosen: sum over the others.
    Indices chosen = indices;
    std::uint64_t total = 0;
    const std::uint32_t workers = field.dimension_count > 0 &&
                                          to_view(field.dimensions[0].name) == "worker" &&
                                          at.dimension != "worker"
                                      ? field.dimensions[0].count
                                      : 1;
    for (std::uint32_t worker = 0; worker < workers; ++worker) {
      if (workers > 1) chosen[0] = worker;
      total += region.value(field, {chosen.data(), field.dimension_count});
    }
    return total;
  }
  json::object object;
  const Dimension& dimension = field.dimensions[labelled[depth]];
  for (std::uint32_t i = 0; i < dimension.count; ++i) {
    indices[labelled[depth]] = i;
    json::value value = read_nested(region, field, at, indices, depth + 1, labelled);
    const bool nothing = value.is_object() ? value.get_object().empty() : value.get_uint64() == 0;
    if (!nothing) object.emplace(region.label(dimension.label_list, i), std::move(value));
  }
  return object;
}

json::value read_field(const RegionView& region, const Field& field, const Position& at) {
  Indices indices{};
  std::vector<std::uint32_t> labelled;
  for (std::uint32_t i = 0; i < field.dimension_count; ++i) {
    const Dimension& dimension = field.dimensions[i];
    if (const auto fixed = at.in(to_view(dimension.name))) {
      indices[i] = *fixed;
    } else if (dimension.label_list != contract::no_labels) {
      labelled.push_back(i);
    }
  }
  if (field.kind == FieldKind::text) {
    return json::value(region.text(field, {indices.data(), field.dimension_count}));
  }
  return read_nested(region, field, at, indices, 0, labelled);
}

}  // namespace

void add_counters(json::object& out, const RegionView& region, std::string_view block,
                  const Position& at) {
  for (const Field& field : region.fields()) {
    const std::string_view name = to_view(field.name);
    if (!name.starts_with(block) || name.size() <= block.size() || name[block.size()] != '.') {
      continue;
    }
    out.insert_or_assign(name.substr(block.size() + 1), read_field(region, field, at));
  }
}

std::uint64_t read_counter(const RegionView& region, std::string_view name, const Position& at) {
  const Field* field = region.find(name);
  if (field == nullptr || field->kind == FieldKind::text) return 0;
  Indices indices{};
  return sum(region, *field, at, indices, 0);
}

std::uint32_t position_count(const RegionView& region, std::string_view name,
                             std::string_view dimension) {
  const Field* field = region.find(name);
  if (field == nullptr) return 0;
  for (std::uint32_t i = 0; i < field->dimension_count; ++i) {
    if (to_view(field->dimensions[i].name) == dimension) return field->dimensions[i].count;
  }
  return 0;
}

}  // namespace cp
