// SPDX-License-Identifier: Apache-2.0
// Commands that show what is going on: status, stats, drops, pipelines, workers, events.
#include "controlplane/cli/answer.hpp"
#include "controlplane/cli/run.hpp"
#include "controlplane/cli/table.hpp"
#include "dataplane/contract/host_class.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

namespace cp {

namespace json = boost::json;

namespace {

const json::array& list_at(const json::value& document, std::string_view path) {
  static const json::array empty;
  const json::value* list = find_at(document, path);
  return list != nullptr && list->is_array() ? list->get_array() : empty;
}

const json::object& object_at(const json::value& document, std::string_view path) {
  static const json::object empty;
  const json::value* object = find_at(document, path);
  return object != nullptr && object->is_object() ? object->get_object() : empty;
}

// Growth of a member per second between two looks; empty at the first.
std::string rate(const json::value& now, const json::value* before, std::string_view path,
                 double seconds) {
  if (before == nullptr || seconds <= 0) return "";
  const double growth =
      static_cast<double>(number_at(now, path)) - static_cast<double>(number_at(*before, path));
  return with_unit(std::max(0.0, growth) / seconds);
}

std::string fixed(double number, const char* format) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), format, number);
  return text.data();
}

std::string one_line(const json::object& object) {
  std::string text;
  for (const auto& [key, value] : object) {
    if (!text.empty()) text += ", ";
    const auto count = count_of(value);
    text += std::string(key) + " ";
    text += count               ? with_commas(*count)
            : value.is_string() ? std::string(value.get_string())
                                : json::serialize(value);
  }
  return text;
}

std::string port_rows(const Look& look) {
  Table table(
      {"PORT", "LINK", "RX PACKETS>", "RX/S>", "RX BYTES>", "TX PACKETS>", "TX/S>", "TX BYTES>"});
  const json::value* earlier = look.before == nullptr ? nullptr : find_at(*look.before, "ports");
  for (const json::value& port : list_at(look.now, "ports")) {
    const json::value* before = find_named(earlier, "name", text_at(port, "name"));
    table.add(
        {text_at(port, "name"), number_at(port, "link_up") != 0 ? "up" : "down",
         with_commas(number_at(port, "rx_packets")), rate(port, before, "rx_packets", look.seconds),
         with_commas(number_at(port, "rx_bytes")), with_commas(number_at(port, "tx_packets")),
         rate(port, before, "tx_packets", look.seconds), with_commas(number_at(port, "tx_bytes"))});
  }
  return table.empty() ? "no ports\n" : table.text();
}

// What the packets were, by port: a row for each kind that was seen.
std::string kind_rows(const Look& look) {
  Table table({"PORT", "KIND", "NOT ECT>", "ECT0>", "ECT1>", "CE>"});
  for (const json::value& port : list_at(look.now, "ports")) {
    for (const auto& [kind, cells] : object_at(port, "rx_kinds")) {
      table.add({text_at(port, "name"), std::string(kind), with_commas(number_at(cells, "not_ect")),
                 with_commas(number_at(cells, "ect0")), with_commas(number_at(cells, "ect1")),
                 with_commas(number_at(cells, "ce"))});
    }
  }
  return table.empty() ? "" : "\n" + table.text();
}

// The host's own traffic: a row for each class that came at a port with a twin.
std::string host_rows(const Look& look) {
  Table table({"PORT", "CLASS", "PASSED>", "POLICED>", "REFUSED>"});
  for (const json::value& port : list_at(look.now, "ports")) {
    const auto count = [&](std::string_view what, std::string_view host_class) {
      return number_at(port, std::string(what) + "." + std::string(host_class));
    };
    for (const contract::HostClassText& text : contract::host_classes) {
      const auto passed = count("host_passed", text.name);
      const auto policed = count("host_policed", text.name);
      const auto refused = count("host_refused", text.name);
      if (passed + policed + refused == 0) continue;
      table.add({text_at(port, "name"), std::string(text.name), with_commas(passed),
                 with_commas(policed), with_commas(refused)});
    }
  }
  return table.empty() ? "nothing came for the host itself at a port that has a twin\n"
                       : table.text();
}

std::string tunnel_rows(const Look& look, std::string_view list, const std::string& header) {
  Table table({header, "ENCAP PACKETS>", "ENCAP/S>", "ENCAP BYTES>", "DECAP PACKETS>", "DECAP/S>",
               "DECAP BYTES>"});
  const json::value* earlier = look.before == nullptr ? nullptr : find_at(*look.before, list);
  for (const json::value& row : list_at(look.now, list)) {
    const json::value* before = find_named(earlier, "name", text_at(row, "name"));
    table.add({text_at(row, "name"), with_commas(number_at(row, "encap_packets")),
               rate(row, before, "encap_packets", look.seconds),
               with_commas(number_at(row, "encap_bytes")),
               with_commas(number_at(row, "decap_packets")),
               rate(row, before, "decap_packets", look.seconds),
               with_commas(number_at(row, "decap_bytes"))});
  }
  return table.empty() ? "" : "\n" + table.text();
}

