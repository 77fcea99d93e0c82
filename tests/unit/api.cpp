// SPDX-License-Identifier: Apache-2.0
// The control plane as its clients see it: real server, real store, real link, and a fake data
// plane behind. Every answer is checked for its status and what it says.
#include "controlplane/api/schemas.hpp"
#include "tests/unit/api_bed.hpp"

#include <boost/asio/local/stream_protocol.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <gtest/gtest.h>

#include <filesystem>
#include <thread>
#include <unistd.h>

namespace {

namespace json = boost::json;
using contract::Verb;
using namespace std::chrono_literals;

std::string error_member(const HttpReply& reply, std::string_view member) {
  const json::value document = json::parse(reply.body);
  const json::value* value = document.at("error").as_object().if_contains(member);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : "";
}

TEST_F(ApiTest, applies_an_intent_and_shows_it) {
  start_dataplane();
  start();
  ASSERT_TRUE(reaches_state("waiting"));

  const HttpReply reply = apply_sample();

  ASSERT_EQ(reply.status, 200u) << reply.body;
  const json::value answer = json::parse(reply.body);
  EXPECT_EQ(answer.at("status").as_string(), "applied");
  EXPECT_EQ(answer.at("counts").at("added").as_int64(), 7);
  EXPECT_EQ(dataplane_->records(Verb::endpoint_set), 2u);
  EXPECT_EQ(get("/v1/ports").at("ports").as_array().size(), 2u);
  EXPECT_EQ(get("/v1/vteps/gw2").at("address").as_string(), "198.18.0.2");
  EXPECT_EQ(get("/v1/endpoints/blue/02:00:00:00:0b:01").at("vtep").as_string(), "gw2");
  EXPECT_EQ(get("/v1/keys/ports").at("keys").as_array()[0].as_string(), "host0");
  EXPECT_TRUE(reaches_state("in_sync"));
}

TEST_F(ApiTest, adds_next_hops_and_lets_vteps_name_them) {
  start_dataplane();
  start();
  ASSERT_TRUE(reaches_state("waiting"));
  ASSERT_EQ(apply_sample().status, 200u);
  const std::string hop = R"({"name": "spine1", "port": "wire0", "address": "198.18.0.9"})";

  ASSERT_EQ(ask("POST", "/v1/next_hops", hop).status, 200u);
  const HttpReply named = ask("POST", "/v1/vteps", R"({"name": "gw3", "kind": "remote",
      "address": "198.18.0.3", "next_hops": ["spine1"]})");
  ASSERT_EQ(named.status, 200u) << named.body;

  EXPECT_EQ(dataplane_->records(Verb::next_hop_set), 1u);
  EXPECT_EQ(get("/v1/next_hops/spine1").at("address").as_string(), "198.18.0.9");
  const json::value shown = get("/v1/next_hops/spine1?state=true");
  EXPECT_EQ(shown.at("state").at("usable").as_int64(), 0);
  EXPECT_EQ(ask("DELETE", "/v1/next_hops/spine1").status, 409u) << "gw3 names it";
  EXPECT_TRUE(reaches_state("in_sync"));
}

TEST_F(ApiTest, does_nothing_in_a_dry_run) {
  start_dataplane();
  start();
  ASSERT_TRUE(reaches_state("waiting"));

  const HttpReply reply = ask("PUT", "/v1/intent?dry_run=true", std::string(sample_yaml));

  EXPECT_EQ(reply.status, 200u);
  EXPECT_EQ(json::parse(reply.body).at("status").as_string(), "planned");
  EXPECT_EQ(json::parse(reply.body).at("records").as_int64(), 9);
  EXPECT_EQ(dataplane_->generation(), 1u);  // The first, which says that nobody wants anything.
  EXPECT_TRUE(get("/v1/ports").at("ports").as_array().empty());
}

TEST_F(ApiTest, sends_one_record_for_one_change) {
  start_dataplane();
  start();
  ASSERT_TRUE(reaches_state("waiting"));
  ASSERT_EQ(apply_sample().status, 200u);
  const std::size_t frames = dataplane_->verbs().size();

  const HttpReply reply = ask("PUT", "/v1/endpoints/blue/02:00:00:00:0b:02", R"({"vtep":"gw2"})");

  ASSERT_EQ(reply.status, 200u) << reply.body;
  EXPECT_EQ(json::parse(reply.body).at("records").as_int64(), 1);
  const std::vector<Verb> verbs = dataplane_->verbs();
  EXPECT_EQ(std::vector<Verb>(verbs.begin() + static_cast<std::ptrdiff_t>(frames), verbs.end()),
            (std::vector<Verb>{Verb::begin, Verb::endpoint_set, Verb::commit}));
}

