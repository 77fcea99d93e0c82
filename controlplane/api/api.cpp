// SPDX-License-Identifier: Apache-2.0
#include "controlplane/api/api.hpp"

#include "controlplane/api/answer.hpp"
#include "dataplane/base/log.hpp"

#include <algorithm>
#include <array>

namespace cp {

namespace asio = boost::asio;

struct Api::RouteList {
  using enum Right;
  static constexpr std::array all{
      Route{"GET", "/v1/intent", read,
            "The whole intent; ?format=yaml as a file, ?state=running as the data plane has it.",
            "intent", &Api::get_intent},
      Route{
          "PUT", "/v1/intent", change,
          "Put the body in the place of what the file owns; ?takeover=true of everything. As with "
          "every change, ?dry_run=true only plans, and ?confirm_within=120s undoes it then unless "
          "it is confirmed.",
          "change", &Api::put_intent},
      Route{"PATCH", "/v1/intent", change, "Edit the intent by a JSON patch (RFC 6902).", "change",
            &Api::patch_intent},
      Route{"POST", "/v1/intent/check", read, "Whether the body could be applied.", "check",
            &Api::check_intent},
      Route{"POST", "/v1/intent/diff", read, "What applying the body would change.", "change",
            &Api::diff_intent},
      Route{"POST", "/v1/batch", change, "Several edits as one transaction.", "change",
            &Api::batch},
      Route{"POST", "/v1/confirm", change, "Keep the change that waits for it.", "message",
            &Api::confirm},
      Route{"POST", "/v1/rollback", change,
            "Go back to what ?to= names: a change, whose state it is, or a saved state; left out: "
            "undo the last change.",
            "change", &Api::rollback},
      Route{"GET", "/v1/history", read, "Who changed what, the newest first; ?limit=, ?before=.",
            "history", &Api::get_history},
      Route{"GET", "/v1/saved", read, "States that have names.", "saved", &Api::get_saved},
      Route{"PUT", "/v1/saved/{name}", change, "Give the state a name.", "message",
            &Api::put_saved},
      Route{"DELETE", "/v1/saved/{name}", change, "Forget a saved state.", "message",
            &Api::delete_saved},
      Route{"GET", "/v1/keys/{kinds}", read, "What the objects of a kind are called.", "keys",
            &Api::get_keys},
      Route{"GET", "/v1/status", read, "Whether the data plane has what is wanted.", "status",
            &Api::get_status},
      Route{"GET", "/v1/stats", read, "Counters of ports, networks, VTEPs; drops; tables.", "stats",
            &Api::get_stats},
      Route{"GET", "/v1/drops", read, "Dropped packets by reason and place.", "drops",
            &Api::get_drops},
      Route{"GET", "/v1/pipelines", read, "Stages in order, with packets, drops and cycles.",
            "pipelines", &Api::get_pipelines},
      Route{"GET", "/v1/workers", read, "What each worker does.", "workers", &Api::get_workers},
      Route{"GET", "/v1/traffic_classes", read,
            "Egress queues by port and class: settings, depth, marks, drops; ?port=, "
            "?traffic_class=.",
            "traffic_classes", &Api::get_traffic_classes},
      Route{"GET", "/v1/neighbours", read,
            "Addresses of this gateway and next hops, by ARP and ND.", "neighbours",
            &Api::get_neighbours},
      Route{"GET", "/v1/events", read, "What happens, one JSON document a line, without end.",
            "event", &Api::get_events},
      Route{"GET", "/v1/traces", read, "All traces with their frames.", "traces", &Api::get_traces},
      Route{"POST", "/v1/traces", change, "Follow the next frames that match.", "trace",
            &Api::post_trace},
      Route{"DELETE", "/v1/traces", change, "Stop and forget all traces.", "message",
            &Api::delete_traces},
      Route{"GET", "/v1/traces/{id}", read, "One trace with its frames.", "trace",
            &Api::get_traces},
      Route{"DELETE", "/v1/traces/{id}", change, "Stop and forget one trace.", "message",
            &Api::delete_traces},
      Route{"GET", "/v1/schema/{kind}", read, "The JSON Schema of an answer or object.", "",
            &Api::get_schema},
      Route{"GET", "/v1/openapi.json", read, "This list.", "", &Api::get_openapi},
      Route{"GET", "/metrics", read, "All counters as Prometheus text.", "", &Api::get_metrics},
      Route{"GET", "/healthz", read, "200 while this process answers.", "", &Api::get_health},
      // Last: the names above are no kinds of objects.
      Route{"GET", "/v1/{kinds}", read, "All objects of a kind; ?state=true adds counters.",
            "objects", &Api::get_objects},
      Route{"POST", "/v1/{kinds}", change, "Add an object.", "change", &Api::post_object},
      Route{"GET", "/v1/{kinds}/{key}", read, "One object.", "object", &Api::get_object},
      Route{"PUT", "/v1/{kinds}/{key}", change, "Add or replace an object.", "change",
            &Api::put_object},
      Route{"DELETE", "/v1/{kinds}/{key}", change, "Remove an object.", "change",
            &Api::delete_object},
      Route{"GET", "/v1/{kinds}/{key}/{part}", read, "One endpoint or queue.", "object",
            &Api::get_object},
      Route{"PUT", "/v1/{kinds}/{key}/{part}", change, "Add or replace an endpoint or a queue.",
            "change", &Api::put_object},
      Route{"DELETE", "/v1/{kinds}/{key}/{part}", change, "Remove an endpoint or a queue.",
            "change", &Api::delete_object},
  };
};

std::span<const Api::Route> Api::routes() {
  return RouteList::all;
}

namespace {

std::vector<std::string_view> split(std::string_view path) {
  std::vector<std::string_view> parts;
  while (!path.empty()) {
    path.remove_prefix(1);  // The slash.
    const std::string_view part = path.substr(0, path.find('/'));
    parts.push_back(part);
    path.remove_prefix(part.size());
  }
  return parts;
}

// True where the path has the pattern's form; fills what stands for the placeholders.
bool matches(std::string_view pattern, const std::vector<std::string_view>& path,
             std::vector<std::string>& parts) {
  const std::vector<std::string_view> wanted = split(pattern);
  if (wanted.size() != path.size()) return false;
  parts.clear();
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i].starts_with('{')) {
      if (path[i].empty()) return false;
      // The kinds of objects are fixed words: anything else is no such path.
      if (wanted[i] == "{kinds}" &&
          (!parse_kind(path[i]) || plural(*parse_kind(path[i])) != path[i])) {
        return false;
      }
      parts.emplace_back(path[i]);
    } else if (wanted[i] != path[i]) {
      return false;
    }
  }
  return true;
}