// Decapsulated packets whose ECN field the tunnel changed, by network (RFC 6040's cells).
std::string ecn_rows(const Look& look) {
  Table table({"NETWORK", "INNER", "OUTER NOT ECT>", "OUTER ECT0>", "OUTER ECT1>", "OUTER CE>"});
  for (const json::value& network : list_at(look.now, "networks")) {
    for (const auto& [inner, cells] : object_at(network, "ecn_decap")) {
      table.add({text_at(network, "name"), std::string(inner),
                 with_commas(number_at(cells, "not_ect")), with_commas(number_at(cells, "ect0")),
                 with_commas(number_at(cells, "ect1")), with_commas(number_at(cells, "ce"))});
    }
  }
  return table.empty() ? "" : "\n" + table.text();
}

std::string summary_rows(const Look& look) {
  const json::object& drops = object_at(look.now, "drops");
  std::string text = "\ndropped: " + (drops.empty() ? "nothing" : one_line(drops)) + "\n";
  Table table({"TABLE", "USED>", "CAPACITY>"});
  for (const auto& [name, cells] : object_at(look.now, "tables")) {
    table.add({std::string(name), with_commas(number_at(cells, "used")),
               with_commas(number_at(cells, "capacity"))});
  }
  text += "\n" + table.text();
  const json::value* mismatch = find_at(look.now, "totals.mismatch");
  const bool right = mismatch != nullptr && mismatch->is_int64() && mismatch->get_int64() == 0;
  text += "\naccounting: ";
  text += right ? "every packet is accounted for\n"
                : "MISMATCH of " + (mismatch == nullptr ? "?" : json::serialize(*mismatch)) +
                      " packets: a bug, please report it\n";
  return text;
}

std::string stats_text(const Look& look) {
  return port_rows(look) + kind_rows(look) + tunnel_rows(look, "networks", "NETWORK") +
         tunnel_rows(look, "vteps", "VTEP") + ecn_rows(look) + summary_rows(look);
}

std::string drops_text(const Look& look) {
  Table table({"REASON", "PACKETS>", "PER S>", "WHERE", "MEANING"});
  const json::value* earlier = look.before == nullptr ? nullptr : find_at(*look.before, "drops");
  for (const json::value& drop : list_at(look.now, "drops")) {
    const json::value* before = find_named(earlier, "reason", text_at(drop, "reason"));
    std::string where = one_line(object_at(drop, "stages"));
    const std::string ports = one_line(object_at(drop, "ports"));
    if (!where.empty() && !ports.empty()) where += ", ";
    table.add({text_at(drop, "reason"), with_commas(number_at(drop, "packets")),
               rate(drop, before, "packets", look.seconds), where + ports, text_at(drop, "help")});
  }
  return table.empty() ? "no packet was dropped\n" : table.text();
}

std::string pipelines_text(const Look& look) {
  std::string text;
  for (const json::value& pipeline : list_at(look.now, "pipelines")) {
    Table table({"  STAGE", "PACKETS>", "CYCLES/PACKET>", "DROPS"});
    for (const json::value& stage : list_at(pipeline, "stages")) {
      table.add({"  " + text_at(stage, "name"), with_commas(number_at(stage, "packets")),
                 fixed(real_at(stage, "cycles_per_packet"), "%.0f"),
                 one_line(object_at(stage, "drops"))});
    }
    if (!text.empty()) text += "\n";
    text += text_at(pipeline, "name") + "\n" + table.text();
  }
  return text.empty() ? "the data plane has no pipelines\n" : text;
}

// A core or socket; "-": none, or not known.
std::string place_at(const json::value& worker, std::string_view name) {
  const json::value* place = find_at(worker, name);
  return place == nullptr || place->is_null() ? "-" : std::to_string(number_at(worker, name));
}

std::string workers_text(const Look& look) {
  std::string warnings;
  Table table({"WORKER>", "CORE>", "SOCKET>", "RX>", "RX/S>", "CREATED>", "TX>", "DROPPED>",
               "HELD>", "MISMATCH>", "PACKETS/BURST>", "BUSY>", "GAP P99.99>", "GENERATION>"});
  const json::array& now = list_at(look.now, "workers");
  for (std::size_t i = 0; i < now.size(); ++i) {
    const json::value& worker = now[i];
    const json::value* before = nullptr;
    if (look.before != nullptr && i < list_at(*look.before, "workers").size()) {
      before = &list_at(*look.before, "workers")[i];
    }
    const json::value* mismatch = find_at(worker, "mismatch");
    for (const json::value& text : list_at(worker, "warnings")) {
      warnings += "warning: " + (text.is_string() ? std::string(text.get_string()) : "") + "\n";
    }
    table.add({std::to_string(number_at(worker, "worker")), place_at(worker, "core"),
               place_at(worker, "socket"), with_commas(number_at(worker, "rx")),
               rate(worker, before, "rx", look.seconds), with_commas(number_at(worker, "created")),
               with_commas(number_at(worker, "tx")), with_commas(number_at(worker, "dropped")),
               with_commas(number_at(worker, "held")),
               mismatch == nullptr ? "?" : json::serialize(*mismatch),
               fixed(real_at(worker, "packets_per_burst"), "%.1f"),
               fixed(real_at(worker, "busy_ratio") * 100, "%.1f %%"), text_at(worker, "gap_p99_99"),
               std::to_string(number_at(worker, "generation"))});
  }
  return table.empty() ? "the data plane has no workers\n" : table.text() + warnings;
}