TEST_F(ApiTest, keeps_a_change_for_a_data_plane_that_is_not_there) {
  start();

  const HttpReply reply = apply_sample();

  EXPECT_EQ(reply.status, 202u);
  EXPECT_EQ(json::parse(reply.body).at("status").as_string(), "pending");
  start_dataplane();
  EXPECT_TRUE(reaches_state("in_sync"));
  EXPECT_EQ(dataplane_->records(Verb::endpoint_set), 2u);
}

TEST_F(ApiTest, changes_nothing_that_the_data_plane_refuses) {
  start_dataplane();
  start();
  ASSERT_TRUE(reaches_state("waiting"));
  ASSERT_EQ(apply_sample().status, 200u);
  dataplane_->refuse_commits = true;
  dataplane_->refused_port = 1;

  const HttpReply reply = ask("DELETE", "/v1/endpoints/blue/02:00:00:00:0b:01");

  EXPECT_EQ(reply.status, 502u);
  EXPECT_NE(error_member(reply, "object").find("port "), std::string::npos);
  EXPECT_NE(error_member(reply, "message").find("no such device"), std::string::npos);
  EXPECT_EQ(get("/v1/endpoints").at("endpoints").as_array().size(), 2u);
  EXPECT_TRUE(reaches_state("in_sync"));
}

TEST_F(ApiTest, remembers_the_intent_over_a_restart) {
  start_dataplane();
  start();
  ASSERT_TRUE(reaches_state("waiting"));
  ASSERT_EQ(apply_sample().status, 200u);
  const std::uint64_t generation = dataplane_->generation();
  stop();

  start();

  EXPECT_TRUE(reaches_state("in_sync"));
  EXPECT_EQ(get("/v1/endpoints").at("endpoints").as_array().size(), 2u);
  EXPECT_EQ(dataplane_->generation(), generation);  // Nothing was sent again.
}

TEST_F(ApiTest, says_what_is_wrong_with_a_file_and_where) {
  start();

  const HttpReply reply =
      ask("PUT", "/v1/intent", sample_with("vni: 100", "vni: 100, unknown_unicats: drop"));

  EXPECT_EQ(reply.status, 400u);
  const json::value error = json::parse(reply.body).at("error");
  EXPECT_EQ(error.at("line").as_int64(), 9);
  EXPECT_EQ(error.at("suggestion").as_string(), "unknown_unicast");
}

TEST_F(ApiTest, does_a_batch_whole_or_not_at_all) {
  start();
  ASSERT_EQ(apply_sample().status, 202u);

  const HttpReply reply = ask("POST", "/v1/batch", R"({"operations": [
      {"verb": "add", "kind": "network", "line": 1, "fields": {"name": "red", "vni": 200}},
      {"verb": "set", "kind": "port", "line": 2, "key": "host0", "fields": {"netwrk": "red"}}]})");

  EXPECT_EQ(reply.status, 400u) << reply.body;
  EXPECT_EQ(json::parse(reply.body).at("error").at("line").as_int64(), 2);
  EXPECT_EQ(error_member(reply, "suggestion"), "network");
  EXPECT_EQ(ask("GET", "/v1/networks/red").status, 404u);
}

TEST_F(ApiTest, edits_with_a_batch) {
  start();
  ASSERT_EQ(apply_sample().status, 202u);

  const HttpReply reply = ask("POST", "/v1/batch", R"({"operations": [
      {"verb": "add", "kind": "network", "fields": {"name": "red", "vni": 200, "flood": ["gw2"]}},
      {"verb": "set", "kind": "port", "key": "host0", "fields": {"mtu": 1400}},
      {"verb": "add", "kind": "host_rule", "fields": {"name": "icmp", "rate": 9}},
      {"verb": "delete", "kind": "endpoint", "key": "blue/02:00:00:00:0b:01"}]})");

  EXPECT_EQ(reply.status, 202u) << reply.body;
  EXPECT_EQ(get("/v1/networks/red").at("vni").as_int64(), 200);
  EXPECT_EQ(get("/v1/ports/host0").at("mtu").as_int64(), 1400);
  EXPECT_EQ(get("/v1/host_rules/icmp").at("rate").as_int64(), 9);
  EXPECT_EQ(get("/v1/endpoints").at("endpoints").as_array().size(), 1u);
}

