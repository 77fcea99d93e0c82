// SPDX-License-Identifier: Apache-2.0
// Changes from end to end as their authors see them: whose objects are, what waits for its
// confirmation, the way back, and what a crash at the worst moment leaves.
#include "controlplane/plan/records.hpp"
#include "controlplane/store/difference.hpp"
#include "tests/unit/api_bed.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <gtest/gtest.h>

#include <filesystem>
#include <thread>

namespace {

namespace json = boost::json;
using contract::Verb;
using namespace std::chrono_literals;

constexpr const char* red = R"({"name": "red", "vni": 200})";

class Transactions : public ApiTest {
 protected:
  void begin() {
    start_dataplane();
    start();
    ASSERT_TRUE(reaches_state("waiting"));
    ASSERT_EQ(apply_sample().status, 200u);
  }
  HttpReply apply(const std::string& text, const std::string& query = "") {
    return ask("PUT", "/v1/intent" + query, text);
  }
  std::string intent() { return ask("GET", "/v1/intent").body; }
  json::array history() { return get("/v1/history").at("history").as_array(); }
  bool has(const std::string& target) { return ask("GET", target).status == 200; }
  bool becomes(const std::string& target, bool there, std::chrono::milliseconds within) {
    const auto until = std::chrono::steady_clock::now() + within;
    while (has(target) != there) {
      if (std::chrono::steady_clock::now() > until) return false;
      std::this_thread::sleep_for(5ms);
    }
    return true;
  }
  std::string message(const HttpReply& reply) {
    const json::value document = json::parse(reply.body);
    const json::value* error = document.as_object().if_contains("error");
    return std::string((error != nullptr ? *error : document).at("message").as_string());
  }
};

TEST_F(Transactions, a_file_keeps_what_commands_added_and_says_so) {
  begin();
  ASSERT_EQ(ask("POST", "/v1/networks", red).status, 200u);

  const HttpReply again = apply(std::string(sample_yaml));
  const HttpReply other = apply(sample_with("mtu: 1600", "mtu: 1500"));

  EXPECT_EQ(json::parse(again.body).at("status").as_string(), "unchanged");
  EXPECT_NE(message(other).find("; 1 object that a command owns stays"), std::string::npos);
  EXPECT_EQ(get("/v1/networks/red?state=true").at("owner").as_string(), "command");
  EXPECT_EQ(get("/v1/networks/blue?state=true").at("owner").as_string(), "file");
  EXPECT_FALSE(get("/v1/networks/blue").as_object().contains("owner")) << "it can be put back";
  EXPECT_EQ(get("/v1/networks?state=true").at("networks").at(1).at("owner").as_string(), "command");

  const HttpReply taken = apply(std::string(sample_yaml), "?takeover=true");
  ASSERT_EQ(taken.status, 200u) << taken.body;
  EXPECT_FALSE(has("/v1/networks/red"));
}

TEST_F(Transactions, a_file_does_not_overrule_a_command_unasked) {
  begin();
  ASSERT_EQ(ask("POST", "/v1/networks", red).status, 200u);
  const std::string file = sample_with("{name: blue", "{name: red, vni: 300}\n  - {name: blue");

  const HttpReply refused = apply(file);
  const HttpReply check = ask("POST", "/v1/intent/check", file);

  EXPECT_EQ(refused.status, 409u);
  EXPECT_NE(message(refused).find("owned by command"), std::string::npos);
  EXPECT_EQ(check.status, 409u);
  EXPECT_EQ(ask("POST", "/v1/intent/check?takeover=true", file).status, 200u);
  EXPECT_EQ(apply(file, "?takeover=true").status, 200u);
  EXPECT_EQ(get("/v1/networks/red?state=true").at("owner").as_string(), "file");
}

TEST_F(Transactions, a_file_cannot_leave_out_what_a_commands_object_uses) {
  begin();
  ASSERT_EQ(ask("PUT", "/v1/endpoints/blue/02:00:00:00:0b:09", R"({"vtep": "gw2"})").status, 200u);

  const HttpReply refused = apply("ports:\n  - {name: wire0, role: underlay, device: net_null0}\n");

  EXPECT_EQ(refused.status, 400u);
  EXPECT_NE(message(refused).find("it is owned by command, not in the file"), std::string::npos);
}

TEST_F(Transactions, a_command_edits_what_the_file_owns_and_says_so) {
  begin();

  const HttpReply edited = ask("POST", "/v1/batch", R"({"operations": [
      {"verb": "set", "kind": "port", "key": "wire0", "fields": {"mtu": 1500}}]})");

  EXPECT_NE(message(edited).find("; 1 of these the file owns"), std::string::npos);
  EXPECT_EQ(json::parse(edited.body).at("text").at(0).as_string(),
            "~ port wire0: mtu 1600 → 1500 (owner file)");
  EXPECT_EQ(get("/v1/ports/wire0?state=true").at("owner").as_string(), "file");
  const json::value diff =
      json::parse(ask("POST", "/v1/intent/diff", std::string(sample_yaml)).body);
  EXPECT_EQ(diff.at("text").at(0).as_string(), "~ port wire0: mtu 1500 → 1600");
}

