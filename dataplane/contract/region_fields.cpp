// SPDX-License-Identifier: Apache-2.0
// How the region describes itself: its blocks, their dimensions and labels. The members of each
// block stand in region_members.cpp.
#include "dataplane/contract/region_fields.hpp"

#include "dataplane/contract/gaps.hpp"

#include <cstring>
#include <string>

namespace contract {
namespace {

// A block in the region: its members, where it starts, and the dimensions around it.
struct Block {
  std::string_view name;
  std::span<const Member> members;
  std::uint64_t offset;
  std::vector<Dimension> outer;
};

Dimension dimension(std::string_view name, std::uint64_t count, std::uint64_t stride_bytes,
                    Labels labels = Labels::none) {
  return {.name = to_text<name_bytes>(name),
          .count = static_cast<std::uint32_t>(count),
          .stride_bytes = static_cast<std::uint32_t>(stride_bytes),
          .label_list = static_cast<std::uint32_t>(labels),
          .reserved = 0};
}

std::vector<Block> blocks(const RegionShape& shape) {
  const RegionLayout at = lay_out(shape);
  const Dimension worker = dimension("worker", shape.worker_count, at.worker_stride);
  const std::uint64_t workers = at.workers_offset;
  return {
      {"global", global_members(), at.global_offset, {}},
      {"port_state",
       port_state_members(),
       at.port_states_offset,
       {dimension("port", shape.port_count, sizeof(PortState))}},
      {"worker_place",
       worker_place_members(),
       at.worker_places_offset,
       {dimension("worker", shape.worker_count, sizeof(WorkerPlace))}},
      {"next_hop",
       next_hop_members(),
       at.next_hop_states_offset,
       {dimension("next_hop", shape.next_hop_count, sizeof(NextHopState))}},
      {"neighbour",
       neighbour_members(),
       at.neighbour_states_offset,
       {dimension("neighbour", shape.neighbour_count, sizeof(NeighbourState))}},
      {"queue",
       queue_members(),
       at.queues_offset,
       {dimension("port", shape.port_count, traffic_class_count * sizeof(QueueCounters)),
        dimension("traffic_class", traffic_class_count, sizeof(QueueCounters))}},
      {"worker", worker_members(), workers + at.totals_offset, {worker}},
      {"worker", gap_members(), workers + gaps_offset(at), {worker}},
      {"stage",
       stage_members(),
       workers + at.stages_offset,
       {worker, dimension("stage", shape.stages.size(), sizeof(StageCounters), Labels::stage)}},
      {"port",
       port_members(),
       workers + at.ports_offset,
       {worker, dimension("port", shape.port_count, sizeof(PortCounters))}},
      {"network",
       network_members(),
       workers + at.networks_offset,
       {worker, dimension("network", shape.network_count, sizeof(NetworkCounters))}},
      {"vtep",
       vtep_members(),
       workers + at.vteps_offset,
       {worker, dimension("vtep", shape.vtep_count, sizeof(VtepCounters))}},
  };
}

Field make_field(const Block& block, const Member& member) {
  Field field{};
  field.name = to_text<64>(std::string(block.name) + "." + std::string(member.name));
  field.unit = to_text<16>(member.unit);
  field.help = to_text<128>(member.help);
  field.kind = member.kind;
  field.element_bytes = member.element_bytes;
  field.offset = block.offset + member.offset;
  for (const Dimension& outer : block.outer) field.dimensions[field.dimension_count++] = outer;
  for (const MemberDimension& inner : member.dimensions) {
    if (inner.name.empty()) continue;
    field.dimensions[field.dimension_count++] =
        dimension(inner.name, inner.count, inner.stride_bytes, inner.labels);
  }
  return field;
}

// "1us", "1.25us": where each position ends.
constexpr std::array<Text<16>, gap_slots> gap_names = [] {
  constexpr std::array<std::string_view, 4> parts{"us", ".25us", ".5us", ".75us"};
  std::array<Text<16>, gap_slots> names{};
  for (std::size_t slot = 0; slot + 1 < gap_slots; ++slot) {
    const std::uint64_t end = gap_end_quarters_us(slot);
    std::size_t size = 1;
    for (std::uint64_t rest = end / 40; rest > 0; rest /= 10) ++size;
    std::uint64_t whole = end / 4;
    for (std::size_t i = size; i-- > 0; whole /= 10) {
      names[slot][i] = static_cast<char>('0' + whole % 10);
    }
    for (const char c : parts[end % 4]) names[slot][size++] = c;
  }
  std::size_t size = 0;
  for (const char c : std::string_view("unbounded")) names.back()[size++] = c;
  return names;
}();

// The names of one dimension's positions, in the order of `Labels`.
std::array<std::vector<std::string_view>, static_cast<std::size_t>(Labels::count)> label_texts(
    const RegionShape& shape) {
  std::array<std::vector<std::string_view>, static_cast<std::size_t>(Labels::count)> texts;
  for (const DropReasonText& reason : drop_reasons) texts[0].push_back(reason.name);
  texts[1].assign(packet_kind_names.begin(), packet_kind_names.end());
  texts[2].assign(ecn_names.begin(), ecn_names.end());
  texts[3].assign(shape.stages.begin(), shape.stages.end());
  for (const HostClassText& text : host_classes) texts[4].push_back(text.name);
  texts[5].assign(depth_names.begin(), depth_names.end());
  for (const Text<16>& name : gap_names) texts[6].push_back(to_view(name));
  return texts;
}

constexpr std::array<std::string_view, static_cast<std::size_t>(Labels::count)> label_list_names{
    "drop_reason", "packet_kind", "ecn", "stage", "host_class", "depth", "gap"};

std::size_t field_count() noexcept {
  std::size_t count = 0;
  for (const auto members :
       {worker_members(), gap_members(), stage_members(), port_members(), network_members(),
        vtep_members(), port_state_members(), worker_place_members(), next_hop_members(),
        neighbour_members(), queue_members(), global_members()}) {
    count += members.size();
  }
  return count;
}

constexpr std::uint64_t lists_offset = sizeof(RegionHeader);
constexpr std::uint64_t fields_offset = lists_offset + label_list_names.size() * sizeof(LabelList);
std::uint64_t labels_offset() noexcept {
  return fields_offset + field_count() * sizeof(Field);
}

template <class T>
void write(std::span<std::byte> memory, std::uint64_t offset, const T& value) {
  std::memcpy(memory.data() + offset, &value, sizeof value);
}

}  // namespace

std::uint64_t description_bytes(const RegionShape& shape) noexcept {
  const std::size_t labels = drop_reason_count + packet_kind_count + ecn_names.size() +
                             shape.stages.size() + host_class_count + depth_names.size() +
                             gap_names.size();
  return labels_offset() + labels * label_bytes;
}

void describe_region(std::span<std::byte> memory, const RegionShape& shape) {
  std::uint64_t labels_end = labels_offset();
  const auto texts = label_texts(shape);
  for (std::size_t list = 0; list < texts.size(); ++list) {
    const LabelList head{.name = to_text<name_bytes>(label_list_names[list]),
                         .offset = labels_end,
                         .count = static_cast<std::uint32_t>(texts[list].size()),
                         .reserved = 0};
    write(memory, lists_offset + list * sizeof(LabelList), head);
    for (std::string_view label : texts[list]) {
      write(memory, labels_end, to_text<label_bytes>(label));
      labels_end += label_bytes;
    }
  }

  std::uint64_t next_field = fields_offset;
  for (const Block& block : blocks(shape)) {
    for (const Member& member : block.members) {
      write(memory, next_field, make_field(block, member));
      next_field += sizeof(Field);
    }
  }

  // Last: a reader that maps the region early sees no magic yet.
  write(memory, 0,
        RegionHeader{.magic = region_magic,
                     .version = region_version,
                     .header_bytes = sizeof(RegionHeader),
                     .total_bytes = lay_out(shape).total_bytes,
                     .label_list_count = label_list_names.size(),
                     .field_count = static_cast<std::uint32_t>(field_count()),
                     .label_lists_offset = lists_offset,
                     .fields_offset = fields_offset});
}

}  // namespace contract