TEST_F(ApiTest, a_queue_is_at_port_and_class) {
  start();
  ASSERT_EQ(apply_sample().status, 202u);
  EXPECT_TRUE(get("/v1/traffic_classes").at("traffic_classes").as_array().empty());

  ASSERT_EQ(ask("POST", "/v1/batch", R"({"operations": [{"verb": "add", "kind": "queue", "fields":
      {"port": "wire0", "traffic_class": 3, "dscp": [26, 46], "carries": ["data"],
       "kmin": "10K", "kmax": 10000, "mark_control": true}}]})")
                .status,
            202u);
  EXPECT_EQ(get("/v1/queues/wire0/3").at("dscp").as_array().size(), 2u);
  EXPECT_EQ(get("/v1/queues/wire0/3").at("kmax").as_string(), "10K");
  EXPECT_EQ(ask("PUT", "/v1/queues/wire0/3", R"({"rate": "1G"})").status, 202u);
  EXPECT_EQ(ask("PUT", "/v1/queues/wire0/8", R"({"rate": "1G"})").status, 400u);
  const json::value one = get("/v1/traffic_classes?port=wire0&traffic_class=3");
  ASSERT_EQ(one.at("traffic_classes").as_array().size(), 1u);
  EXPECT_EQ(one.at("traffic_classes").as_array()[0].at("rate").as_int64(), 1'000'000'000);
  EXPECT_TRUE(one.at("traffic_classes").as_array()[0].at("home_worker").is_null());
  EXPECT_EQ(ask("GET", "/v1/traffic_classes?port=wire9").status, 404u);
  EXPECT_EQ(ask("GET", "/v1/traffic_classes?traffic_class=8").status, 400u);
  EXPECT_EQ(ask("DELETE", "/v1/ports/wire0").status, 409u);
  EXPECT_EQ(ask("DELETE", "/v1/queues/wire0/3").status, 202u);
  EXPECT_EQ(ask("GET", "/v1/queues/wire0/3").status, 404u);
}

TEST_F(ApiTest, refuses_what_is_no_request) {
  start();

  EXPECT_EQ(ask("POST", "/v1/batch", "{").status, 400u);
  EXPECT_EQ(ask("POST", "/v1/batch", R"({"operations": [{"verb": "ad"}]})").status, 400u);
  EXPECT_EQ(ask("GET", "/v1/nothing").status, 404u);
  EXPECT_EQ(ask("GET", "/v1/ports/nothing").status, 404u);
  EXPECT_EQ(ask("DELETE", "/v1/ports/nothing").status, 404u);
  EXPECT_EQ(ask("DELETE", "/v1/status").status, 405u);
  EXPECT_EQ(ask("GET", "/v1/stats").status, 503u);
  EXPECT_EQ(http_raw(socket_path(), "nonsense\r\n\r\n").status, 400u);
}

TEST_F(ApiTest, answers_in_json_what_is_asked_in_no_text) {
  start();

  for (const char* target : {"/v1/%ff%00", "/v1/ports/%c3%28", "/v1/ports/\xfe"}) {
    const HttpReply reply = ask("GET", target);
    EXPECT_EQ(reply.status, 404u) << target;
    for (const char byte : reply.body) EXPECT_LT(static_cast<unsigned char>(byte), 0x80) << target;
  }
}

TEST_F(ApiTest, refuses_a_body_that_is_too_large_without_reading_it) {
  start();

  const HttpReply announced = http_raw(
      socket_path(), "PUT /v1/intent HTTP/1.1\r\nHost: a\r\nContent-Length: 4294967296\r\n\r\n");
  const HttpReply sent = ask("PUT", "/v1/intent", std::string(100 << 10, ' '));

  EXPECT_EQ(announced.status, 413u);
  EXPECT_EQ(sent.status, 413u);
}

TEST_F(ApiTest, ends_connections_whose_header_does_not_come) {
  start();

  const auto began = std::chrono::steady_clock::now();
  const HttpReply reply = http_raw(socket_path(), "GET /v1/status HTTP/1.1\r\nHost:");

  EXPECT_EQ(reply.status, 0u);  // Closed without a word.
  EXPECT_LT(std::chrono::steady_clock::now() - began, 15s);
}

