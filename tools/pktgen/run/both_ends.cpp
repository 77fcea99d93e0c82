// SPDX-License-Identifier: Apache-2.0
#include "tools/pktgen/run/both_ends.hpp"

#include <algorithm>
#include <utility>

namespace pktgen {
namespace {

using Kind = Carried::Kind;

// So that some frames are sent behind a lost one before that is known.
constexpr Time latency_there = 500 * ps_per_us;

EndpointTraffic end_of(const Profile& profile, const BothEnds::Parts& parts, Side side) {
  return {profile,
          {.port = *parts.ports[static_cast<std::size_t>(side)],
           .pool = parts.pool,
           .clock = parts.clock,
           .side = side}};
}

LossyLink::Parts link_of(const Profile& profile, const BothEnds::Parts& parts, std::size_t from) {
  return {.from = std::get<dp::MemoryPort>(*parts.ports[from]),
          .to = std::get<dp::MemoryPort>(*parts.ports[1 - from]),
          .chances = parts.chances,
          .seed = profile.seed + from,
          .pmtu = profile.pmtu,
          .judge = carried_by_endpoints,
          .latency = latency_there};
}

void add(SendCounters& all, const SendCounters& more) noexcept {
  all.frames += more.frames;
  all.bytes += more.bytes;
  all.requests += more.requests;
  all.acks += more.acks;
  all.cnps += more.cnps;
  all.repeated += more.repeated;
  all.refused += more.refused;
}

void add(ReceiveCounters& all, const ReceiveCounters& more) noexcept {
  all.frames += more.frames;
  all.bytes += more.bytes;
  all.roce += more.roce;
  all.roce_bytes += more.roce_bytes;
  all.requests += more.requests;
  all.acks += more.acks;
  all.cnps += more.cnps;
  all.icrc_errors += more.icrc_errors;
  all.unknown_qps += more.unknown_qps;
  all.wrong_clocks += more.wrong_clocks;
  all.lost += more.lost;
  all.late += more.late;
  all.duplicates += more.duplicates;
  all.too_old += more.too_old;
  for (std::size_t i = 0; i < all.not_roce.size(); ++i) all.not_roce[i] += more.not_roce[i];
  for (std::size_t i = 0; i < all.ecn.size(); ++i) all.ecn[i] += more.ecn[i];
}

// What queue pairs of one end sent, and those of the other one found.
struct Totals {
  std::uint64_t data = 0;
  std::uint64_t answers = 0;
  std::uint64_t cnps = 0;
  std::uint64_t unreliable[2] = {};  // Messages of UC and UD.
};

std::size_t index_of(Transport transport) noexcept {
  return transport == Transport::uc ? 0 : 1;
}

Totals sent_by(const Endpoint& endpoint) {
  Totals totals;
  for (QpIndex qp = 0; qp < endpoint.qp_count(); ++qp) {
    const SendFacts& sent = endpoint.facts(qp).sent;
    const Transport transport = endpoint.config(qp).transport;
    totals.data += sent.frames;
    totals.answers += sent.control_frames;
    totals.cnps += sent.cnps;
    if (transport != Transport::rc) {
      totals.unreliable[index_of(transport)] += sent.messages_completed;
    }
  }
  return totals;
}

Totals found_by(const Endpoint& endpoint) {
  Totals totals;
  for (QpIndex qp = 0; qp < endpoint.qp_count(); ++qp) {
    const QpFacts& facts = endpoint.facts(qp);
    const Transport transport = endpoint.config(qp).transport;
    totals.data += facts.received.data_frames;
    totals.answers += facts.received.frames - facts.received.data_frames;
    totals.cnps += facts.sent.cnps_received;
    if (transport != Transport::rc) {
      totals.unreliable[index_of(transport)] += facts.received.messages;
    }
  }
  return totals;
}

// The other end of a queue pair; the count of them where it was never made.
QpIndex peer_of(const Endpoint& from, QpIndex qp, const Endpoint& to) {
  const std::uint32_t number = from.config(qp).peer_qp;
  if (qp < to.qp_count() && to.config(qp).qp == number) return qp;  // Mostly.
  QpIndex peer = 0;
  while (peer < to.qp_count() && to.config(peer).qp != number) ++peer;
  return peer;
}

struct Sequences {
  std::uint64_t lost = 0;  // Those behind the last that came among them.
  std::uint64_t late = 0;
  std::uint64_t duplicates = 0;
  std::uint64_t stale = 0;
};

Sequences sequences_of(const Endpoint& from, const Endpoint& to) {
  Sequences all;
  for (QpIndex qp = 0; qp < from.qp_count(); ++qp) {
    const QpIndex peer = peer_of(from, qp, to);
    const SequenceTracker none;
    const SequenceTracker& seen = peer < to.qp_count() ? to.facts(peer).received.sequence : none;
    const auto sent = static_cast<std::uint32_t>(from.facts(qp).sent.stamped);
    all.lost += seen.lost() + (sent - seen.next());
    all.late += seen.late();
    all.duplicates += seen.duplicates();
    all.stale += seen.stale();
  }
  return all;
}

// How often each kind of work is done by `messages` of them in turn.
struct Wanted {
  std::uint64_t received = 0;  // As the other end counts messages: without READs.
  std::uint64_t bytes = 0;     // Of those.
  std::uint64_t counted = 0;   // Fetch and adds.
};

Wanted wanted_of(const std::vector<Work>& works, std::size_t first, std::uint64_t messages) {
  Wanted wanted;
  for (std::size_t i = 0; i < works.size(); ++i) {
    const Work& work = works[(first + i) % works.size()];
    const std::uint64_t times = messages / works.size() + (i < messages % works.size() ? 1 : 0);
    if (work.kind == WorkKind::read) continue;
    wanted.received += times;
    wanted.bytes += times * work.bytes;
    wanted.counted += work.kind == WorkKind::fetch_add ? times : 0;
  }
  return wanted;
}

std::uint64_t ce_frames(const Endpoint& endpoint) {
  std::uint64_t frames = 0;
  for (QpIndex qp = 0; qp < endpoint.qp_count(); ++qp) {
    frames += endpoint.facts(qp).received.ce_frames;
  }
  return frames;
}

}  // namespace

BothEnds::BothEnds(const Profile& profile, const Parts& parts)
    : profile_(profile),
      ends_{end_of(profile, parts, Side::left), end_of(profile, parts, Side::right)},
      links_{LossyLink(link_of(profile, parts, 0)), LossyLink(link_of(profile, parts, 1))} {}

void BothEnds::carry(Time now) {
  for (std::size_t from = 0; from < 2; ++from) {
    links_[from].carry(now);
    // What is held would wait for nothing.
    if (ends_[from].has_asked_all() || ends_[0].is_ending()) links_[from].flush();
  }
}

bool BothEnds::poll(Time now) {
  bool busy = false;
  for (EndpointTraffic& end : ends_) busy |= end.poll(now);
  carry(now);
  return busy;
}

void BothEnds::take(std::span<const std::uint8_t> frame, std::size_t port, Time now) {
  ends_[port].take(frame, port, now);
}

Time BothEnds::next_due() const {
  return std::min(ends_[0].next_due(), ends_[1].next_due());
}

// The left end decides; then what is under way arrives, and is answered.
bool BothEnds::is_done(Time now) const {
  const bool is_empty = links_[0].is_empty() && links_[1].is_empty();
  return ends_[0].is_done(now) && is_empty && ends_[1].next_due() == never;
}

void BothEnds::stop() {
  ends_[0].stop();
}

Sums BothEnds::sums() const {
  Sums all;
  for (const EndpointTraffic& end : ends_) {
    const Sums sums = end.sums();
    add(all.sent, sums.sent);
    add(all.received, sums.received);
  }
  return all;
}

void BothEnds::close_second(Second& second) {
  ends_[1].close_second(second);
  Second left{.length_s = second.length_s, .sums = second.sums};
  ends_[0].close_second(left);
  second.sent_bits_per_second = std::move(left.sent_bits_per_second);
  second.allowed_bits_per_second = std::move(left.allowed_bits_per_second);
}

void BothEnds::compare_frames(const Way& way, LinkReport& report) const {
  const Endpoint& from = way.from.endpoint();
  const Endpoint& to = way.to.endpoint();
  const Totals sent = sent_by(from);
  const Totals found = found_by(to);
  const LossyLink::Deeds& data = way.link.deeds(Kind::data);
  const LossyLink::Deeds& answers = way.link.deeds(Kind::answer);
  const LossyLink::Deeds& cnps = way.link.deeds(Kind::cnp);
  const LossyLink::Deeds& management = way.link.deeds(Kind::management);
  compare("data frames", data.left_of(sent.data), found.data, report);
  compare("answers", answers.left_of(sent.answers), found.answers, report);
  compare("cnps", cnps.left_of(sent.cnps), found.cnps, report);
  compare("RDMA-CM's messages", management.left_of(from.connections().sent),
          to.connections().received, report);
  const StrayFacts& strays = to.strays();
  compare("bad ICRCs", data.damaged + answers.damaged + cnps.damaged + management.damaged,
          strays.icrc_failures, report);
  compare("strays", 0, strays.not_roce + strays.unknown_qp + strays.wrong_peer, report);
  if (profile_.marking.ecn != EcnField::ce) compare("marks", data.marked, ce_frames(to), report);

  const Sequences sequences = sequences_of(from, to);
  compare("lost", data.lost_stamped, sequences.lost, report);
  compare("late", data.delayed_stamped, sequences.late, report);
  compare("duplicates", data.repeated_stamped, sequences.duplicates, report);
  compare("too old", 0, sequences.stale, report);
}

void BothEnds::compare_messages(const Way& way, LinkReport& report) const {
  const Endpoint& from = way.from.endpoint();
  const Endpoint& to = way.to.endpoint();
  const Totals sent = sent_by(from);
  const Totals found = found_by(to);
  compare("UC messages", sent.unreliable[0] - way.link.uc_messages_hit(), found.unreliable[0],
          report);
  compare("UD messages", way.link.ud().left_of(sent.unreliable[1]), found.unreliable[1], report);
  if (!way.from.asks()) return;
  for (QpIndex qp = 0; qp < from.qp_count(); ++qp) {
    const QpIndex peer = peer_of(from, qp, to);
    const Transport transport = from.config(qp).transport;
    const std::uint64_t messages = profile_.endpoints.messages;
    compare("messages completed", messages, from.facts(qp).sent.messages_completed, report);
    if (transport != Transport::rc || peer == to.qp_count()) continue;
    const Wanted wanted = wanted_of(way.from.works(transport), way.from.first_work(qp), messages);
    const ReceiveFacts& received = to.facts(peer).received;
    compare("messages received", wanted.received, received.messages, report);
    compare("bytes received", wanted.bytes, received.message_bytes, report);
    compare("fetch and adds", wanted.counted, to.responder(peer).word_at(counted_word), report);
  }
}

void BothEnds::conclude(Result& result) {
  ends_[1].conclude(result);
  std::vector<FlowResult> right = std::exchange(result.flows, {});
  Histogram latency_ns = result.latency_ns;
  const double jain_index = result.jain_index;
  ends_[0].conclude(result);
  result.flows.insert(result.flows.end(), std::make_move_iterator(right.begin()),
                      std::make_move_iterator(right.end()));
  result.sums = sums();
  result.latency_ns = latency_ns;
  result.jain_index = jain_index;
  result.endpoints->side = "both";

  const LossyLink* const links[] = {&links_[0], &links_[1]};
  LinkReport report = report_of(links);
  for (std::size_t from = 0; from < 2; ++from) {
    const Way way{.from = ends_[from], .to = ends_[1 - from], .link = links_[from]};
    compare_frames(way, report);
    // Who pressed Ctrl-C did not wait for the rest; time that is over is told, too.
    if (result.ended != "interrupted") compare_messages(way, report);
  }
  result.link = std::move(report);
}

}  // namespace pktgen
