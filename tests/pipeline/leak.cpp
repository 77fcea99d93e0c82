// SPDX-License-Identifier: Apache-2.0
// The accounting identity notices what a broken stage does: a frame lost, a frame sent twice.
#include "pipelines/catalog.hpp"
#include "pipelines/stages/pick_peer.hpp"
#include "tests/pipeline/frames.hpp"
#include "tests/pipeline/workers.hpp"

#include <gtest/gtest.h>

namespace {

// Forgets the last mbuf of its first batch, or sends a copy that it does not declare.
enum class Fault : std::uint8_t { lose_one, add_one };

template <Fault fault>
class Broken {
 public:
  static constexpr dp::StageInfo info{
      .name = "broken", .needs = {dp::Fact::received}, .sets = {}, .may_drop = {}};

  explicit Broken(const dp::Environment& environment) noexcept : environment_(environment) {}

  void process(dp::Batch& batch, dp::Exits&, std::uint16_t) noexcept {
    if (done_) return;
    done_ = true;
    if constexpr (fault == Fault::lose_one) {
      batch.keep(static_cast<std::uint16_t>(batch.size() - 1));
    } else {
      batch.push(rte_pktmbuf_copy(batch.mbuf(0), &environment_.pool, 0, UINT32_MAX), batch.meta(0));
    }
  }

 private:
  const dp::Environment& environment_;
  bool done_ = false;
};

template <Fault fault>
using BrokenTransit =
    dp::Pipeline<"broken_transit", Broken<fault>, dp::Pass<dp::PickPeer<dp::Tags::stay>>>;

constexpr std::uint16_t left = 0;
constexpr std::uint16_t right = 1;

// The stages count where those of transit would: there are no more of them.
template <Fault fault>
void break_transit(test::Gateway& gateway, std::uint16_t worker_index) {
  static_assert(BrokenTransit<fault>::stages.size() <= 5);
  gateway.add_port(left, test::transit_port(right));
  gateway.add_port(right, test::transit_port(left));
  gateway.commit();
  dp::Worker& worker = gateway.worker(worker_index);
  dp::Pipelines pipelines;
  pipelines.by_role[static_cast<std::size_t>(contract::PortRole::transit)] =
      std::make_unique<BrokenTransit<fault>>(worker.environment(), dp::catalog()[2].first_stage);
  worker.set_pipelines(std::move(pipelines));
}

class Accounting : public test::OnWorkers {
 protected:
  // Of several workers only the last is broken: the sum must show it.
  static std::uint16_t broken() { return static_cast<std::uint16_t>(workers() - 1); }
  static void offer(test::Gateway& gateway, std::uint32_t frames) {
    for (std::uint32_t i = 0; i < frames; ++i) {
      gateway.offer(left, test::make({.psn = i}), static_cast<std::uint16_t>(i % workers()));
    }
  }
};

INSTANTIATE_TEST_SUITE_P(Workers, Accounting, test::one_and_two_workers);

TEST_P(Accounting, one_lost_mbuf_is_a_mismatch_of_one) {
  test::Gateway gateway(on_workers({.unsound = true}));
  break_transit<Fault::lose_one>(gateway, broken());

  offer(gateway, 100);
  gateway.run();

  EXPECT_EQ(gateway.take_sent(right).size(), 99u);
  EXPECT_EQ(gateway.mismatch(), 1);
  EXPECT_EQ(gateway.mbufs_in_use(), 1u);
}

TEST_P(Accounting, one_undeclared_copy_is_a_mismatch_of_minus_one) {
  test::Gateway gateway(on_workers({.unsound = true}));
  break_transit<Fault::add_one>(gateway, broken());

  gateway.offer(left, test::make({}));
  gateway.run();

  EXPECT_EQ(gateway.take_sent(right).size(), 2u);
  EXPECT_EQ(gateway.mismatch(), -1);
}

TEST_P(Accounting, what_waits_in_a_port_is_nobodys_loss) {
  test::Gateway gateway(on_workers());
  gateway.add_port(left, test::transit_port(right));
  gateway.add_port(right, test::transit_port(left));
  gateway.commit();

  offer(gateway, 200);
  for (std::uint16_t i = 0; i < workers(); ++i) gateway.worker(i).turn();

  EXPECT_EQ(gateway.totals().rx, 64u * workers());
  EXPECT_EQ(gateway.totals().tx, 64u * workers());
  EXPECT_EQ(gateway.totals().held, 0u);
  EXPECT_EQ(gateway.mismatch(), 0);
}

}  // namespace
