// SPDX-License-Identifier: Apache-2.0
// The HTTP interface: which path means what. The list of routes in api.cpp is all there is; the
// OpenAPI document is made of it.
#pragma once

#include "controlplane/api/configuration.hpp"
#include "controlplane/api/events.hpp"
#include "controlplane/api/http.hpp"
#include "controlplane/api/traces.hpp"
#include "controlplane/link/link.hpp"
#include "dataplane/base/seccomp.hpp"

#include <boost/asio/awaitable.hpp>

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace cp {

class Api {
 public:
  using Metrics = std::function<std::string()>;

  // All borrowed; they outlive the Api.
  struct Parts {
    Configuration& configuration;
    Link& link;
    Events& events;
    Traces& traces;
    const base::SeccompMode& seccomp;
    Metrics metrics;
  };
  explicit Api(Parts parts) : parts_(std::move(parts)) {}

  boost::asio::awaitable<HttpResponse> handle(HttpRequest request);
  // Only what may be asked over TCP: /metrics and /healthz.
  boost::asio::awaitable<HttpResponse> handle_public(HttpRequest request);

  // A request and the parts of its path that stand for {placeholders}.
  struct Call {
    HttpRequest request;
    std::vector<std::string> parts;

    bool asks(std::string_view flag) const;          // "?dry_run=true"
    std::string query(std::string_view name) const;  // Empty where it is not there.
  };
  using Answer = boost::asio::awaitable<HttpResponse>;

  struct Route {
    std::string_view method;
    std::string_view pattern;  // "/v1/{kinds}/{key}": a placeholder is one part.
    Right needs;               // `change` of all that others notice, be it a trace of packets.
    std::string_view summary;  // For the OpenAPI document.
    std::string_view schema;   // Of the answer: a name for GET /v1/schema/…, or empty.
    Answer (Api::*handler)(Call&);
  };
  static std::span<const Route> routes();

 private:
  struct RouteList;  // In api.cpp.

  // calls_intent.cpp
  Answer change(const Call& call, std::string what, std::function<Status(Intent&)> edit);
  Answer change(const Call& call, ChangeRequest request);
  Result<Intent> read_body(Call& call) const;
  Answer apply(Call& call, bool dry_run);
  Answer apply(Call& call, Intent intent, bool dry_run);
  Answer get_intent(Call& call);
  Answer put_intent(Call& call);
  Answer check_intent(Call& call);
  Answer diff_intent(Call& call);
  Answer batch(Call& call);
  Answer get_objects(Call& call);
  Answer post_object(Call& call);
  Answer get_object(Call& call);
  Answer put_object(Call& call);
  Answer delete_object(Call& call);
  Answer get_keys(Call& call);

  // calls_history.cpp
  Answer patch_intent(Call& call);
  Answer confirm(Call& call);
  Answer rollback(Call& call);
  Answer get_history(Call& call);
  Answer get_saved(Call& call);
  Answer put_saved(Call& call);
  Answer delete_saved(Call& call);

  // calls_view.cpp
  Answer get_status(Call& call);
  Answer get_stats(Call& call);
  Answer get_drops(Call& call);
  Answer get_pipelines(Call& call);
  Answer get_neighbours(Call& call);
  Answer get_traffic_classes(Call& call);
  Answer get_workers(Call& call);
  Answer get_events(Call& call);
  Answer get_traces(Call& call);
  Answer post_trace(Call& call);
  Answer delete_traces(Call& call);
  Answer get_schema(Call& call);
  Answer get_openapi(Call& call);
  Answer get_metrics(Call& call);
  Answer get_health(Call& call);

  Parts parts_;
};

}  // namespace cp
