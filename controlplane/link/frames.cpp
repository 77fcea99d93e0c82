// SPDX-License-Identifier: Apache-2.0
#include "controlplane/link/frames.hpp"

#include <algorithm>
#include <span>
#include <system_error>

namespace cp {

using base::Errc;
using contract::EventType;
using contract::FrameView;

namespace {

Error refused(std::uint16_t status, std::string_view text, int error_number) {
  Error error = make_error(static_cast<Errc>(status), std::string(text));
  if (error.message.empty()) error.message = base::name(error.code);
  if (error_number != 0) error.message += ": " + std::generic_category().message(error_number);
  error.message = "the data plane refuses: " + error.message;
  return error;
}

// What a record is about.
struct Titles {
  const Allocation& names;

  std::string port(base::PortId id) const {
    return title_of(ObjectKind::port, names.ports.name_of(id.value));
  }
  std::string vtep(base::VtepId id) const {
    return title_of(ObjectKind::vtep, names.vteps.name_of(id.value));
  }
  std::string network(base::NetworkId id) const {
    return title_of(ObjectKind::network, names.networks.name_of(id.value));
  }
  std::string endpoint(base::NetworkId id, const base::MacAddress& mac) const {
    return title_of(ObjectKind::endpoint,
                    std::string(names.networks.name_of(id.value)) + "/" + base::to_string(mac));
  }

  std::string operator()(const contract::PortAdd& r) const { return port(r.port); }
  std::string operator()(const contract::PortRemove& r) const { return port(r.port); }
  std::string operator()(const contract::PortSet& r) const { return port(r.port); }
  std::string next_hop(base::NextHopId id) const {
    return title_of(ObjectKind::next_hop, names.next_hops.name_of(id.value));
  }

  std::string operator()(const contract::NextHopSet& r) const { return next_hop(r.next_hop); }
  std::string operator()(const contract::NextHopRemove& r) const { return next_hop(r.next_hop); }
  std::string operator()(const contract::VtepSet& r) const { return vtep(r.vtep); }
  std::string operator()(const contract::VtepRemove& r) const { return vtep(r.vtep); }
  std::string operator()(const contract::NetworkSet& r) const { return network(r.network); }
  std::string operator()(const contract::NetworkRemove& r) const { return network(r.network); }
  std::string operator()(const contract::EndpointSet& r) const {
    return endpoint(r.network, r.mac);
  }
  std::string host_rule(contract::HostClass host_class) const {
    return title_of(ObjectKind::host_rule, contract::name(host_class));
  }
  std::string operator()(const contract::HostRuleSet& r) const { return host_rule(r.host_class); }
  std::string operator()(const contract::HostRuleRemove& r) const {
    return host_rule(r.host_class);
  }
  std::string queue(base::PortId id, std::uint8_t traffic_class) const {
    return title_of(ObjectKind::queue, std::string(names.ports.name_of(id.value)) + "/" +
                                           std::to_string(traffic_class));
  }
  std::string operator()(const contract::QueueSet& r) const {
    return queue(r.port, r.traffic_class);
  }
  std::string operator()(const contract::QueueRemove& r) const {
    return queue(r.port, r.traffic_class);
  }
  std::string operator()(const contract::EndpointRemove& r) const {
    return endpoint(r.network, r.mac);
  }
};

}  // namespace

std::vector<TransactionFrame> make_frames(const Plan& plan, std::uint32_t replace,
                                          std::uint32_t transaction, std::uint32_t& sequence) {
  std::vector<TransactionFrame> frames;
  const contract::Begin begin{.replace = replace};
  frames.push_back({make_command(contract::Verb::begin, transaction, sequence++, begin), 0});
  std::size_t first_record = 0;
  plan.for_each_group([&]<contract::Record T>(contract::Verb verb, std::span<const T> records) {
    for (std::size_t i = 0; i < records.size(); i += contract::records_per_frame<T>) {
      const std::size_t count = std::min(contract::records_per_frame<T>, records.size() - i);
      frames.push_back({contract::make_frame<T>(static_cast<std::uint16_t>(verb), transaction,
                                                sequence++, records.subspan(i, count)),
                        first_record});
      first_record += count;
    }
  });
  const contract::Commit commit{.reserved = 0};
  frames.push_back(
      {make_command(contract::Verb::commit, transaction, sequence++, commit), first_record});
  return frames;
}

std::string record_title(const Plan& plan, std::size_t record, const Allocation& names) {
  std::string title;
  std::size_t first = 0;
  plan.for_each_group([&](contract::Verb, const auto& records) {
    if (record >= first && record - first < records.size()) {
      title = Titles{names}(records[record - first]);
    }
    first += records.size();
  });
  return title;
}

Answer read_answer(const FrameView& frame) {
  const auto type = static_cast<EventType>(frame.header().type);
  Answer answer;
  if (frame.record_count() != 1) return answer;
  if (type == EventType::commit_reply) {
    const auto reply = frame.record<contract::CommitReply>(0);
    if (reply.status != 0) {
      if (reply.refused_port != 0) {
        answer.refused_port = base::PortId{static_cast<std::uint16_t>(reply.refused_port - 1)};
      }
      answer.error = refused(reply.status, contract::to_view(reply.text), reply.error_number);
    }
  } else if (type == EventType::reply) {
    const auto reply = frame.record<contract::Reply>(0);
    if (reply.status == 0) return answer;
    answer.error = refused(reply.status, contract::to_view(reply.text), reply.error_number);
    if (reply.refused_record != 0xffff'ffff) answer.refused_record = reply.refused_record;
  }
  return answer;
}

Error to_error(const base::Error& error) {
  Error result = make_error(error.code, error.text);
  if (error.error_number != 0) {
    result.message += ": " + std::generic_category().message(error.error_number);
  }
  return result;
}

Error version_skew(const contract::HelloReply& reply) {
  const std::string release(contract::to_view(reply.release));
  const bool newer = reply.version > contract::version_now;
  return make_error(
      Errc::version_skew,
      "the data plane (release " + release + ") speaks contract version " +
          std::to_string(reply.version) + ", this control plane (release " WEIR_VERSION ") " +
          std::to_string(contract::version_min) + ".." + std::to_string(contract::version_now) +
          "; upgrade " + (newer ? "weir-controlplane" : "weir-dataplane"));
}

// Every release reads those of before.
Error region_skew(const contract::HelloReply& reply) {
  return make_error(Errc::version_skew,
                    "the data plane (release " + std::string(contract::to_view(reply.release)) +
                        ") lays out its counters as this control plane (release " WEIR_VERSION
                        ") cannot read; upgrade weir-controlplane");
}

}  // namespace cp
