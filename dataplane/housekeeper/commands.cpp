// SPDX-License-Identifier: Apache-2.0
// The command socket's verbs. Every frame gets exactly one reply, in order.
#include "dataplane/base/log.hpp"
#include "dataplane/housekeeper/housekeeper.hpp"
#include "dataplane/housekeeper/skew.hpp"

#include <unistd.h>
#include <utility>

namespace dp {

using base::Errc;
using base::fail;
using contract::EventType;
using contract::Verb;

namespace {

template <contract::Record T>
std::vector<std::byte> event(EventType type, const contract::FrameHeader& to, const T& record) {
  return contract::make_frame<T>(static_cast<std::uint16_t>(type), to.transaction, to.sequence,
                                 std::span<const T>(&record, 1));
}

enum class VerbKind : std::uint8_t { unknown, session, record, trace };

VerbKind kind_of(Verb verb) noexcept {
  switch (verb) {
    case Verb::port_add:
    case Verb::port_remove:
    case Verb::port_set:
    case Verb::network_set:
    case Verb::network_remove:
    case Verb::vtep_set:
    case Verb::vtep_remove:
    case Verb::endpoint_set:
    case Verb::endpoint_remove:
    case Verb::next_hop_set:
    case Verb::next_hop_remove:
    case Verb::host_rule_set:
    case Verb::host_rule_remove:
    case Verb::queue_set:
    case Verb::queue_remove: return VerbKind::record;
    case Verb::hello:
    case Verb::begin:
    case Verb::commit:
    case Verb::abort: return VerbKind::session;
    case Verb::trace_add:
    case Verb::trace_remove: return VerbKind::trace;
  }
  return VerbKind::unknown;
}

}  // namespace

void Housekeeper::read_commands() {
  if (!socket_.connected()) return;
  if (!socket_.flush()) return lose_controller();
  if (socket_.has_backlog()) return;
  const auto message = socket_.receive();
  if (!message) return lose_controller();
  if (message->empty()) return;

  const auto frame = contract::FrameView::parse(*message);
  if (!frame) {
    // Nothing of it can be trusted, its sequence neither.
    reply(contract::FrameHeader{}, std::unexpected(frame.error()));
    return;
  }
  handle(*frame);
}

void Housekeeper::lose_controller() {
  socket_.disconnect();
  publisher_.controller(false);
  greeted_ = false;
  traces_.remove_all();
  if (transaction_.open()) {
    LOG(warning, "transaction_aborted", {"transaction", transaction_.id()},
        {"reason", "the control plane went away"});
    transaction_.abort();
  }
}

void Housekeeper::handle(const contract::FrameView& frame) {
  const contract::FrameHeader& header = frame.header();
  const auto verb = static_cast<Verb>(header.type);
  if (verb == Verb::hello) return greet(frame);
  if (!greeted_) {
    return reply(header, fail(Errc::wrong_state, "the first frame of a session is hello"));
  }
  switch (kind_of(verb)) {
    case VerbKind::record:
      if (auto status = in_transaction(frame); !status) return reply(header, status);
      pending_ = Pending{.frame = frame};
      return;
    case VerbKind::trace: return trace(frame);
    case VerbKind::session: {
      const base::Status status = control(frame);
      // Commit and abort are answered when they are done.
      if (!status || !transaction_.working()) reply(header, status);
      return;
    }
    case VerbKind::unknown: return refuse_unknown(header);
  }
}

void Housekeeper::refuse_unknown(const contract::FrameHeader& header) {
  // Without it the rest would be another transaction than the one that was meant.
  if (transaction_.open() && header.transaction == transaction_.id()) transaction_.refuse();
  reply(header, Errc::unsupported,
        unknown_verb(header.type, contract::to_view(controller_release_)));
}

void Housekeeper::greet(const contract::FrameView& frame) {
  const contract::FrameHeader& header = frame.header();
  if (frame.record_count() != 1) {
    return reply(header, fail(Errc::malformed, "hello is one record"));
  }
  const auto hello = frame.record<contract::Hello>(0);
  if (const std::string why = why_no_session(hello); !why.empty()) {
    return reply(header, Errc::version_skew, why);
  }
  greeted_ = true;
  controller_release_ = hello.release;
  publisher_.controller(true);
  const contract::HelloReply answer{
      .version = std::min(hello.version_max, contract::version_now),
      .worker_count = static_cast<std::uint16_t>(parts_.workers.size()),
      .pid = static_cast<std::uint32_t>(::getpid()),
      .features = contract::feature_replace_tables,
      .boot_id = publisher_.boot_id(),
      .generation = parts_.epoch.current(),
      .digests = model_.digests_in_force(),
      .region_bytes = parts_.region.memory().size(),
      .network_capacity = model_.network_slots() - 1,
      .vtep_capacity = model_.vtep_slots() - 1,
      .endpoint_capacity = parts_.tables.endpoints.capacity(),
      .port_capacity = model_.port_slots(),
      .release = contract::to_text<contract::name_bytes>(WEIR_VERSION),
      .next_hop_capacity = model_.next_hop_slots() - 1,
      .reserved = 0};
  LOG(info, "hello", {"program", contract::to_view(hello.program)},
      {"release", contract::to_view(hello.release)}, {"pid", hello.pid});
  socket_.send(event(EventType::hello_reply, header, answer), parts_.region.descriptor());
}

base::Status Housekeeper::in_transaction(const contract::FrameView& frame) const {
  if (!transaction_.open()) return fail(Errc::wrong_state, "no transaction is open; begin first");
  if (frame.header().transaction != transaction_.id()) {
    return fail(Errc::wrong_state, "the frame is of another transaction than the open one");
  }
  if (transaction_.refused()) {
    return fail(Errc::wrong_state, "an earlier record was refused; abort and begin again");
  }
  return {};
}

base::Status Housekeeper::control(const contract::FrameView& frame) {
  const contract::FrameHeader& header = frame.header();
  if (frame.record_count() > 1) {
    return fail(Errc::malformed, "begin, commit and abort are one record each");
  }
  switch (static_cast<Verb>(header.type)) {
    case Verb::begin: {
      // Without a record: all of it zero.
      const auto begin = frame.record_count() == 1 ? frame.record<contract::Begin>(0)
                                                   : contract::Begin{.replace = 0};
      const auto replaced =
          begin.replace == contract::replace_all ? contract::all_tables : begin.replace;
      if ((replaced & ~contract::all_tables) != 0) {
        return fail(Errc::unsupported,
                    "begin replaces a table that this data plane (release " WEIR_VERSION
                    ") does not know; upgrade weir-dataplane");
      }
      return transaction_.begin(header.transaction, replaced);
    }
    case Verb::commit:
      if (!transaction_.open() || header.transaction != transaction_.id()) {
        return fail(Errc::wrong_state, "no such transaction is open; begin first");
      }
      asked_ = header;
      transaction_.commit();
      return {};
    case Verb::abort:
      asked_ = header;
      transaction_.abort();
      return {};
    default: return fail(Errc::unsupported, "a verb that this release does not know");
  }
}

void Housekeeper::trace(const contract::FrameView& frame) {
  const bool adds = static_cast<Verb>(frame.header().type) == Verb::trace_add;
  for (std::size_t i = 0; i < frame.record_count(); ++i) {
    const base::Status status = adds ? traces_.add(frame.record<contract::TraceAdd>(i))
                                     : traces_.remove(frame.record<contract::TraceRemove>(i).trace);
    if (!status) return reply(frame.header(), status, static_cast<std::uint32_t>(i));
  }
  reply(frame.header(), {});
}

base::Status Housekeeper::stage(const contract::FrameView& frame, std::size_t index) {
  switch (static_cast<Verb>(frame.header().type)) {
    case Verb::port_add: return model_.set(frame.record<contract::PortAdd>(index));
    case Verb::port_set: return model_.set(frame.record<contract::PortSet>(index));
    case Verb::network_set: return model_.set(frame.record<contract::NetworkSet>(index));
    case Verb::vtep_set: return model_.set(frame.record<contract::VtepSet>(index));
    case Verb::endpoint_set: return model_.set(frame.record<contract::EndpointSet>(index));
    case Verb::port_remove: return model_.remove(frame.record<contract::PortRemove>(index));
    case Verb::network_remove: return model_.remove(frame.record<contract::NetworkRemove>(index));
    case Verb::vtep_remove: return model_.remove(frame.record<contract::VtepRemove>(index));
    case Verb::endpoint_remove: return model_.remove(frame.record<contract::EndpointRemove>(index));
    case Verb::next_hop_set: return model_.set(frame.record<contract::NextHopSet>(index));
    case Verb::next_hop_remove: return model_.remove(frame.record<contract::NextHopRemove>(index));
    case Verb::host_rule_set: return model_.set(frame.record<contract::HostRuleSet>(index));
    case Verb::host_rule_remove:
      return model_.remove(frame.record<contract::HostRuleRemove>(index));
    case Verb::queue_set: return model_.set(frame.record<contract::QueueSet>(index));
    case Verb::queue_remove: return model_.remove(frame.record<contract::QueueRemove>(index));
    case Verb::hello:
    case Verb::begin:
    case Verb::commit:
    case Verb::abort:
    case Verb::trace_add:
    case Verb::trace_remove: break;
  }
  return fail(Errc::unsupported, "a verb that this release does not know");
}

void Housekeeper::answer_commit(const Transaction::Answer& answer) {
  const base::Generation generation = parts_.epoch.current();
  if (!answer.is_commit) {
    // An abort that nobody asked for belongs to a controller that went away.
    if (static_cast<Verb>(asked_.type) == Verb::abort) reply(asked_, answer.status);
    asked_ = {};
    return;
  }
  publisher_.commit(generation, !answer.status.has_value());
  const base::Error error =
      answer.status ? base::Error{.code = Errc::ok, .text = ""} : answer.status.error();
  if (answer.status) {
    resolver_.configure();
    if (parts_.predecessor != nullptr) tell_gap();
    LOG(info, "committed", {"generation", generation}, {"transaction", asked_.transaction});
  } else {
    LOG(warning, "commit_refused", {"generation", generation}, {"reason", error.text},
        {"errno", error.error_number});
  }
  publisher_.publish_all();
  const bool names_port = !answer.status && answer.failed_port != base::no_port;
  const auto refused_port =
      static_cast<std::uint16_t>(names_port ? answer.failed_port.value + 1 : 0);
  const contract::CommitReply reply{.status = static_cast<std::uint16_t>(error.code),
                                    .refused_port = refused_port,
                                    .error_number = error.error_number,
                                    .generation = generation,
                                    .digests = model_.digests_in_force(),
                                    .text = contract::to_text<184>(error.text)};
  socket_.send(event(EventType::commit_reply, asked_, reply));
  asked_ = {};
}

void Housekeeper::reply(const contract::FrameHeader& to, const base::Status& status,
                        std::uint32_t refused_record) {
  const contract::Reply record{
      .status = static_cast<std::uint16_t>(status ? Errc::ok : status.error().code),
      .verb = to.type,
      .refused_record = refused_record,
      .error_number = status ? 0 : status.error().error_number,
      .text = contract::to_text<180>(status ? "" : status.error().text)};
  socket_.send(event(EventType::reply, to, record));
}

void Housekeeper::reply(const contract::FrameHeader& to, Errc code, std::string_view text) {
  const contract::Reply record{.status = static_cast<std::uint16_t>(code),
                               .verb = to.type,
                               .refused_record = 0xffff'ffff,
                               .error_number = 0,
                               .text = contract::to_text<180>(text)};
  socket_.send(event(EventType::reply, to, record));
}

}  // namespace dp