TEST_F(ApiTest, serves_others_while_one_client_hangs) {
  start();
  const HttpConnection stuck(socket_path());
  stuck.send("PUT /v1/intent HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n12");

  EXPECT_EQ(ask("GET", "/healthz").status, 200u);
}

TEST_F(ApiTest, turns_away_more_connections_than_it_can_serve) {
  start();
  std::vector<std::unique_ptr<HttpConnection>> held;
  for (int i = 0; i < 8; ++i) held.push_back(std::make_unique<HttpConnection>(socket_path()));

  EXPECT_EQ(ask("GET", "/healthz").status, 503u);
  held.clear();
  HttpReply reply;
  for (int i = 0; i < 1000 && reply.status != 200; ++i) {
    std::this_thread::sleep_for(10ms);
    reply = ask("GET", "/healthz");
  }
  EXPECT_EQ(reply.status, 200u);
}

TEST_F(ApiTest, keeps_a_connection_for_several_requests) {
  start();
  const HttpConnection connection(socket_path());

  for (int i = 0; i < 3; ++i) {
    connection.send("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_EQ(connection.receive().status, 200u);
  }
}

TEST_F(ApiTest, refuses_a_second_server_and_replaces_a_dead_ones_socket) {
  start();
  boost::asio::io_context io;
  cp::HttpServer second(io.get_executor(), {}, nullptr);
  const auto refused = second.listen_unix(socket_path());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, base::Errc::already_exists);

  stop();
  EXPECT_FALSE(std::filesystem::exists(socket_path()));

  // What is left by a process that was killed.
  boost::asio::local::stream_protocol::acceptor(io, socket_path()).close();
  ASSERT_TRUE(std::filesystem::exists(socket_path()));
  start();
  EXPECT_EQ(ask("GET", "/healthz").status, 200u);
}

TEST_F(ApiTest, counts_what_the_region_says) {
  start_dataplane();
  start();
  ASSERT_TRUE(reaches_state("waiting"));
  ASSERT_EQ(apply_sample().status, 200u);
  const std::uint16_t port = 0;  // The first name in order: host0.
  contract::WorkerBlock worker = dataplane_->worker();
  worker.ports[port].rx_packets = 12;
  worker.ports[port].rx_kinds[3][2] = 5;
  worker.totals->rx = 12;
  worker.totals->dropped = 2;
  worker.totals->drops[1] = 2;
  worker.stages[0].packets = 12;
  worker.stages[0].packets_sampled = 4;
  worker.stages[0].cycles_sampled = 200;
  worker.stages[0].drops[1] = 2;
  worker.networks[1].ecn_decap[2][3] = 7;

  const json::value stats = get("/v1/stats");
  const json::value host = stats.at("ports").as_array()[0];
  EXPECT_EQ(host.at("name").as_string(), "host0");
  EXPECT_EQ(host.at("rx_packets").as_int64(), 12);
  EXPECT_EQ(host.at("rx_kinds").at("roce_send").at("ect0").as_int64(), 5);
  EXPECT_EQ(stats.at("totals").at("mismatch").as_int64(), 10);
  EXPECT_EQ(stats.at("drops").at("frame_truncated").as_int64(), 2);
  const json::value network = stats.at("networks").as_array()[0];
  EXPECT_EQ(network.at("ecn_decap").at("ect0").at("ce").as_int64(), 7);

  const json::value drop = get("/v1/drops").at("drops").as_array()[0];
  EXPECT_EQ(drop.at("reason").as_string(), "frame_truncated");
  EXPECT_EQ(drop.at("stages").at("host_to_wire/parse_frame").as_int64(), 2);

  const json::value pipelines = get("/v1/pipelines").at("pipelines");
  ASSERT_EQ(pipelines.as_array().size(), 2u);
  const json::value stage = pipelines.as_array()[0].at("stages").as_array()[0];
  EXPECT_EQ(stage.at("name").as_string(), "parse_frame");
  EXPECT_EQ(stage.at("cycles_per_packet").to_number<double>(), 50.0);

  EXPECT_EQ(get("/v1/workers").at("workers").as_array()[0].at("mismatch").as_int64(), 10);
  EXPECT_EQ(get("/v1/ports/host0?state=true").at("state").at("rx_packets").as_int64(), 12);
}