TEST_F(Transactions, history_says_who_did_what) {
  begin();
  ASSERT_EQ(apply(sample_with("mtu: 1600", "mtu: 1500"), "?note=lab.yaml%0a").status, 200u);
  dataplane_->refuse_commits = true;
  ASSERT_EQ(ask("POST", "/v1/networks", red).status, 502u);

  const json::array entries = history();

  ASSERT_EQ(entries.size(), 3u);
  EXPECT_EQ(entries[0].at("outcome").as_string(), "refused");
  EXPECT_NE(entries[0].at("reason").as_string().find("no such device"), std::string::npos);
  EXPECT_EQ(entries[0].at("what").as_string(), "add network red");
  EXPECT_EQ(entries[1].at("what").as_string(), "apply lab.yaml?");
  EXPECT_EQ(entries[1].at("number").as_int64(), 2);
  EXPECT_EQ(entries[1].at("outcome").as_string(), "applied");
  EXPECT_EQ(entries[1].at("uid").as_int64(), ::getuid());
  EXPECT_EQ(entries[1].at("pid").as_int64(), ::getpid());
  EXPECT_EQ(entries[1].at("generation").to_number<std::uint64_t>(), dataplane_->generation());
  EXPECT_EQ(entries[1].at("counts").at("changed").as_int64(), 1);
  EXPECT_EQ(entries[1].at("text").at(0).as_string(), "~ port wire0: mtu 1600 → 1500");
  EXPECT_EQ(get("/v1/history?limit=1&before=2").at("history").at(0).at("number").as_int64(), 1);
  EXPECT_EQ(ask("GET", "/v1/history?limit=0").status, 400u);
  EXPECT_EQ(ask("GET", "/v1/history?before=a").status, 400u);
}

TEST_F(Transactions, history_keeps_the_beginning_of_a_long_line) {
  start();
  std::string vteps = "vteps:\n  - {name: self, kind: local, address: 198.18.0.1, port: wire0}\n";
  std::string flood;
  for (int i = 0; i < 60; ++i) {
    const std::string vtep = "remote" + std::to_string(i);
    vteps += "  - {name: " + vtep + ", kind: remote, address: 198.18.1." + std::to_string(i) +
             ", port: wire0, source: self, next_hop_mac: 02:00:00:00:ff:02}\n";
    flood += (i == 0 ? "" : ",") + json::serialize(json::string(vtep));
  }
  const HttpReply reply = apply("ports:\n  - {name: wire0, role: underlay, device: net_null0}\n" +
                                vteps + "networks:\n  - {name: blue, vni: 1}\n");
  ASSERT_EQ(reply.status, 202u) << reply.body;
  const HttpReply flooded =
      ask("PUT", "/v1/networks/blue", R"({"vni": 1, "flood": [)" + flood + "]}");
  ASSERT_EQ(flooded.status, 202u) << flooded.body;

  EXPECT_LE(history()[0].at("text").at(0).as_string().size(), 403u);
  EXPECT_TRUE(history()[0].at("text").at(0).as_string().ends_with("…"));
  EXPECT_EQ(history()[1].at("text").as_array().size(), 20u);
}

