// SPDX-License-Identifier: Apache-2.0
// The region as writer and reader see it, and that its description leaves no byte out.
#include "dataplane/contract/region.hpp"

#include "dataplane/contract/gaps.hpp"
#include "dataplane/contract/region_fields.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <set>
#include <thread>

namespace contract {
namespace {

RegionShape small_shape() {
  return {.worker_count = 2,
          .port_count = 4,
          .network_count = 5,
          .vtep_count = 3,
          .next_hop_count = 3,
          .neighbour_count = 3,
          .stages = {"host_to_wire/parse_frame", "wire_to_host/parse_outer"}};
}

struct AlignedRegion {
  explicit AlignedRegion(const RegionShape& shape)
      : lines(lay_out(shape).total_bytes / cache_line_bytes) {
    describe_region(bytes(), shape);
  }
  std::span<std::byte> bytes() { return std::as_writable_bytes(std::span(lines)); }

  struct alignas(cache_line_bytes) Line {
    std::array<std::byte, cache_line_bytes> bytes;
  };
  std::vector<Line> lines;
};

// Marks the bytes of `members` in a block of `size`, slots without a name included.
std::vector<bool> described_bytes(std::span<const Member> members, std::size_t size) {
  std::vector<bool> described(size, false);
  for (const Member& member : members) {
    const MemberDimension& outer = member.dimensions[0];
    const MemberDimension& inner = member.dimensions[1];
    for (std::size_t i = 0; i < std::max(1u, outer.slots); ++i) {
      for (std::size_t j = 0; j < std::max(1u, inner.slots); ++j) {
        const std::size_t at = member.offset + i * outer.stride_bytes + j * inner.stride_bytes;
        for (std::size_t byte = at; byte < at + member.element_bytes; ++byte) {
          EXPECT_FALSE(described.at(byte)) << member.name << " overlaps at byte " << byte;
          described.at(byte) = true;
        }
      }
    }
  }
  return described;
}

void expect_complete(std::string_view block, std::span<const Member> members, std::size_t size) {
  const std::vector<bool> described = described_bytes(members, size);
  for (std::size_t byte = 0; byte < size; ++byte) {
    ASSERT_TRUE(described[byte]) << "no member of " << block << " describes byte " << byte;
  }
}

TEST(Region, describes_every_byte_of_every_block_once) {
  expect_complete("WorkerTotals", worker_members(), sizeof(WorkerTotals));
  expect_complete("WorkerGaps", gap_members(), sizeof(WorkerGaps));
  expect_complete("StageCounters", stage_members(), sizeof(StageCounters));
  expect_complete("PortCounters", port_members(), sizeof(PortCounters));
  expect_complete("NetworkCounters", network_members(), sizeof(NetworkCounters));
  expect_complete("VtepCounters", vtep_members(), sizeof(VtepCounters));
  expect_complete("PortState", port_state_members(), sizeof(PortState));
  expect_complete("WorkerPlace", worker_place_members(), sizeof(WorkerPlace));
  expect_complete("NextHopState", next_hop_members(), sizeof(NextHopState));
  expect_complete("NeighbourState", neighbour_members(), sizeof(NeighbourState));
  expect_complete("QueueCounters", queue_members(), sizeof(QueueCounters));
  expect_complete("GlobalState", global_members(), sizeof(GlobalState));
}

TEST(Region, gives_each_field_a_name_a_unit_and_a_help_text_that_fit) {
  AlignedRegion region(small_shape());
  const auto view = RegionView::open(region.bytes());
  ASSERT_TRUE(view.has_value()) << view.error().text;

  std::set<std::string_view> names;
  for (const Field& field : view->fields()) {
    EXPECT_TRUE(names.insert(to_view(field.name)).second) << to_view(field.name);
    EXPECT_NE(to_view(field.unit), "") << to_view(field.name);
    EXPECT_TRUE(to_view(field.help).ends_with('.')) << to_view(field.name) << ": cut or missing";
  }
}

TEST(Region, a_gap_is_counted_where_its_name_says) {
  EXPECT_EQ(gap_slot(0), 0u);
  for (std::size_t slot = 0; slot + 1 < gap_slots; ++slot) {
    const std::uint64_t end = gap_end_quarters_us(slot);
    EXPECT_EQ(gap_slot(end - 1), slot) << "the last that is less";
    EXPECT_EQ(gap_slot(end), slot + 1) << "the next begins there";
  }
  EXPECT_EQ(gap_slot(~std::uint64_t{0}), gap_slots - 1);

  AlignedRegion region(small_shape());
  const WorkerBlock worker = worker_block(region.bytes(), small_shape(), 1);
  worker_gaps(worker).turns_by_gap[gap_slot(4 * 20)] = 7;
  const auto view = RegionView::open(region.bytes());
  const Field* field = view->find("worker.turns_by_gap");
  ASSERT_NE(field, nullptr);
  const std::uint32_t labels = field->dimensions[1].label_list;
  EXPECT_EQ(view->label(labels, 0), "1us");
  EXPECT_EQ(view->label(labels, 2), "1.5us");
  EXPECT_EQ(view->label(labels, gap_slot(4 * 20)), "24us");
  EXPECT_EQ(view->label(labels, gap_slots - 2), "32768us");
  EXPECT_EQ(view->label(labels, gap_slots - 1), "unbounded");
  const std::array<std::uint32_t, 2> at{1, static_cast<std::uint32_t>(gap_slot(4 * 20))};
  EXPECT_EQ(view->value(*field, at), 7u);
}

TEST(Region, keeps_blocks_apart_and_inside) {
  const RegionShape shape = small_shape();
  AlignedRegion region(shape);
  const std::byte* end = region.bytes().data() + region.bytes().size();

  const WorkerBlock first = worker_block(region.bytes(), shape, 0);
  const WorkerBlock last = worker_block(region.bytes(), shape, 1);

  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(last.totals) % cache_line_bytes, 0u);
  EXPECT_GE(reinterpret_cast<std::byte*>(last.totals),
            reinterpret_cast<std::byte*>(first.vteps.data() + first.vteps.size()));
  EXPECT_LE(reinterpret_cast<const std::byte*>(last.vteps.data() + last.vteps.size()), end);
  EXPECT_LE(reinterpret_cast<std::byte*>(&port_states(region.bytes(), shape).back() + 1),
            reinterpret_cast<std::byte*>(first.totals));
}

TEST(Region, reads_back_what_was_written) {
  const RegionShape shape = small_shape();
  AlignedRegion region(shape);
  const WorkerBlock worker = worker_block(region.bytes(), shape, 1);
  worker.totals->drops[static_cast<int>(DropReason::unknown_vni)] = 11;
  worker.stages[1].cycles_sampled = 12;
  worker.ports[3].rx_kinds[static_cast<int>(PacketKind::roce_cnp)][3] = 13;
  worker.networks[4].ecn_decap[2][3] = 14;
  worker.vteps[2].decap_bytes = 15;
  global_state(region.bytes(), shape).generation = 16;
  std::memcpy(port_states(region.bytes(), shape)[2].name.data(), "host0", 5);

  const auto view = RegionView::open(region.bytes());
  ASSERT_TRUE(view.has_value());
  const auto read = [&](const char* name, std::vector<std::uint32_t> at) {
    const Field* field = view->find(name);
    EXPECT_NE(field, nullptr) << name;
    return field == nullptr ? 0 : view->value(*field, at);
  };

  EXPECT_EQ(read("worker.drops", {1, static_cast<std::uint32_t>(DropReason::unknown_vni)}), 11u);
  EXPECT_EQ(read("stage.cycles_sampled", {1, 1}), 12u);
  EXPECT_EQ(read("port.rx_kinds", {1, 3, static_cast<std::uint32_t>(PacketKind::roce_cnp), 3}),
            13u);
  EXPECT_EQ(read("network.ecn_decap", {1, 4, 2, 3}), 14u);
  EXPECT_EQ(read("vtep.decap_bytes", {1, 2}), 15u);
  EXPECT_EQ(read("global.generation", {}), 16u);
  EXPECT_EQ(view->text(*view->find("port_state.name"), std::array{2u}), "host0");
}

TEST(Region, names_the_positions_of_its_dimensions) {
  AlignedRegion region(small_shape());
  const auto view = RegionView::open(region.bytes());
  ASSERT_TRUE(view.has_value());

  const Field* drops = view->find("stage.drops");
  ASSERT_NE(drops, nullptr);
  ASSERT_EQ(drops->dimension_count, 3u);
  EXPECT_EQ(view->label(drops->dimensions[1].label_list, 1), "wire_to_host/parse_outer");
  EXPECT_EQ(view->label(drops->dimensions[2].label_list, 1), "frame_truncated");
  EXPECT_EQ(view->label(drops->dimensions[2].label_list, drop_reason_count), "");
  EXPECT_EQ(view->label(99, 0), "");
}

TEST(Region, answers_zero_to_indices_out_of_range) {
  AlignedRegion region(small_shape());
  const auto view = RegionView::open(region.bytes());
  ASSERT_TRUE(view.has_value());
  const Field& rx = *view->find("worker.rx");

  EXPECT_EQ(view->value(rx, std::array{2u}), 0u);
  EXPECT_EQ(view->value(rx, {}), 0u);
  EXPECT_EQ(view->value(rx, std::array{0u, 0u}), 0u);
  EXPECT_EQ(view->text(*view->find("port_state.name"), std::array{4u}), "");
  EXPECT_EQ(view->find("worker.no_such"), nullptr);
}

TEST(Region, reads_totals_of_one_moment_while_they_are_written) {
  const RegionShape shape = small_shape();
  AlignedRegion region(shape);
  WorkerTotals& totals = *worker_block(region.bytes(), shape, 0).totals;
  const auto view = RegionView::open(region.bytes());
  ASSERT_TRUE(view.has_value());

  std::atomic<bool> stop{false};
  std::thread writer([&] {
    while (!stop.load(std::memory_order_relaxed)) {
      begin_totals(totals);
      add(totals.rx, 3);
      add(totals.created, 1);
      add(totals.tx, 2);
      add(totals.dropped, 2);
      end_totals(totals);
    }
  });
  std::uint64_t seen = 0;
  for (int i = 0; i < 20'000; ++i) {
    const auto read = view->read_totals(0);
    if (!read) continue;
    EXPECT_EQ(read->mismatch(), 0);
    EXPECT_GE(read->rx, seen);
    seen = read->rx;
  }
  stop.store(true, std::memory_order_relaxed);
  writer.join();

  EXPECT_TRUE(view->read_totals(0).has_value());
}

// Gives the field another name, as if that release had none of this one.
void hide_field(std::span<std::byte> memory, std::string_view name) {
  RegionHeader header;
  std::memcpy(&header, memory.data(), sizeof header);
  for (std::uint32_t i = 0; i < header.field_count; ++i) {
    std::byte* at = memory.data() + header.fields_offset + i * sizeof(Field);
    Text<64> found;
    std::memcpy(found.data(), at, sizeof found);
    if (to_view(found) == name) std::memcpy(at, "another", 8);
  }
}

TEST(Region, reads_totals_of_a_release_that_has_fewer) {
  const RegionShape shape = small_shape();
  AlignedRegion region(shape);
  WorkerTotals& totals = *worker_block(region.bytes(), shape, 1).totals;
  totals.rx = 10;
  totals.held = 3;
  totals.drops[5] = 7;
  hide_field(region.bytes(), "worker.held");
  const auto view = RegionView::open(region.bytes());
  ASSERT_TRUE(view.has_value());

  const auto read = view->read_totals(1);

  ASSERT_TRUE(read.has_value()) << read.error().text;
  EXPECT_EQ(read->rx, 10u);
  EXPECT_EQ(read->held, 0u);
  EXPECT_EQ(read->drops[5], 7u);
}

TEST(Region, shows_a_packet_that_is_not_accounted_for) {
  WorkerTotals totals{};
  totals.rx = 10;
  totals.created = 2;
  totals.tx = 7;
  totals.dropped = 3;
  totals.held = 1;

  EXPECT_EQ(totals.mismatch(), 1);
}

TEST(Region, waits_for_a_writer_that_lost_its_core_half_way) {
  const RegionShape shape = small_shape();
  AlignedRegion region(shape);
  WorkerTotals& totals = *worker_block(region.bytes(), shape, 0).totals;
  const auto view = RegionView::open(region.bytes());
  ASSERT_TRUE(view.has_value());
  begin_totals(totals);
  std::jthread writer([&totals] {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    std::atomic_ref(totals.rx).store(7, std::memory_order_relaxed);
    end_totals(totals);
  });

  const auto read = view->read_totals(0);

  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->rx, 7U);
}

TEST(Region, gives_up_on_a_writer_that_died_half_way) {
  const RegionShape shape = small_shape();
  AlignedRegion region(shape);
  begin_totals(*worker_block(region.bytes(), shape, 0).totals);
  const auto view = RegionView::open(region.bytes());
  ASSERT_TRUE(view.has_value());

  const auto read = view->read_totals(0);

  ASSERT_FALSE(read.has_value());
  EXPECT_EQ(read.error().code, base::Errc::timed_out);
  EXPECT_EQ(view->read_totals(2).error().code, base::Errc::not_found);
}

}  // namespace
}  // namespace contract
