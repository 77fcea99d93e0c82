// SPDX-License-Identifier: Apache-2.0
#include "tools/pktgen/endpoint/endpoint.hpp"

#include "dataplane/base/check.hpp"
#include "dataplane/packet/icrc.hpp"

#include <algorithm>
#include <cstring>

namespace pktgen {

namespace {

constexpr double ps_per_second = 1e12;

bool is_ect_or_ce(std::uint8_t tos) noexcept {
  return (tos & 3) != 0;
}
bool is_ce(std::uint8_t tos) noexcept {
  return (tos & 3) == 3;
}

// Answers of the peer's responder go to our requester, the rest to our responder.
enum class For : std::uint8_t { responder, acknowledgment, read_response, atomic_response };
For for_whom(std::uint8_t opcode) noexcept {
  if (transport_bits(opcode) != static_cast<unsigned>(Transport::rc)) return For::responder;
  switch (operation_of(opcode)) {
    case Operation::acknowledge: return For::acknowledgment;
    case Operation::atomic_acknowledge: return For::atomic_response;
    case Operation::read_response_first:
    case Operation::read_response_middle:
    case Operation::read_response_last:
    case Operation::read_response_only: return For::read_response;
    default: return For::responder;
  }
}

// Requests and READ data: what is counted, and what CNPs answer.
bool is_data(For whom) noexcept {
  return whom == For::responder || whom == For::read_response;
}

}  // namespace

struct Endpoint::Qp {
  Qp(const QpConfig& qp_config, double line_bps, const std::optional<DcqcnParameters>& dcqcn,
     Time now)
      : config(qp_config),
        requester(config, facts.sent),
        responder(config, facts.received),
        rate_bps_max(config.rate_bps_max > 0 ? config.rate_bps_max : line_bps),
        next_send(now) {
    if (dcqcn && rate_bps_max > 0) reaction.emplace(*dcqcn, rate_bps_max, now);
  }