TEST_F(Transactions, a_change_that_nobody_confirms_is_undone_on_time) {
  begin();
  const std::string before = intent();
  const auto began = std::chrono::steady_clock::now();

  const HttpReply changed = apply(sample_with("mtu: 1600", "mtu: 1500"), "?confirm_within=1s");
  ASSERT_EQ(changed.status, 200u) << changed.body;

  EXPECT_NE(message(changed).find("undone in 1 s unless `weir confirm`"), std::string::npos);
  EXPECT_EQ(get("/v1/status").at("intent").at("unconfirmed").at("number").as_int64(), 2);
  EXPECT_EQ(ask("POST", "/v1/networks", red).status, 409u) << "one at a time";
  EXPECT_EQ(ask("POST", "/v1/networks?dry_run=true", red).status, 200u);
  while (intent() != before && std::chrono::steady_clock::now() - began < 5s) {
    std::this_thread::sleep_for(5ms);
  }
  const auto took = std::chrono::steady_clock::now() - began;
  EXPECT_GE(took, 1s);
  EXPECT_LT(took, 2s);
  EXPECT_TRUE(reaches_state("in_sync"));
  EXPECT_EQ(history()[0].at("what").as_string(), "undo change 2: nobody confirmed it");
  EXPECT_TRUE(history()[0].at("uid").is_null());
  EXPECT_EQ(ask("POST", "/v1/confirm").status, 409u);
  EXPECT_EQ(ask("POST", "/v1/networks", red).status, 200u);
}

TEST_F(Transactions, a_change_that_is_confirmed_stays) {
  begin();
  ASSERT_EQ(ask("POST", "/v1/networks?confirm_within=1s", red).status, 200u);

  const HttpReply confirmed = ask("POST", "/v1/confirm");

  EXPECT_EQ(message(confirmed), "change 2 stays");
  std::this_thread::sleep_for(1200ms);
  EXPECT_TRUE(has("/v1/networks/red"));
  EXPECT_EQ(history()[0].at("outcome").as_string(), "confirmed");
  EXPECT_EQ(ask("POST", "/v1/networks?confirm_within=soon", red).status, 400u);
  EXPECT_EQ(ask("POST", "/v1/networks?confirm_within=", red).status, 400u);
  EXPECT_EQ(ask("POST", "/v1/rollback?to=", "").status, 400u);
}

TEST_F(Transactions, a_rollback_ends_the_wait) {
  begin();
  const std::string before = intent();
  ASSERT_EQ(apply("{}", "?confirm_within=60s").status, 200u);

  ASSERT_EQ(ask("POST", "/v1/rollback").status, 200u);

  EXPECT_EQ(intent(), before);
  EXPECT_FALSE(get("/v1/history").as_object().contains("unconfirmed"));
  EXPECT_EQ(ask("POST", "/v1/confirm").status, 409u);
}

TEST_F(Transactions, an_unconfirmed_change_is_undone_though_the_process_ended) {
  begin();
  const std::string before = intent();
  const auto began = std::chrono::steady_clock::now();
  ASSERT_EQ(ask("POST", "/v1/networks?confirm_within=1s", red).status, 200u);
  stop();

  start();

  EXPECT_TRUE(has("/v1/networks/red")) << "it has its time";
  EXPECT_TRUE(becomes("/v1/networks/red", false, 3s));
  EXPECT_GE(std::chrono::steady_clock::now() - began, 1s);
  EXPECT_LT(std::chrono::steady_clock::now() - began, 2s);
  EXPECT_EQ(intent(), before);
  EXPECT_TRUE(reaches_state("in_sync"));
  EXPECT_EQ(dataplane_->records(Verb::network_remove), 1u) << "only the difference";
}

TEST_F(Transactions, a_deadline_that_passed_meanwhile_is_kept_at_once) {
  begin();
  const std::string before = intent();
  ASSERT_EQ(ask("POST", "/v1/networks?confirm_within=1s", red).status, 200u);
  stop();
  std::this_thread::sleep_for(1100ms);

  start();

  EXPECT_TRUE(becomes("/v1/networks/red", false, 500ms));
  EXPECT_TRUE(reaches_state("in_sync"));
  EXPECT_EQ(intent(), before);
}