std::string neighbours_text(const Look& look) {
  Table table({"PORT", "ADDRESS", "WHOSE", "MAC", "STATE", "SINCE", "MOVES>", "LOSSES>",
               "CONFLICTS>", "DUPLICATES>"});
  for (const json::value& one : list_at(look.now, "neighbours")) {
    const json::value* own = find_at(one, "own");
    const bool is_ours = own != nullptr && own->is_bool() && own->get_bool();
    table.add({text_at(one, "port"), text_at(one, "address"), is_ours ? "ours" : "next hop",
               text_at(one, "mac"), text_at(one, "state"), text_at(one, "since"),
               with_commas(number_at(one, "moves")), with_commas(number_at(one, "losses")),
               with_commas(number_at(one, "conflicts")),
               with_commas(number_at(one, "duplicates"))});
  }
  return table.empty() ? "no neighbours: no underlay port has addresses, VTEPs or next hops\n"
                       : table.text();
}

std::string status_text(const json::value& status) {
  const std::string state = text_at(status, "dataplane.state");
  std::string text = "control plane  " + text_at(status, "controlplane.release") + ", pid " +
                     std::to_string(number_at(status, "controlplane.pid"));
  // Of an older control plane nothing is known.
  const std::string seccomp = text_at(status, "controlplane.seccomp");
  if (!seccomp.empty()) text += ", seccomp " + seccomp;
  text += "\ndata plane     " + state + " since " + text_at(status, "dataplane.since");
  if (state != "disconnected") {
    text += ", release " + text_at(status, "dataplane.release") + ", pid " +
            std::to_string(number_at(status, "dataplane.pid")) + ", " +
            std::to_string(number_at(status, "dataplane.workers")) + " workers";
  }
  text += "\ngeneration     " + std::to_string(number_at(status, "dataplane.generation")) + "\n";
  if (const std::uint64_t adopted = number_at(status, "dataplane.endpoints_adopted")) {
    text += "adopted        " + with_commas(adopted) + " endpoints of the process before\n";
  }
  text += "intent         " + one_line(object_at(status, "intent.objects")) + "\n";
  const std::string error = text_at(status, "dataplane.last_error");
  if (!error.empty()) text += "last error     " + error + "\n";
  return text;
}

// Further lines stand under the first one.
std::string indented(std::string lines) {
  for (std::size_t at = 0; (at = lines.find('\n', at)) != lines.npos; ++at) {
    lines.insert(at + 1, "               ");
  }
  return lines;
}

}  // namespace

ExitCode run_status(const Client& client, const Invocation& invocation) {
  bool alarmed = false;
  const auto show = [&alarmed](const json::value& status) {
    const std::string alarm = text_at(status, "store.alarm");
    print(status_text(status) + unconfirmed_text(status, "intent.unconfirmed"));
    if (!alarm.empty()) print("STORE ALARM    " + indented(alarm) + "\n");
    alarmed = !alarm.empty();
  };
  const ExitCode code = ask(client, invocation, "GET", "/v1/status", {}, show);
  return code == ExitCode::ok && alarmed ? ExitCode::alarm : code;
}

ExitCode run_stats_show(const Client& client, const Invocation& invocation) {
  return show(client, invocation, "/v1/stats", stats_text);
}

ExitCode run_host_show(const Client& client, const Invocation& invocation) {
  return show(client, invocation, "/v1/stats", host_rows);
}

ExitCode run_drop_show(const Client& client, const Invocation& invocation) {
  return show(client, invocation, "/v1/drops", drops_text);
}

ExitCode run_pipeline_show(const Client& client, const Invocation& invocation) {
  return show(client, invocation, "/v1/pipelines", pipelines_text);
}

ExitCode run_neighbour_show(const Client& client, const Invocation& invocation) {
  return show(client, invocation, "/v1/neighbours", neighbours_text);
}

ExitCode run_worker_show(const Client& client, const Invocation& invocation) {
  return show(client, invocation, "/v1/workers", workers_text);
}

ExitCode run_event_watch(const Client& client, const Invocation& invocation) {
  const auto ended = client.stream("/v1/events", [&](std::string_view line) {
    boost::system::error_code broken;
    const json::value event = json::parse(line, broken);
    if (invocation.json || broken || !event.is_object()) {
      print(std::string(line) + "\n");
      return can_print();
    }
    json::object rest = event.get_object();
    rest.erase("time");
    rest.erase("event");
    print(text_at(event, "time") + "  " + text_at(event, "event") + "  " + one_line(rest) + "\n");
    return can_print();
  });
  if (!ended) return complain(ended.error().code, ended.error().message);
  return ExitCode::ok;
}

}  // namespace cp
