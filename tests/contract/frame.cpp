// SPDX-License-Identifier: Apache-2.0
// The frame decoder: what it accepts, how records grow, and that no bytes make it read outside.
#include "dataplane/contract/command.hpp"
#include "dataplane/contract/digest.hpp"

#include <gtest/gtest.h>

#include <random>

namespace contract {
namespace {

using base::Errc;

std::vector<std::byte> two_endpoints() {
  const std::array<EndpointSet, 2> records{EndpointSet{.network = {1},
                                                       .mac = {{2, 0, 0, 0, 0, 1}},
                                                       .place = EndpointPlace::port,
                                                       .reserved = 0,
                                                       .target = 3},
                                           EndpointSet{.network = {1},
                                                       .mac = {{2, 0, 0, 0, 0, 2}},
                                                       .place = EndpointPlace::vtep,
                                                       .reserved = 0,
                                                       .target = 4}};
  return make_frame<EndpointSet>(static_cast<std::uint16_t>(Verb::endpoint_set), 7, 9, records);
}

void change_header(std::vector<std::byte>& frame, void (*change)(FrameHeader&)) {
  FrameHeader header;
  std::memcpy(&header, frame.data(), sizeof header);
  change(header);
  std::memcpy(frame.data(), &header, sizeof header);
}

TEST(Frame, returns_what_was_put_in) {
  const auto frame = two_endpoints();
  const auto view = FrameView::parse(frame);

  ASSERT_TRUE(view.has_value());
  EXPECT_EQ(view->header().transaction, 7u);
  EXPECT_EQ(view->header().sequence, 9u);
  ASSERT_EQ(view->record_count(), 2u);
  EXPECT_EQ(view->record<EndpointSet>(1).target, 4u);
  EXPECT_EQ(view->record<EndpointSet>(1).mac.bytes[5], 2u);
}

TEST(Frame, accepts_a_frame_without_records) {
  const auto frame = make_frame(static_cast<std::uint16_t>(Verb::commit), 1, 1, nullptr, 4, 0);

  EXPECT_TRUE(FrameView::parse(frame).has_value());
}

TEST(Frame, holds_as_many_records_as_promised) {
  const std::vector<EndpointSet> records(records_per_frame<EndpointSet>);
  const auto frame = make_frame<EndpointSet>(40, 1, 1, records);

  const auto view = FrameView::parse(frame);

  ASSERT_TRUE(view.has_value());
  EXPECT_EQ(view->record_count(), records.size());
}

TEST(Frame, fills_what_an_older_sender_lacks_with_zero) {
  // An EndpointSet that ended behind `mac`.
  std::array<std::byte, 8> old_record;
  old_record.fill(std::byte{0x11});
  const auto frame = make_frame(40, 1, 1, old_record.data(), old_record.size(), 1);

  const auto view = FrameView::parse(frame);

  ASSERT_TRUE(view.has_value());
  const auto record = view->record<EndpointSet>(0);
  EXPECT_EQ(record.network.value, 0x1111u);
  EXPECT_EQ(record.mac.bytes[5], 0x11u);
  EXPECT_EQ(static_cast<int>(record.place), 0);
  EXPECT_EQ(record.target, 0u);
}

TEST(Frame, ignores_what_a_newer_sender_has_more) {
  struct Grown {
    EndpointSet known;
    std::uint32_t unknown;
  };
  const std::array<Grown, 2> records{Grown{{.network = {1}, .target = 5}, 77},
                                     Grown{{.network = {2}, .target = 6}, 77}};
  const auto frame = make_frame<Grown>(40, 1, 1, records);

  const auto view = FrameView::parse(frame);

  ASSERT_TRUE(view.has_value());
  EXPECT_EQ(view->record<EndpointSet>(0).target, 5u);
  EXPECT_EQ(view->record<EndpointSet>(1).network.value, 2u);
  EXPECT_EQ(view->record<EndpointSet>(1).target, 6u);
}

TEST(Frame, refuses_every_truncation) {
  const auto frame = two_endpoints();

  for (std::size_t length = 0; length < frame.size(); ++length) {
    const auto view = FrameView::parse(std::span(frame).first(length));
    ASSERT_FALSE(view.has_value()) << length;
    EXPECT_EQ(view.error().code, Errc::malformed) << length;
  }
}

TEST(Frame, refuses_a_trailing_byte) {
  auto frame = two_endpoints();
  frame.push_back(std::byte{0});

  EXPECT_FALSE(FrameView::parse(frame).has_value());
}

TEST(Frame, refuses_headers_that_lie) {
  auto wrong_magic = two_endpoints();
  change_header(wrong_magic, [](FrameHeader& header) { header.magic ^= 1; });
  EXPECT_FALSE(FrameView::parse(wrong_magic).has_value());

  auto too_many = two_endpoints();
  change_header(too_many, [](FrameHeader& header) { header.record_count = 3; });
  EXPECT_FALSE(FrameView::parse(too_many).has_value());

  auto too_large = two_endpoints();
  change_header(too_large, [](FrameHeader& header) { header.record_size = 0xffff; });
  EXPECT_FALSE(FrameView::parse(too_large).has_value());

  auto no_size = two_endpoints();
  change_header(no_size, [](FrameHeader& header) { header.record_size = 0; });
  EXPECT_FALSE(FrameView::parse(no_size).has_value());
}

// Else a peer of another version would learn nothing but that its frame is none.
TEST(Frame, leaves_the_version_to_the_hello) {
  for (const std::uint16_t version : {0, 2, 0xffff}) {
    auto frame = two_endpoints();
    std::memcpy(frame.data() + offsetof(FrameHeader, version), &version, sizeof version);

    EXPECT_TRUE(FrameView::parse(frame).has_value()) << version;
  }
}

TEST(Frame, refuses_more_than_64_kib) {
  const std::vector<std::byte> bytes(frame_bytes_max + 1);

  EXPECT_FALSE(FrameView::parse(bytes).has_value());
}

TEST(Frame, never_reads_outside_of_random_bytes) {
  std::mt19937 random(1);
  for (int round = 0; round < 20'000; ++round) {
    // Exactly sized on the heap, so that a sanitizer sees every byte too far.
    auto frame = two_endpoints();
    for (int change = 0; change < 3; ++change) {
      frame[random() % sizeof(FrameHeader)] = static_cast<std::byte>(random());
    }
    const auto view = FrameView::parse(frame);
    if (!view) continue;
    for (std::size_t i = 0; i < view->record_count(); ++i) (void)view->record<NetworkSet>(i);
  }
}

TEST(Text, survives_a_sender_that_sends_no_nul) {
  Text<4> text{'a', 'b', 'c', 'd'};
  EXPECT_EQ(to_view(text), "abcd");
  EXPECT_EQ(to_view(to_text<4>("abcdef")), "abc");
  EXPECT_EQ(to_view(to_text<4>("")), "");
}

TEST(Digest, tells_records_apart_and_does_not_count_grown_zeros) {
  const EndpointSet one{.network = {1},
                        .mac = {{2, 0, 0, 0, 0, 1}},
                        .place = EndpointPlace::port,
                        .reserved = 0,
                        .target = 3};
  EndpointSet other = one;
  other.target = 4;
  struct Grown {
    EndpointSet known;
    std::uint32_t later;
    std::uint64_t later_still;
  };

  EXPECT_NE(record_digest(one), record_digest(other));
  EXPECT_EQ(record_digest(Grown{one, 0, 0}), record_digest(one));
  EXPECT_NE(record_digest(Grown{one, 0, 1}), record_digest(one));
}

}  // namespace
}  // namespace contract