TEST_F(Transactions, what_is_undone_is_kept_though_the_data_plane_refuses) {
  begin();
  const std::string before = intent();
  ASSERT_EQ(ask("POST", "/v1/networks?confirm_within=1s", red).status, 200u);
  dataplane_->refuse_commits = true;

  EXPECT_TRUE(becomes("/v1/networks/red", false, 3s));
  EXPECT_EQ(intent(), before);
  EXPECT_EQ(history()[0].at("outcome").as_string(), "pending");
  EXPECT_TRUE(reaches_state("refused"));
  EXPECT_EQ(ask("GET", "/v1/intent?state=running").status, 409u) << "nobody knows";
  dataplane_->refuse_commits = false;
  EXPECT_TRUE(reaches_state("in_sync"));
}

TEST_F(Transactions, goes_back_by_number_and_by_name) {
  begin();
  const std::string first = intent();
  ASSERT_EQ(message(ask("PUT", "/v1/saved/good")),
            "saved as good; `weir rollback good` leads back here");
  ASSERT_EQ(ask("POST", "/v1/networks", red).status, 200u);
  const std::string third = intent();
  ASSERT_EQ(apply("{}").status, 200u);

  EXPECT_EQ(ask("POST", "/v1/rollback?to=1&dry_run=true").status, 200u);
  EXPECT_NE(intent(), first);
  EXPECT_EQ(ask("POST", "/v1/rollback?to=1").status, 200u);
  EXPECT_EQ(intent(), first);
  EXPECT_EQ(ask("POST", "/v1/rollback?to=3").status, 200u);
  EXPECT_EQ(intent(), third);
  EXPECT_EQ(get("/v1/networks/red?state=true").at("owner").as_string(), "command");
  EXPECT_EQ(ask("POST", "/v1/rollback?to=good").status, 200u);
  EXPECT_EQ(intent(), first);
  EXPECT_EQ(ask("POST", "/v1/rollback").status, 200u);
  EXPECT_EQ(intent(), third) << "the rollback itself is undone";
  EXPECT_EQ(history()[0].at("what").as_string(), "rollback of change 7");
  EXPECT_TRUE(reaches_state("in_sync"));

  EXPECT_EQ(ask("POST", "/v1/rollback?to=99").status, 404u);
  EXPECT_EQ(ask("POST", "/v1/rollback?to=goood").status, 404u);
  EXPECT_EQ(get("/v1/saved").at("saved").at(0).at("number").as_int64(), 1);
  EXPECT_EQ(ask("PUT", "/v1/saved/17").status, 400u) << "changes have numbers";
  EXPECT_EQ(ask("PUT", "/v1/saved/a%20b").status, 400u);
  EXPECT_EQ(ask("DELETE", "/v1/saved/good").status, 200u);
  EXPECT_EQ(ask("DELETE", "/v1/saved/good").status, 404u);
}

TEST_F(Transactions, has_nothing_to_go_back_to_at_first) {
  start();

  EXPECT_EQ(ask("POST", "/v1/rollback").status, 404u);
  EXPECT_EQ(ask("POST", "/v1/confirm").status, 409u);
  EXPECT_TRUE(history().empty());
}

TEST_F(Transactions, patches_are_edits) {
  begin();

  const HttpReply patched = ask("PATCH", "/v1/intent", R"([
      {"op": "test", "path": "/ports/wire0/mtu", "value": 1600},
      {"op": "replace", "path": "/ports/wire0/mtu", "value": 1500},
      {"op": "add", "path": "/networks/red", "value": {"vni": 200}}])");

  ASSERT_EQ(patched.status, 200u) << patched.body;
  EXPECT_EQ(get("/v1/ports/wire0?state=true").at("owner").as_string(), "file");
  EXPECT_EQ(get("/v1/networks/red?state=true").at("owner").as_string(), "command");
  const HttpReply wrong = ask("PATCH", "/v1/intent",
                              R"([{"op": "add", "path": "/networks/pink", "value": {"vnii": 1}}])");
  EXPECT_EQ(wrong.status, 400u);
  EXPECT_FALSE(json::parse(wrong.body).at("error").as_object().contains("line"));
  EXPECT_EQ(ask("PATCH", "/v1/intent", R"([{"op": "remove", "path": "/vteps/gw2"}])").status, 400u)
      << "others refer to it";
  EXPECT_EQ(
      ask("PATCH", "/v1/intent", R"([{"op": "test", "path": "/vteps/gw2", "value": 1}])").status,
      409u);
}

