// SPDX-License-Identifier: Apache-2.0
#include "tools/pktgen/profile/fields.hpp"

#include <utility>

namespace pktgen {
namespace {

constexpr std::uint64_t qp_max = 0xff'fffe;  // 0xffffff is multicast.
constexpr std::uint64_t flow_count_max = 8'388'608;

void visit_rate(Visitor& v, RateProfile& rate) {
  v.number("frames_per_second", rate.frames_per_second,
           {.help = "Frames sent each second; with bits_per_second left out too, as many as go.",
            .most = 1'000'000'000,
            .scaled = true});
  v.number("bits_per_second", rate.bits_per_second,
           {.help = "Instead: bits of frames, without FCS and gaps.",
            .most = 1'000'000'000'000,
            .scaled = true});
  v.number("burst", rate.burst,
           {.help = "Frames that leave together, and after a delay are made up for at once.",
            .least = 1,
            .most = 64});
}

void visit_flows(Visitor& v, FlowsProfile& flows) {
  v.number("count", flows.count,
           {.help = "Queue pairs sent to.", .least = 1, .most = flow_count_max, .scaled = true});
  v.number("first_qp", flows.first_qp,
           {.help = "The first queue pair's number; the others count on.", .most = qp_max});
  v.number("first_psn", flows.first_psn,
           {.help = "Where the packet sequence numbers of each begin.", .most = 0xff'ffff});
  v.number("first_source_port", flows.first_source_port,
           {.help = "The first of the UDP source ports.", .most = 65535});
  v.number("source_ports", flows.source_ports,
           {.help = "How many of them; each queue pair keeps its own.", .least = 1, .most = 65535});
  v.choice("order", flows.order, order_words,
           "Whether each round over all queue pairs has another order.");
}

void visit_addresses(Visitor& v, AddressesProfile& addresses) {
  v.mac("source_mac", addresses.source_mac, "Whom frames are from.");
  v.mac("destination_mac", addresses.destination_mac, "Whom frames are for.");
  v.ip("source", addresses.source, "The first source address, of either family.");
  v.ip("destination", addresses.destination, "The first destination address.");
  v.number(
      "sources", addresses.sources,
      {.help = "How many source addresses; the last 16 bits count on.", .least = 1, .most = 65536});
  v.number("destinations", addresses.destinations,
           {.help = "How many destination addresses.", .least = 1, .most = 65536});
}

void visit_marking(Visitor& v, MarkingProfile& marking) {
  v.choice("ecn", marking.ecn, ecn_words, "The ECN field of all frames.");
  v.number("dscp", marking.dscp, {.help = "The DSCP of all frames but CNPs.", .most = 63});
  v.number("cnp_dscp", marking.cnp_dscp, {.help = "The DSCP of CNPs.", .most = 63});
}

void visit_tunnel(Visitor& v, TunnelProfile& tunnel) {
  v.number("vni", tunnel.vni, {.help = "The network's number.", .most = 0xff'ffff});
  v.mac("source_mac", tunnel.source_mac, "The outer source MAC.");
  v.mac("destination_mac", tunnel.destination_mac, "The outer destination MAC.");
  v.ip("source", tunnel.source, "The VTEP that frames are from.");
  v.ip("destination", tunnel.destination, "The VTEP that frames are for.");
}

void visit_connect(Visitor& v, EndpointsProfile& endpoints) {
  v.choice("connect", endpoints.connect, connect_words,
           "Both sides know numbers and PSNs, or RDMA-CM tells them: REQ, REP and RTU before the "
           "first message, DREQ and DREP at the end.");
  v.number("cm_timeout_ms", endpoints.cm_timeout_ms,
           {.help = "RDMA-CM's messages are sent again after it.",
            .least = 1,
            .most = 60'000,
            .unit = "ms"});
  v.number("cm_retries", endpoints.cm_retries,
           {.help = "How often, until nobody is there.", .most = 15});
}

void visit_reliability(Visitor& v, EndpointsProfile& endpoints) {
  v.number("window_packets", endpoints.window_packets,
           {.help = "Unacknowledged packets of a queue pair.", .least = 1, .most = 65'536});
  v.number("reads_max", endpoints.reads_max,
           {.help = "READs and atomics that a queue pair waits for.", .least = 1, .most = 16});
  v.number("ack_every", endpoints.ack_every,
           {.help = "An answer at least every so many packets.", .least = 1, .most = 65'536});
  v.number("timeout_exponent", endpoints.timeout_exponent,
           {.help = "Sends again after 4.096 us times 2 to this; 0: never.", .most = 31});
  v.number("retries", endpoints.retries,
           {.help = "How often in a row, until the queue pair has failed.", .most = 7});
  v.number(
      "receives", endpoints.receives,
      {.help = "Receives that wait for SENDs and immediate data to a queue pair of RC; without "
               "one it answers RNR NAK. 0: always enough.",
       .most = 65'536});
  v.number("receive_interval_us", endpoints.receive_interval_us,
           {.help = "What was used of them is there again so often.",
            .least = 1,
            .most = 60'000'000,
            .unit = "us"});
  v.number(
      "rnr_timer", endpoints.rnr_timer,
      {.help = "How long an RNR NAK asks to wait, as IBTA's code: 12 is 0.64 ms.", .most = 31});
  v.number("rnr_retries", endpoints.rnr_retries,
           {.help = "How often in a row that is done; 7: for ever.", .most = 7});
}

void visit_dcqcn(Visitor& v, EndpointsProfile& endpoints) {
  v.choice("dcqcn", endpoints.dcqcn, reaction_words,
           "How queue pairs slow down when CNPs come: parameters of the paper, of HPCC's "
           "simulator, NVIDIA's defaults.");
  v.number("time_scale", endpoints.time_scale,
           {.help = "All times of DCQCN and between CNPs are multiplied by it.",
            .least = 1,
            .most = 1'000'000});
  v.number("least_bits_per_second", endpoints.least_bits_per_second,
           {.help = "The rate below which none falls; 0: the preset's.",
            .most = 1'000'000'000'000,
            .scaled = true});
  v.number("additive_bits_per_second", endpoints.additive_bits_per_second,
           {.help = "Each increase; a hyper increase is ten of them; 0: the preset's.",
            .most = 1'000'000'000'000,
            .scaled = true});
  v.number("cnp_interval_us", endpoints.cnp_interval_us,
           {.help = "At most one CNP of a queue pair in it, before time_scale; 0: the preset's, 50 "
                    "without one.",
            .most = 1'000'000,
            .unit = "us"});
}

void visit_endpoints(Visitor& v, EndpointsProfile& endpoints) {
  v.number(
      "messages", endpoints.messages,
      {.help = "Of each queue pair; 0: without end.", .most = 1'000'000'000'000, .scaled = true});
  v.flag("both_ways", endpoints.both_ways, "Whether the right side asks, too.");
  visit_connect(v, endpoints);
  v.number("line_bits_per_second", endpoints.line_bits_per_second,
           {.help = "What all queue pairs of a side share, and each begins with.",
            .least = 1'000'000,
            .most = 1'000'000'000'000,
            .scaled = true});
  visit_reliability(v, endpoints);
  visit_dcqcn(v, endpoints);
}

void visit_mix(Visitor& v, MixEntry& entry) {
  v.choice("operation", entry.operation, operation_words, "What each message is.");
  v.number("bytes", entry.bytes,
           {.help = "Payload of a message, cut into packets of pmtu; of a READ: what it asks for.",
            .most = 1'073'741'824,
            .unit = "bytes"});
  v.number("share", entry.share,
           {.help = "Share of the messages, relative to the others'.", .least = 1, .most = 10'000});
}

std::string quoted(std::string_view text) {
  return "\"" + std::string(text) + "\"";
}

// Prints what the visited values are, with help: the defaults.
class Printer final : public Visitor {
 public:
  std::string take() { return std::move(text_); }

  void text(std::string_view name, std::string& value, std::string_view help) override {
    line(name, quoted(value), help, {});
  }
  void mac(std::string_view name, base::MacAddress& value, std::string_view help) override {
    line(name, quoted(base::to_string(value)), help, {});
  }
  void ip(std::string_view name, base::IpAddress& value, std::string_view help) override {
    line(name, quoted(base::to_string(value)), help, {});
  }
  void section(std::string_view name, std::string_view help, const Fields& fields,
               bool* present) override {
    text_ += "\n" + indent() + std::string(name) + ":  # " + std::string(help) +
             (present != nullptr ? " None where left out." : "") + "\n";
    ++depth_;
    fields(*this);
    --depth_;
  }
  void list(std::string_view name, std::string_view help, const Fields& item) override {
    text_ += "\n" + indent() + std::string(name) + ":  # A list. " + std::string(help) + "\n";
    ++depth_;
    first_of_item_ = true;
    item(*this);
    --depth_;
  }

 private:
  void visit_number(std::string_view name, std::uint64_t& value, const NumberText& what) override {
    std::string range = std::to_string(what.least) + ".." + std::to_string(what.most);
    if (!what.unit.empty()) range += " " + std::string(what.unit);
    if (what.scaled) range += ", 20k, 100M, 25G";
    line(name, std::to_string(value), what.help, range);
  }
  void visit_choice(std::string_view name, std::size_t& value,
                    std::span<const std::string_view> words, std::string_view help) override {
    std::string range;
    for (const std::string_view word : words) {
      range += (range.empty() ? "" : " | ") + std::string(word);
    }
    line(name, std::string(words[value]), help, range);
  }
  std::string indent() const { return std::string(depth_ * 2, ' '); }
  void line(std::string_view name, const std::string& value, std::string_view help,
            const std::string& range) {
    const std::string start = indent();
    text_ += start + "# " + std::string(help);
    if (!range.empty()) text_ += " (" + range + ")";
    text_ += "\n" + start + (in_list() ? std::exchange(item_mark_, "  ") : "");
    text_ += std::string(name) + ": " + value + "\n";
  }
  bool in_list() {
    if (first_of_item_) {
      first_of_item_ = false;
      item_mark_ = "- ";
    }
    return !item_mark_.empty();
  }

  std::string text_;
  std::size_t depth_ = 0;
  bool first_of_item_ = false;
  std::string item_mark_;
};

}  // namespace

void visit(Visitor& v, Profile& profile) {
  v.text("description", profile.description, "What it is for; printed with the result.");
  v.number("seconds", profile.seconds,
           {.help = "How long to send.", .least = 1, .most = 604'800, .unit = "s"});
  v.number("frames", profile.frames,
           {.help = "Stop after as many frames; 0: after the time.",
            .most = 1'000'000'000'000,
            .scaled = true});
  v.number("seed", profile.seed,
           {.help = "The same seed gives the same frames in the same order.", .most = UINT32_MAX});
  v.choice("mode", profile.mode, mode_words,
           "Frames at a rate whatever comes back, or endpoints that react.");
  v.number("pmtu", profile.pmtu,
           {.help = "Path MTU of the queue pairs: 256, 512, 1024, 2048 or 4096.",
            .least = 256,
            .most = 4096,
            .unit = "bytes"});
  v.section("rate", "How fast.", [&](Visitor& in) { visit_rate(in, profile.rate); });
  v.section("flows", "Queue pairs.", [&](Visitor& in) { visit_flows(in, profile.flows); });
  v.section("addresses", "Who talks to whom.",
            [&](Visitor& in) { visit_addresses(in, profile.addresses); });
  v.section("marking", "ECN and DSCP.", [&](Visitor& in) { visit_marking(in, profile.marking); });
  v.section(
      "tunnel", "VXLAN around each frame.", [&](Visitor& in) { visit_tunnel(in, profile.tunnel); },
      &profile.tunnel.present);
  v.section("endpoints", "Of mode endpoints.",
            [&](Visitor& in) { visit_endpoints(in, profile.endpoints); });
  v.list(
      "mix",
      "The messages that each queue pair sends, in turn. In mode endpoints, queue pairs are dealt "
      "to RC, UC and UD by the shares of these.",
      [&](Visitor& in) {
        profile.mix.emplace_back();
        visit_mix(in, profile.mix.back());
      });
}

std::string fields_text() {
  Printer printer;
  Profile profile;
  visit(printer, profile);
  return printer.take();
}

}  // namespace pktgen