  QpConfig config;
  QpFacts facts;
  Requester requester;
  Responder responder;
  double rate_bps_max;  // 0: none.
  std::optional<ReactionPoint> reaction;
  Time next_send;      // By its rate.
  double rest_ps = 0;  // Fractions that next_send leaves out.
  std::optional<Time> last_cnp;
  std::uint32_t stamps = 0;
  QpState state = QpState::ready;
  bool waits_for_peer = false;  // While it is connecting: for its first packet.
};

Endpoint::Endpoint(const EndpointConfig& config, Time now, Observer* observer)
    : config_(config), observer_(observer), connections_(config), port_free_(now) {}
Endpoint::~Endpoint() = default;

QpIndex Endpoint::add_qp(const QpConfig& config, Time now) {
  const QpIndex index = qps_.size();
  qps_.push_back(std::make_unique<Qp>(config, config_.line_bps, config_.dcqcn, now));
  const bool is_new = by_number_.emplace(config.qp, index).second;
  CHECK(is_new);  // QP numbers are the endpoint's own.
  due_.add(never);
  return index;
}

void Endpoint::post(QpIndex qp, const Work& work) {
  Qp& one = *qps_[qp];
  CHECK(one.config.transport != Transport::ud || work.bytes <= one.config.path_mtu);
  one.requester.post(work);
  reschedule(qp);
}

void Endpoint::wait_for_peer(QpIndex qp) {
  qps_[qp]->state = QpState::connecting;
  qps_[qp]->waits_for_peer = true;
  reschedule(qp);
}

void Endpoint::post_in_turn(QpIndex qp, std::span<const Work> works, std::size_t first,
                            std::uint64_t messages) {
  qps_[qp]->requester.post_in_turn(works, first, messages);
  reschedule(qp);
}

void Endpoint::post_receives(QpIndex qp, std::uint64_t count) {
  qps_[qp]->responder.add_receives(count);
}

const QpFacts& Endpoint::facts(QpIndex qp) const noexcept {
  return qps_[qp]->facts;
}
const QpConfig& Endpoint::config(QpIndex qp) const noexcept {
  return qps_[qp]->config;
}
const Responder& Endpoint::responder(QpIndex qp) const noexcept {
  return qps_[qp]->responder;
}
const Requester& Endpoint::requester(QpIndex qp) const noexcept {
  return qps_[qp]->requester;
}
QpState Endpoint::state(QpIndex qp) const noexcept {
  return qps_[qp]->requester.has_failed() ? QpState::failed : qps_[qp]->state;
}

double Endpoint::rate_bps(QpIndex qp, Time now) {
  Qp& one = *qps_[qp];
  if (!one.reaction) return one.rate_bps_max;
  one.reaction->advance(now);
  return one.reaction->rate_bps();
}

std::optional<Endpoint::Received> Endpoint::parse(std::span<const std::uint8_t> frame) {
  auto parsed = parse_frame(frame);
  bool outer_ce = false;
  if (!parsed && parsed.error() == ParseError::not_roce) {
    const auto tunnel = parse_tunnel(frame);
    if (!tunnel) {
      ++strays_.not_roce;
      return std::nullopt;
    }
    outer_ce = is_ce(tunnel->tunnel.tos);
    parsed = parse_frame(tunnel->inner);
  }
  if (!parsed) {
    ++strays_.not_roce;
    return std::nullopt;
  }
  // RFC 6040: the tunnel's mark counts where the inner packet could have been marked.
  const std::uint8_t tos = parsed->path.tos;
  return Received{.frame = *parsed, .is_ce = is_ce(tos) || (outer_ce && is_ect_or_ce(tos))};
}

void Endpoint::receive(std::span<const std::uint8_t> frame, Time now) {
  const auto received = parse(frame);
  if (!received) return;
  const auto found = by_number_.find(received->frame.packet.destination_qp);
  if (config_.checks_icrc && !icrc_holds(received->frame)) {
    ++strays_.icrc_failures;
    if (found != by_number_.end()) ++qps_[found->second]->facts.received.icrc_failures;
    return;
  }
  const RocePacket& packet = received->frame.packet;
  if (packet.destination_qp == general_services_qp &&
      transport_bits(packet.opcode) == static_cast<unsigned>(Transport::ud)) {
    manage(received->frame, now);
    return;
  }
  if (found == by_number_.end()) {
    ++strays_.unknown_qp;
    return;
  }
  const QpConfig& config = qps_[found->second]->config;
  if (config.transport != Transport::ud && received->frame.path.source != config.path.destination) {
    ++strays_.wrong_peer;
    return;
  }
  if (qps_[found->second]->state == QpState::closed) {
    count_late(found->second, *received, now);
    return;
  }
  // Whoever sends to it is there, and has our REP: data may overtake the RTU.
  Qp& qp = *qps_[found->second];
  if (qp.waits_for_peer && qp.state == QpState::connecting) qp.state = QpState::ready;
  deliver(found->second, *received, now);
  reschedule(found->second);
}

// TIMEWAIT: what was under way when the QP was closed is no news, but it was there.
void Endpoint::count_late(QpIndex index, const Received& received, Time now) {
  QpFacts& facts = qps_[index]->facts;
  const std::uint8_t opcode = received.frame.packet.opcode;
  if (opcode == cnp_opcode) {
    ++facts.sent.cnps_received;
    return;
  }
  ++facts.received.frames;
  if (is_data(for_whom(opcode))) account(index, received, now);
}

void Endpoint::deliver(QpIndex index, const Received& received, Time now) {
  Qp& qp = *qps_[index];
  const RocePacket& packet = received.frame.packet;
  if (packet.opcode == cnp_opcode) {
    ++qp.facts.sent.cnps_received;
    if (qp.reaction) qp.reaction->see_cnp(now);
    if (observer_ != nullptr) observer_->cnp_arrived(index, now);
    return;
  }
  ++qp.facts.received.frames;
  const For whom = for_whom(packet.opcode);
  if (is_data(whom)) {
    account(index, received, now);
    if (received.is_ce && config_.makes_cnps) notify_congestion(index, received.frame, now);
  }
  switch (whom) {
    case For::responder: qp.responder.receive(packet); break;
    case For::acknowledgment: qp.requester.acknowledge(packet, now); break;
    case For::read_response: qp.requester.read_response(packet, now); break;
    case For::atomic_response: qp.requester.atomic_response(packet, now); break;
  }
}

void Endpoint::account(QpIndex index, const Received& received, Time now) {
  ReceiveFacts& facts = qps_[index]->facts.received;
  const auto payload = received.frame.packet.payload;
  ++facts.data_frames;
  facts.payload_bytes += payload.size();
  facts.ect_frames += is_ect_or_ce(received.frame.path.tos) ? 1 : 0;
  facts.ce_frames += received.is_ce ? 1 : 0;
  const auto stamp = read_stamp(payload);
  auto finding = SequenceTracker::Finding::in_order;
  if (stamp) {
    finding = facts.sequence.see(stamp->sequence.host());
  } else {
    ++facts.unstamped;
  }
  if (observer_ == nullptr) return;
  observer_->data_arrived({.qp = index,
                           .frame = received.frame,
                           .is_ce = received.is_ce,
                           .stamp = stamp,
                           .finding = finding,
                           .now = now});
}

// A17: the CNP names the sender's QP and has the marked packet's P_Key; PSN 0.
void Endpoint::notify_congestion(QpIndex index, const ParsedFrame& frame, Time now) {
  Qp& qp = *qps_[index];
  if (qp.last_cnp && now - *qp.last_cnp < config_.cnp_interval) return;
  qp.last_cnp = now;
  Control control{.qp = index, .packet = {}, .path = qp.config.path, .payload = {}};
  control.packet.opcode = cnp_opcode;
  control.packet.becn = true;
  control.packet.partition_key = frame.packet.partition_key;
  control.packet.destination_qp =
      qp.config.transport == Transport::ud ? frame.packet.deth.source_qp : qp.config.peer_qp;
  control.path.tos = config_.cnp_tos;
  control_.push_back(std::move(control));
}

void Endpoint::manage(const ParsedFrame& frame, Time now) {
  const auto message = parse_cm(frame.packet.payload);
  if (!message) {
    ++strays_.not_roce;
    return;
  }
  const CmChange change = connections_.receive(*message, frame.path.source, now);
  if (change.kind == CmChange::Kind::make) {
    accept(*message, change, frame.path, now);
  } else {
    apply(change);
  }
  queue_messages();
}

void Endpoint::apply(const CmChange& change) {
  if (change.kind == CmChange::Kind::none) return;
  Qp& qp = *qps_[change.qp];
  if (change.kind == CmChange::Kind::close) {
    qp.state = QpState::closed;
  } else if (change.kind == CmChange::Kind::fail) {
    qp.state = QpState::failed;
  } else if (change.kind == CmChange::Kind::established) {
    if (qp.state == QpState::connecting) qp.state = QpState::ready;
  } else {
    qp.config.peer_qp = change.peer_qp;
    qp.requester.start_at(change.starting_psn);
    qp.config.path.source_port = source_port_of(qp.config.qp, change.peer_qp);
    qp.state = QpState::ready;
  }
  reschedule(change.qp);
}

// The passive side's QP: like the one that listens, toward who asks.
void Endpoint::accept(const CmMessage& request, const CmChange& change, const Path& path,
                      Time now) {
  const auto found = listening_.find(change.port);
  // Nobody listens, or no longer: the peer asks again, and gives up by itself.
  if (found == listening_.end() || found->second.left == 0) return;
  QpConfig config = found->second.next;
  const auto asked = request.request.transport == 1 ? Transport::uc : Transport::rc;
  const bool fits = change.path_mtu >= path_mtu_min && change.path_mtu <= config.path_mtu;
  if (by_number_.contains(config.qp) || asked != config.transport || !fits) return;
  --found->second.left;
  ++found->second.next.qp;
  config.peer_qp = change.peer_qp;
  config.path.destination = path.source;
  config.path.destination_mac = path.source_mac;
  config.path.source_port = source_port_of(config.qp, change.peer_qp);
  config.path_mtu = change.path_mtu;
  config.starting_psn = change.starting_psn;
  const QpIndex index = add_qp(config, now);
  wait_for_peer(index);
  connections_.accepted(request, path.source, index, config, now);
  if (observer_ != nullptr) observer_->qp_accepted(index);
}

QpIndex Endpoint::connect(const QpConfig& config, std::uint16_t port, Time now) {
  const QpIndex index = add_qp(config, now);
  qps_[index]->state = QpState::connecting;
  connections_.connect(index, config, port, now);
  queue_messages();
  return index;
}

void Endpoint::listen(std::uint16_t port, const QpConfig& like, std::uint32_t count) {
  listening_.insert_or_assign(port, Listener{.next = like, .left = count});
}

// It sends nothing more from now on, whenever the peer answers.
void Endpoint::disconnect(QpIndex qp, Time now) {
  apply(connections_.disconnect(qp, now));
  QpState& state = qps_[qp]->state;
  if (state == QpState::ready || state == QpState::connecting) state = QpState::closed;
  reschedule(qp);
  queue_messages();
}

void Endpoint::queue_messages() {
  for (const CmOutgoing& out : connections_.take()) {
    const auto mad = write_cm(out.message);
    Control control{.qp = out.qp,
                    .packet = cm_packet({}, management_psn_++),
                    .path = qps_[out.qp]->config.path,
                    .payload = {mad.begin(), mad.end()}};
    control.path.tos = 0;  // Not-ECT, as Linux sends MADs.
    control.path.source_port = source_port_of(general_services_qp, general_services_qp);
    control_.push_back(std::move(control));
  }
}

Time Endpoint::due_of(const Qp& qp) const noexcept {
  if (qp.state != QpState::ready) return never;
  if (qp.requester.has_failed()) return qp.responder.has_answer() ? qp.next_send : never;
  Time due = qp.requester.deadline();
  const Time ready = qp.requester.ready_at();
  if (ready != never) due = std::min(due, std::max(ready, qp.next_send));
  if (qp.responder.has_answer()) {
    due = std::min(due, qp.responder.answers_data() ? qp.next_send : 0);
  }
  return due;
}

void Endpoint::reschedule(QpIndex index) {
  due_.change(index, due_of(*qps_[index]));
}

Time Endpoint::next_due() const noexcept {
  const Time due = control_.empty() ? std::min(due_.first_due(), connections_.deadline()) : 0;
  return due == never ? never : std::max(due, port_free_);
}

unsigned Endpoint::poll(FrameSink& sink, Time now, unsigned frames) {
  unsigned sent = 0;
  // A timer that expires is a turn, too; every turn sends or moves a QP's due time.
  for (unsigned turns = 0; sent < frames && turns < 4 * frames && port_free_ <= now; ++turns) {
    if (connections_.deadline() <= now) {
      apply(connections_.expire(now));
      queue_messages();
    }
    if (!control_.empty()) {
      if (!send_control(sink, now)) break;
      ++sent;
      continue;
    }
    if (due_.first_due() > now) break;
    const QpIndex index = due_.first();
    Qp& qp = *qps_[index];
    if (qp.requester.deadline() <= now) {
      qp.requester.expire(now);
      reschedule(index);
      continue;
    }
    if (!send_of(index, sink, now)) break;
    ++sent;
  }
  return sent;
}

// The answers' turn comes first: they are older than what this end asks.
bool Endpoint::send_of(QpIndex index, FrameSink& sink, Time now) {
  Qp& qp = *qps_[index];
  const bool answers = qp.responder.has_answer();
  // The longest header that comes before a payload, which is padded to at most the path MTU.
  const std::size_t frame_max =
      payload_offset(qp.config.path, opcode_of(Transport::rc, Operation::write_only_immediate)) +
      qp.config.path_mtu + dp::icrc_bytes +
      (qp.config.tunnel ? tunnel_bytes(*qp.config.tunnel) : 0);
  std::uint8_t* const frame = sink.begin(frame_max);
  if (frame == nullptr) return false;

  Outgoing out = answers ? qp.responder.take() : qp.requester.take(now);
  const std::size_t head = qp.config.tunnel ? tunnel_bytes(*qp.config.tunnel) : 0;
  std::uint8_t* const payload = frame + head + payload_offset(qp.config.path, out.packet.opcode);
  if (out.payload_bytes > 0) {
    std::memset(payload, 0, out.payload_bytes);
    out.packet.payload = {payload, out.payload_bytes};
    if (out.payload_bytes >= sizeof(Stamp)) {
      const Stamp stamp{.sequence = base::be32(qp.stamps++), .sent_at = base::be64(now)};
      std::memcpy(payload, &stamp, sizeof stamp);
      ++qp.facts.sent.stamped;
    }
  }
  const std::size_t bytes = place_frame(frame, qp.config, qp.config.path, out.packet);
  sink.send(frame, bytes, now);
  SendFacts& facts = qp.facts.sent;
  if (out.is_data) {
    ++facts.frames;
    facts.payload_bytes += out.payload_bytes;
    facts.repeated += out.is_repeated ? 1 : 0;
    pace(qp, bytes, now);
  } else {
    ++facts.control_frames;
  }
  occupy_port(bytes, now);
  reschedule(index);
  return true;
}

bool Endpoint::send_control(FrameSink& sink, Time now) {
  Control& control = control_.front();
  const QpConfig& config = qps_[control.qp]->config;
  control.packet.payload = control.payload;
  const std::size_t bytes = frame_bytes(control.path, control.packet) +
                            (config.tunnel ? tunnel_bytes(*config.tunnel) : 0);
  std::uint8_t* const frame = sink.begin(bytes);
  if (frame == nullptr) return false;
  place_frame(frame, config, control.path, control.packet);
  sink.send(frame, bytes, now);
  if (control.packet.opcode == cnp_opcode) ++qps_[control.qp]->facts.sent.cnps;
  occupy_port(bytes, now);
  control_.pop_front();
  return true;
}

std::size_t Endpoint::place_frame(std::uint8_t* frame, const QpConfig& config, const Path& path,
                                  const RocePacket& packet) noexcept {
  Path numbered = path;
  numbered.identification = identification_++;
  const std::size_t inner = frame_bytes(path, packet);
  std::size_t head = 0;
  if (config.tunnel) {
    Tunnel tunnel = *config.tunnel;
    tunnel.tos = static_cast<std::uint8_t>((tunnel.tos & ~3u) | (path.tos & 3u));  // RFC 6040.
    head = tunnel_bytes(tunnel);
    write_tunnel(frame, tunnel, inner);
  }
  write_frame(frame + head, numbered, packet);
  return head + inner;
}

void Endpoint::occupy_port(std::size_t frame_bytes, Time now) noexcept {
  if (config_.line_bps <= 0) return;
  const double bits = static_cast<double>(frame_bytes + config_.overhead_bytes) * 8;
  const double taken = bits / config_.line_bps * ps_per_second + port_rest_ps_;
  const Time whole = static_cast<Time>(taken);
  port_rest_ps_ = taken - static_cast<double>(whole);
  const Time earliest = now > config_.catch_up ? now - config_.catch_up : 0;
  port_free_ = std::max(port_free_, earliest) + whole;
}

void Endpoint::pace(Qp& qp, std::size_t frame_bytes, Time now) {
  double rate = qp.rate_bps_max;
  if (qp.reaction) {
    qp.reaction->count_sent(frame_bytes, now);
    rate = qp.reaction->rate_bps();
  }
  if (rate <= 0) return;
  const double bits = static_cast<double>(frame_bytes + config_.overhead_bytes) * 8;
  const double gap = bits / rate * ps_per_second + qp.rest_ps;
  const Time whole = static_cast<Time>(gap);
  qp.rest_ps = gap - static_cast<double>(whole);
  const Time earliest = now > config_.catch_up ? now - config_.catch_up : 0;
  qp.next_send = std::max(qp.next_send, earliest) + whole;
}

}  // namespace pktgen