HttpResponse no_route(const HttpRequest& request, const std::string& allowed) {
  if (allowed.empty()) {
    return error_answer(404, "not_found",
                        "this control plane (release " WEIR_VERSION ") has nothing at " +
                            request.path + "; GET /v1/openapi.json lists what it has");
  }
  HttpResponse response = error_answer(
      405, "unsupported", request.path + " takes " + allowed + ", not " + request.method);
  response.allow = allowed;
  return response;
}

HttpResponse not_permitted(const HttpRequest& request) {
  LOG(warning, "change_refused", {"who", title_of(request.peer)}, {"method", request.method},
      {"path", request.path});
  return error_answer(403, "not_permitted",
                      request.method + " " + request.path + " changes something, and " +
                          title_of(request.peer) + " may only read; it takes " +
                          request.peer.change_takes);
}

}  // namespace

bool Api::Call::asks(std::string_view flag) const {
  const auto at = request.query.find(std::string(flag));
  return at != request.query.end() && at->second != "false" && at->second != "0";
}

std::string Api::Call::query(std::string_view name) const {
  const auto at = request.query.find(std::string(name));
  return at != request.query.end() ? at->second : std::string();
}

asio::awaitable<HttpResponse> Api::handle(HttpRequest request) {
  Call call{std::move(request), {}};
  const std::vector<std::string_view> path = call.request.path.starts_with('/')
                                                 ? split(call.request.path)
                                                 : std::vector<std::string_view>();
  std::string allowed;
  for (const Route& route : routes()) {
    if (!matches(route.pattern, path, call.parts)) continue;
    if (route.method == call.request.method) {
      if (route.needs > call.request.peer.right) co_return not_permitted(call.request);
      co_return co_await (this->*route.handler)(call);
    }
    if (!allowed.empty()) allowed += ", ";
    allowed += route.method;
  }
  co_return no_route(call.request, allowed);
}

asio::awaitable<HttpResponse> Api::handle_public(HttpRequest request) {
  const bool open = request.path == "/metrics" || request.path == "/healthz";
  if (!open) co_return error_answer(404, "not_found", "only /metrics and /healthz are served here");
  co_return co_await handle(std::move(request));
}

}  // namespace cp
