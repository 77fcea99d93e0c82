// SPDX-License-Identifier: Apache-2.0
// weir trace add|show|delete.
#include "controlplane/cli/answer.hpp"
#include "controlplane/cli/run.hpp"
#include "controlplane/cli/table.hpp"
#include "controlplane/cli/trace_filter.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

namespace cp {

namespace json = boost::json;

namespace {

std::string packet_text(const json::value& packet) {
  std::string text = "frame of " + std::to_string(number_at(packet, "bytes_in")) +
                     " bytes at port " + text_at(packet, "in_port") + ", worker " +
                     std::to_string(number_at(packet, "worker")) + ", generation " +
                     std::to_string(number_at(packet, "generation"));
  if (number_at(packet, "replica") != 0) {
    text += ", flooded copy " + std::to_string(number_at(packet, "replica"));
  }
  text += "\n";
  Table table({"  STAGE", "KIND", "ECN", "QP", "NETWORK", "ENDPOINT", "VTEP", "OUT PORT", "ENDED"});
  const json::value* hops = find_at(packet, "hops");
  if (hops != nullptr && hops->is_array()) {
    for (const json::value& hop : hops->get_array()) {
      const std::uint64_t qp = number_at(hop, "destination_qp");
      table.add({"  " + text_at(hop, "stage"), text_at(hop, "kind"), text_at(hop, "ecn"),
                 qp == 0 ? "" : std::to_string(qp), text_at(hop, "network"),
                 text_at(hop, "endpoint"), text_at(hop, "vtep"), text_at(hop, "out_port"),
                 text_at(hop, "reason")});
    }
  }
  return text + table.text() + "  " + text_at(packet, "ending") + "\n";
}

std::string trace_text(const json::value& trace) {
  const json::value* packets = find_at(trace, "packets");
  std::string text = "trace " + std::to_string(number_at(trace, "id")) + ": " +
                     text_at(trace, "filter_text") + "; " +
                     std::to_string(number_at(trace, "remaining")) + " of " +
                     std::to_string(number_at(trace, "count")) + " frames still to come\n";
  if (packets == nullptr || !packets->is_array()) return text;
  for (const json::value& packet : packets->get_array()) text += "\n" + packet_text(packet);
  return text;
}

std::string trace_target(const Invocation& invocation) {
  if (invocation.words.empty()) return "/v1/traces";
  return "/v1/traces/" + encode_percent(invocation.words[0]);
}

}  // namespace

ExitCode run_trace_add(const Client& client, const Invocation& invocation) {
  const auto body = trace_body(invocation.words);
  if (!body) return complain(ExitCode::usage, body.error());
  return ask(client, invocation, "POST", "/v1/traces", *body, [](const json::value& answer) {
    const std::string id = std::to_string(number_at(answer, "id"));
    print("trace " + id + " waits for frames; see them with: weir trace show " + id + "\n");
  });
}

ExitCode run_trace_show(const Client& client, const Invocation& invocation) {
  return ask(client, invocation, "GET", trace_target(invocation), {},
             [](const json::value& answer) {
               const json::value* list = find_at(answer, "traces");
               if (list == nullptr || !list->is_array()) return print(trace_text(answer));
               if (list->get_array().empty()) print("no traces; add one with: weir trace add\n");
               for (const json::value& trace : list->get_array()) print(trace_text(trace) + "\n");
             });
}

ExitCode run_trace_delete(const Client& client, const Invocation& invocation) {
  return ask(client, invocation, "DELETE", trace_target(invocation), {},
             [](const json::value& answer) { print(text_at(answer, "message") + "\n"); });
}

}  // namespace cp