TEST_F(ApiTest, tells_listeners_what_happens) {
  start();
  const HttpConnection listener(socket_path());
  listener.send("GET /v1/events HTTP/1.0\r\nHost: a\r\n\r\n");
  ASSERT_TRUE(listener.waits_for("application/x-ndjson"));

  ASSERT_EQ(apply_sample().status, 202u);

  EXPECT_TRUE(listener.waits_for("\"event\":\"intent_changed\""));
}

TEST_F(ApiTest, shows_traced_frames_with_names) {
  start_dataplane();
  start();
  ASSERT_TRUE(reaches_state("waiting"));
  ASSERT_EQ(apply_sample().status, 200u);

  const HttpReply added =
      ask("POST", "/v1/traces", R"({"count": 2, "filter": {"port": "host0", "kind": "roce_cnp"}})");
  ASSERT_EQ(added.status, 201u) << added.body;
  contract::TracePacket packet{};
  packet.trace = 1;
  packet.remaining = 1;
  packet.in_port = {0};
  packet.hop_count = 2;
  packet.bytes_in = 64;
  packet.bytes_out = 114;
  packet.hops[0] = {.stage = 0, .network = {1}, .vtep = {}, .out_port = base::no_port};
  packet.hops[1] = {
      .stage = 1, .network = {1}, .vtep = {1}, .out_port = {1}, .endpoint_matched = 1};
  packet.destination_mac = {{2, 0, 0, 0, 0x0b, 1}};
  dataplane_->send_trace(packet);
  packet.queue = 1 + 3;
  packet.remaining = 0;
  dataplane_->send_trace(packet);

  json::value trace;
  for (int i = 0; i < 2000; ++i) {
    trace = get("/v1/traces/1");
    if (trace.at("packets").as_array().size() == 2) break;
    std::this_thread::sleep_for(5ms);
  }
  ASSERT_EQ(trace.at("packets").as_array().size(), 2u);
  EXPECT_EQ(trace.at("packets").as_array()[1].at("ending").as_string(),
            "queued with 114 bytes in wire0/3");
  const json::value shown = trace.at("packets").as_array()[0];
  EXPECT_EQ(shown.at("in_port").as_string(), "host0");
  EXPECT_EQ(shown.at("hops").as_array()[1].at("stage").as_string(), "host_to_wire/look_up");
  EXPECT_EQ(shown.at("hops").as_array()[1].at("vtep").as_string(), "gw2");
  EXPECT_FALSE(shown.at("hops").as_array()[0].as_object().contains("endpoint"));
  EXPECT_EQ(shown.at("hops").as_array()[1].at("endpoint").as_string(), "02:00:00:00:0b:01");
  EXPECT_EQ(shown.at("ending").as_string(), "sent with 114 bytes at port wire0");
  EXPECT_EQ(ask("DELETE", "/v1/traces/1").status, 200u);
  EXPECT_EQ(ask("GET", "/v1/traces/1").status, 404u);
}

TEST_F(ApiTest, refuses_filters_that_name_nothing) {
  start_dataplane();
  start();
  ASSERT_TRUE(reaches_state("waiting"));

  const HttpReply kind = ask("POST", "/v1/traces", R"({"filter": {"kind": "roce_cpn"}})");
  EXPECT_EQ(kind.status, 400u);
  EXPECT_EQ(error_member(kind, "suggestion"), "roce_cnp");
  const HttpReply far = ask("POST", "/v1/traces", R"({"filter": {"ecn": "marked"}})");
  EXPECT_EQ(error_member(far, "message"),
            "there is no such ecn \"marked\"; there are: not_ect ect1 ect0 ce");
  EXPECT_EQ(ask("POST", "/v1/traces", R"({"filter": {"port": "nowhere"}})").status, 400u);
  EXPECT_EQ(ask("POST", "/v1/traces", R"({"count": 0})").status, 400u);
  EXPECT_EQ(ask("POST", "/v1/traces", R"({"filter": {"prot": "a"}})").status, 400u);
}

TEST_F(ApiTest, has_a_schema_for_every_answer) {
  start();
  const json::value openapi = get("/v1/openapi.json");
  EXPECT_TRUE(openapi.at("paths").at("/v1/stats").is_object());
  for (const cp::Api::Route& route : cp::Api::routes()) {
    if (route.schema.empty()) continue;
    EXPECT_EQ(get("/v1/schema/" + std::string(route.schema)).at("type").as_string(), "object");
  }
  EXPECT_EQ(ask("GET", "/v1/schema/nothing").status, 404u);
}

}  // namespace