TEST_F(Transactions, shows_what_runs_where_it_is_known) {
  start();
  EXPECT_EQ(ask("GET", "/v1/intent?state=running").status, 503u);
  ASSERT_EQ(apply_sample().status, 202u);
  start_dataplane();
  ASSERT_TRUE(reaches_state("in_sync"));

  EXPECT_EQ(ask("GET", "/v1/intent?state=running").body, intent());
  EXPECT_EQ(ask("GET", "/v1/intent?state=stored").body, intent());
  EXPECT_EQ(ask("GET", "/v1/intent?state=runnin").status, 400u);
}

// The store as it is when the process is killed between the data plane's commit and the last save.
class Interrupted : public Transactions {
 protected:
  // `next` is what the data plane is asked for; with `in_force` it has taken it.
  void interrupt(const std::string& next, bool in_force, std::optional<cp::Deadline> confirm = {}) {
    begin();
    stop();
    const auto file = directory_ / "intent.sqlite";
    std::filesystem::copy_file(file, directory_ / "kept");
    start();
    ASSERT_TRUE(reaches_state("in_sync"));
    if (in_force) {
      ASSERT_EQ(apply(next).status, 200u);
    }
    stop();
    std::filesystem::copy_file(directory_ / "kept", file,
                               std::filesystem::copy_options::overwrite_existing);
    for (const char* suffix : {"-wal", ".copy", ".copy-wal"}) {
      std::filesystem::remove(file.string() + suffix);
    }

    cp::Store store = cp::Store::open(file).value();
    cp::Saved saved = store.load({}).value();
    const cp::Intent wanted = cp::read_intent(next, cp::Syntax::yaml).value();
    cp::Allocation allocation = saved.allocation;
    ASSERT_TRUE(allocation.take_all(wanted));
    cp::Prepared prepared;
    prepared.entry.what = "apply";
    prepared.digests = cp::digests_of(wanted, allocation);
    prepared.numbers = cp::write_numbers(saved.allocation, allocation);
    prepared.confirm = std::move(confirm);
    ASSERT_TRUE(store.prepare(wanted, prepared));
  }
  const std::string next_ = sample_with("{name: blue", "{name: red, vni: 200}\n  - {name: blue");
};

TEST_F(Interrupted, a_change_that_came_to_pass_is_finished_without_a_record) {
  interrupt(next_, true);
  const std::uint64_t generation = dataplane_->generation();

  start();

  EXPECT_TRUE(becomes("/v1/networks/red", true, 3s));
  EXPECT_TRUE(reaches_state("in_sync"));
  EXPECT_EQ(dataplane_->generation(), generation) << "nothing was sent";
  EXPECT_EQ(history()[0].at("what").as_string(), "apply (finished after a restart)");
  stop();
  start();
  EXPECT_TRUE(has("/v1/networks/red"));
}

TEST_F(Interrupted, a_change_that_did_not_is_given_up) {
  interrupt(next_, false);
  const std::uint64_t generation = dataplane_->generation();

  start();

  EXPECT_TRUE(reaches_state("in_sync"));
  EXPECT_FALSE(has("/v1/networks/red"));
  EXPECT_EQ(dataplane_->generation(), generation);
  EXPECT_EQ(history()[0].at("outcome").as_string(), "unfinished");
}

TEST_F(Interrupted, a_change_meanwhile_gives_it_up) {
  interrupt(next_, true);
  dataplane_.reset();

  start();
  ASSERT_EQ(ask("POST", "/v1/networks", R"({"name": "pink", "vni": 300})").status, 202u);

  EXPECT_EQ(history()[0].at("outcome").as_string(), "pending");
  EXPECT_EQ(history()[1].at("outcome").as_string(), "unfinished");
  start_dataplane();
  EXPECT_TRUE(reaches_state("in_sync"));
  EXPECT_FALSE(has("/v1/networks/red"));
}

TEST_F(Interrupted, a_change_found_in_force_is_undone_on_time_too) {
  interrupt(next_, true, cp::deadline_in(700ms));

  start();

  EXPECT_TRUE(becomes("/v1/networks/red", true, 600ms));
  EXPECT_TRUE(becomes("/v1/networks/red", false, 1700ms));
  EXPECT_TRUE(reaches_state("in_sync"));
}

}  // namespace
