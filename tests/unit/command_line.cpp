// SPDX-License-Identifier: Apache-2.0
// The command line without a server: parsing, batches, completion, help, the manual page.
#include "controlplane/cli/answer.hpp"
#include "controlplane/cli/chart.hpp"
#include "controlplane/cli/completion.hpp"
#include "controlplane/cli/edit.hpp"
#include "controlplane/cli/help.hpp"
#include "controlplane/cli/parse.hpp"
#include "controlplane/cli/table.hpp"
#include "controlplane/cli/trace_filter.hpp"
#include "controlplane/cli/tree.hpp"
#include "dataplane/base/roff.hpp"

#include <gtest/gtest.h>

#include <cstdlib>

namespace {

using Words = std::vector<std::string>;

std::string error_of(const Words& words) {
  const auto line = cp::parse_command_line(words);
  return line ? "" : line.error();
}

Words complete(const Words& words) {
  const auto keys = [](cp::ObjectKind kind) -> Words {
    switch (kind) {
      case cp::ObjectKind::port: return {"host0", "wire0"};
      case cp::ObjectKind::vtep: return {"gw2", "self"};
      case cp::ObjectKind::network: return {"blue"};
      case cp::ObjectKind::endpoint: return {"blue/02:00:00:00:0a:01"};
      case cp::ObjectKind::next_hop: return {"spine1", "spine2"};
      case cp::ObjectKind::host_rule: return {"icmp"};
      case cp::ObjectKind::queue: return {"wire0/3"};
    }
    return {};
  };
  const auto states = [] {
    return Words{"before-move", "good"};
  };
  return cp::complete(words, {.keys = keys, .states = states});
}

TEST(CommandLine, finds_noun_verb_and_words) {
  const auto line = cp::parse_command_line(
      {"endpoint", "add", "blue", "mac", "02:00:00:00:0a:01", "port", "host0", "-j", "--dry-run"});

  ASSERT_TRUE(line);
  EXPECT_EQ(line->invocation.command, cp::find_command("endpoint", "add"));
  EXPECT_EQ(line->invocation.words, (Words{"blue", "mac", "02:00:00:00:0a:01", "port", "host0"}));
  EXPECT_TRUE(line->invocation.json);
  EXPECT_TRUE(line->invocation.dry_run);
}

TEST(CommandLine, takes_global_options_anywhere) {
  const auto before = cp::parse_command_line({"-s", "/a", "status"});
  const auto after = cp::parse_command_line({"status", "-s", "/a", "--timeout", "0.5"});

  ASSERT_TRUE(before && after);
  EXPECT_EQ(before->target.socket, "/a");
  EXPECT_EQ(after->target.socket, "/a");
  EXPECT_EQ(after->timeout, std::chrono::milliseconds(500));
}

TEST(CommandLine, takes_the_socket_from_the_environment) {
  ::setenv("WEIR_SOCKET", "/from/environment", 1);
  EXPECT_EQ(cp::parse_command_line({"status"})->target.socket, "/from/environment");
  EXPECT_EQ(cp::parse_command_line({"status", "-s", "/told"})->target.socket, "/told");
  ::unsetenv("WEIR_SOCKET");
}

TEST(CommandLine, takes_a_server_with_its_files_from_line_and_environment) {
  ::setenv("WEIR_SOCKET", "/from/environment", 1);
  ::setenv("WEIR_SERVER", "gw1:1", 1);
  ::setenv("WEIR_CERT", "c", 1);
  ::setenv("WEIR_KEY", "k", 1);
  const Words typed{"--server", "gw2:9443", "status", "--cert", "mine", "--ca", "a"};

  const auto both = cp::parse_command_line(typed);
  EXPECT_EQ(error_of({"status"}),
            "--ca is missing (or WEIR_CA): --server takes a certificate, its key and the "
            "server's CA");
  const auto local = cp::parse_command_line({"-s", "/told", "status"});

  ASSERT_TRUE(both && local);
  EXPECT_EQ(both->target.server, "gw2:9443");
  EXPECT_EQ(both->target.socket, "");
  EXPECT_EQ(both->target.files.certificate, "mine");
  EXPECT_EQ(both->target.files.key, "k");
  EXPECT_EQ(local->target.server, "");
  EXPECT_EQ(local->target.socket, "/told");
  for (const char* name : {"WEIR_SOCKET", "WEIR_SERVER", "WEIR_CERT", "WEIR_KEY"}) ::unsetenv(name);
}

TEST(CommandLine, takes_one_control_plane_at_an_address_that_can_be) {
  EXPECT_EQ(error_of({"-s", "/a", "--server", "gw1:1", "status"}),
            "--socket and --server name two control planes; say one of them");
  EXPECT_EQ(error_of({"--server", "gw1", "status"}),
            "--server wants HOST:PORT, an IPv6 address in brackets, not \"gw1\"");
}

TEST(CommandLine, watches_every_second_unless_told_otherwise) {
  EXPECT_EQ(cp::parse_command_line({"stats", "show"})->invocation.watch_s, std::nullopt);
  EXPECT_EQ(cp::parse_command_line({"stats", "show", "--watch"})->invocation.watch_s, 1.0);
  EXPECT_EQ(cp::parse_command_line({"stats", "show", "--watch=0.2"})->invocation.watch_s, 0.2);
  EXPECT_NE(error_of({"stats", "show", "--watch=often"}), "");
  EXPECT_NE(error_of({"stats", "show", "--watch=0"}), "");
}

TEST(CommandLine, draws_every_second_unless_told_otherwise) {
  EXPECT_EQ(cp::parse_command_line({"queue", "watch"})->invocation.interval_s, 1.0);
  const auto line = cp::parse_command_line({"queue", "watch", "wire0", "--interval", "0.5"});
  ASSERT_TRUE(line);
  EXPECT_EQ(line->invocation.interval_s, 0.5);
  EXPECT_EQ(line->invocation.words, Words{"wire0"});
  EXPECT_NE(error_of({"queue", "watch", "--interval", "0"}).find("--interval wants seconds"),
            std::string::npos);
  EXPECT_NE(error_of({"queue", "show", "--interval", "1"}), "");
}

TEST(CommandLine, names_the_nearest_right_word) {
  EXPECT_NE(error_of({"prot", "show"}).find("did you mean \"port\""), std::string::npos);
  EXPECT_NE(error_of({"port", "shw"}).find("did you mean \"show\""), std::string::npos);
  EXPECT_NE(error_of({"port"}).find("show add set delete"), std::string::npos);
  EXPECT_NE(error_of({"apply"}).find("FILE is missing"), std::string::npos);
  EXPECT_NE(error_of({"status", "now"}).find("now"), std::string::npos);
  EXPECT_NE(error_of({"port", "show", "--wach"}).find("--wach"), std::string::npos);
}

TEST(CommandLine, every_command_has_help_and_an_example_that_parses) {
  for (const cp::Command& command : cp::commands()) {
    EXPECT_FALSE(command.help.empty()) << command.noun;
    Words words = cp::split_words(command.example).value();
    if (const auto redirect = std::find(words.begin(), words.end(), ">"); redirect != words.end()) {
      words.erase(redirect, words.end());
    }
    const auto line = cp::parse_command_line(words);
    ASSERT_TRUE(line) << command.example << ": " << line.error();
    EXPECT_EQ(line->invocation.command, &command) << command.example;
    EXPECT_NE(cp::help_text(command.noun, command.verb).find(command.help), std::string::npos);
  }
}

TEST(CommandLine, help_stands_in_one_column) {
  const std::string text = cp::help_text("port", "add");

  for (const char* line : {"\n  NAME                   What", "\n  FIELD VALUE…           Fields",
                           "\n  --dry-run              Say", "\n  --confirm-within TIME  Undo"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << " in\n" << text;
  }
}

TEST(CommandLine, help_says_a_port_and_an_endpoint) {
  EXPECT_NE(cp::help_text("port", "add").find("\nFields of a port:\n"), std::string::npos);
  EXPECT_NE(cp::help_text("endpoint", "add").find("\nFields of an endpoint:\n"), std::string::npos);
}

TEST(CommandLine, changes_may_be_told_to_wait_for_a_confirmation) {
  const auto line = cp::parse_command_line({"apply", "a.yaml", "--confirm-within", "2m"});
  ASSERT_TRUE(line);
  EXPECT_EQ(cp::change_target("/v1/intent", line->invocation), "/v1/intent?confirm_within=2m");
  const auto batch = cp::parse_command_line({"-f", "b", "--dry-run", "--confirm-within", "9s"});
  ASSERT_TRUE(batch);
  EXPECT_EQ(cp::change_target("/v1/batch", batch->invocation),
            "/v1/batch?dry_run=true&confirm_within=9s");
  EXPECT_EQ(cp::change_target("/v1/rollback?to=a",
                              cp::parse_command_line({"rollback", "a", "--dry-run"})->invocation),
            "/v1/rollback?to=a&dry_run=true");
  EXPECT_TRUE(cp::parse_command_line({"apply", "a", "--takeover"})->invocation.takeover);
  EXPECT_NE(error_of({"confirm", "now"}), "");
}

TEST(Edit, reads_a_next_hop_by_either_word) {
  for (const char* noun : {"next-hop", "next_hop"}) {
    const auto batch =
        cp::parse_batch(std::string(noun) + " add spine1 port wire0 address 198.18.1.0\n");
    ASSERT_TRUE(batch) << batch.error().message;
    EXPECT_EQ(cp::batch_body(*batch),
              R"({"operations":[{"verb":"add","kind":"next_hop","line":1,"fields":)"
              R"({"name":"spine1","port":"wire0","address":"198.18.1.0"}}]})");
  }
  EXPECT_EQ(cp::parse_batch("nexthop add x\n").error().suggestion, "next-hop");
  EXPECT_TRUE(cp::parse_command_line({"next-hop", "show"}));
}

TEST(Edit, reads_an_endpoint_in_all_its_spellings) {
  const Words spellings[] = {{"blue", "mac", "02:00:00:00:0b:01", "vtep", "gw2"},
                             {"blue", "02:00:00:00:0b:01", "vtep", "gw2"},
                             {"blue/02:00:00:00:0b:01", "vtep", "gw2"}};
  for (const Words& words : spellings) {
    const auto edit = cp::parse_edit(cp::ObjectKind::endpoint, "add", words);

    ASSERT_TRUE(edit);
    const std::vector<std::pair<std::string, std::string>> fields = {
        {"network", "blue"}, {"mac", "02:00:00:00:0b:01"}, {"vtep", "gw2"}};
    EXPECT_EQ(edit->fields, fields);
  }
}

TEST(Edit, reads_a_queue_in_both_its_spellings) {
  for (const Words& words : {Words{"wire0/3", "pmax", "5%"}, Words{"wire0", "3", "pmax", "5%"}}) {
    const auto added = cp::parse_edit(cp::ObjectKind::queue, "add", words);
    const auto set = cp::parse_edit(cp::ObjectKind::queue, "set", words);

    ASSERT_TRUE(added && set);
    const std::vector<std::pair<std::string, std::string>> fields = {
        {"port", "wire0"}, {"traffic_class", "3"}, {"pmax", "5%"}};
    EXPECT_EQ(added->fields, fields);
    EXPECT_EQ(set->key, "wire0/3");
    EXPECT_EQ(set->fields.size(), 1u);
  }
}

TEST(Edit, refuses_what_is_incomplete) {
  EXPECT_FALSE(cp::parse_edit(cp::ObjectKind::port, "add", {"wire0", "mtu"}));
  EXPECT_FALSE(cp::parse_edit(cp::ObjectKind::port, "set", {"wire0"}));
  EXPECT_FALSE(cp::parse_edit(cp::ObjectKind::port, "delete", {"wire0", "mtu", "1500"}));
  EXPECT_FALSE(cp::parse_edit(cp::ObjectKind::port, "add", {}));
  EXPECT_FALSE(cp::parse_edit(cp::ObjectKind::port, "show", {"wire0"}));
}

TEST(Edit, reads_a_batch_and_names_the_line_of_an_error) {
  const auto batch = cp::parse_batch(
      "# the fabric\n\nport add wire0 role underlay device 'net_tap0, iface=a'  # first\n"
      "endpoint delete blue/02:00:00:00:0b:01\n");
  ASSERT_TRUE(batch);
  ASSERT_EQ(batch->size(), 2u);
  EXPECT_EQ((*batch)[0].line, 3u);
  EXPECT_EQ((*batch)[0].fields[2].second, "net_tap0, iface=a");
  EXPECT_EQ((*batch)[1].key, "blue/02:00:00:00:0b:01");

  const auto wrong = cp::parse_batch("port add a role tenant\nprot add b\n");
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().place.line, 2u);
  EXPECT_EQ(wrong.error().suggestion, "port");
}

TEST(Completion, knows_nouns_verbs_fields_and_live_names) {
  EXPECT_EQ(complete({"po"}), Words{"port"});
  EXPECT_EQ(complete({"port", "d"}), Words{"delete"});
  EXPECT_EQ(complete({"port", "show", "w"}), Words{"wire0"});
  EXPECT_EQ(complete({"endpoint", "add", ""}), Words{"blue"});
  EXPECT_EQ(complete({"endpoint", "add", "blue", "mac", "02:00:00:00:0a:01", "vtep", "g"}),
            Words{"gw2"});
  EXPECT_EQ(complete({"port", "add", "x", "role", "t"}), (Words{"tenant", "transit"}));
  EXPECT_EQ(complete({"queue", "add", "w"}), Words{"wire0/"});
  EXPECT_EQ(complete({"queue", "show", "w"}), (Words{"wire0", "wire0/3"}));
  EXPECT_EQ(complete({"queue", "set", "wire0/3", "carries", "c"}), (Words{"cnp", "cm"}));
  EXPECT_EQ(complete({"queue", "set", "wire0/3", "mark_control", "t"}), Words{"true"});
  EXPECT_EQ(complete({"queue", "set", "wire0/3", "t"}), Words{});
  EXPECT_EQ(complete({"trace", "add", "kind", "roce_c"}), (Words{"roce_cnp", "roce_cm"}));
  EXPECT_EQ(complete({"-s", "/a", "port", "show", "h"}), Words{"host0"});
  EXPECT_EQ(complete({"stats", "show", "--w"}), Words{"--watch"});
  EXPECT_EQ(complete({"ne"}), (Words{"next-hop", "network", "neighbour"}));
  EXPECT_EQ(complete({"next-hop", "delete", "spine2"}), Words{"spine2"});
  EXPECT_EQ(complete({"vtep", "set", "gw2", "next_hops", "spine1"}), Words{"spine1"});
  EXPECT_EQ(complete({"rollback", "g"}), Words{"good"});
  EXPECT_EQ(complete({"save", "b"}), Words{"before-move"});
  EXPECT_EQ(complete({"apply", "--t"}), (Words{"--timeout", "--takeover"}));
}

TEST(Completion, leaves_files_to_the_shell) {
  EXPECT_EQ(complete({"apply", ""}), Words{});
  EXPECT_EQ(complete({"-f", ""}), Words{});
}

TEST(Completion, does_not_offer_a_field_twice) {
  const Words words = complete({"port", "set", "wire0", "mtu", "1600", ""});

  EXPECT_EQ(std::count(words.begin(), words.end(), "mtu"), 0);
  EXPECT_EQ(std::count(words.begin(), words.end(), "role"), 1);
}

TEST(TraceFilter, reads_fields_flags_and_a_count) {
  const auto body = cp::trace_body({"port", "host0", "dropped", "destination_qp", "17", "5"});

  ASSERT_TRUE(body);
  EXPECT_EQ(*body, R"({"count":5,"filter":{"port":"host0","dropped":true,"destination_qp":17}})");
  EXPECT_FALSE(cp::trace_body({"prot", "host0"}));
  EXPECT_FALSE(cp::trace_body({"port"}));
  EXPECT_FALSE(cp::trace_body({"destination_qp", "many"}));
}

TEST(Chart, a_bar_is_an_eighth_of_a_character_fine) {
  EXPECT_EQ(cp::bar_text({.value = 0}, 100, 4), "    ");
  EXPECT_EQ(cp::bar_text({.value = 50}, 100, 4), "██  ");
  EXPECT_EQ(cp::bar_text({.value = 40.7}, 100, 4), "█▋  ");
  EXPECT_EQ(cp::bar_text({.value = 0.001}, 100, 4), "▏   ");
  EXPECT_EQ(cp::bar_text({.value = 900}, 100, 4), "████");
  EXPECT_EQ(cp::bar_text({.value = 1}, 0, 4), "    ");
  EXPECT_EQ(cp::bar_text({.value = 1}, 1, 0), "");
}

TEST(Chart, a_bar_has_lines_at_kmin_and_kmax_and_where_it_was_highest) {
  EXPECT_EQ(cp::bar_text({.value = 30, .highest = 65, .lower = 20, .upper = 80}, 100, 10),
            "██╫   ╵ ┊ ");
  EXPECT_EQ(cp::bar_text({.value = 5, .highest = 5, .lower = 20, .upper = 20}, 100, 10),
            "▌ ┊       ");
  EXPECT_EQ(cp::bar_text({.value = 0, .highest = 1000, .upper = 1000}, 100, 4), "   ┊");
}

TEST(Chart, history_ends_at_the_right) {
  EXPECT_EQ(cp::history_text({}, 100, 3), "   ");
  EXPECT_EQ(cp::history_text({0, 50, 100}, 100, 4), "  ▄█");
  EXPECT_EQ(cp::history_text({1, 25, 50, 100}, 100, 2), "▄█");
}

TEST(Chart, a_scale_is_a_round_number) {
  EXPECT_EQ(cp::scale_for(0), 1);
  EXPECT_EQ(cp::scale_for(999), 1000);
  EXPECT_EQ(cp::scale_for(1001), 2000);
  EXPECT_EQ(cp::scale_for(2'200'000), 5'000'000);
  EXPECT_EQ(cp::scale_for(7'000'000), 10'000'000);
}

TEST(Table, aligns_columns) {
  cp::Table table({"NAME", "PACKETS>"});
  table.add({"a", cp::with_commas(1'234'567)});
  table.add({"longer", "7"});

  EXPECT_EQ(table.text(), "NAME      PACKETS\na       1,234,567\nlonger          7\n");
}

TEST(Roff, keeps_text_that_roff_would_take_for_requests) {
  EXPECT_EQ(base::roff(".TP\n'x a-b"), "\\&.TP\n\\&'x a\\-b");
  EXPECT_EQ(base::roff("a\\b …\n… c"), "a\\eb ...\n\\&... c");
  EXPECT_EQ(base::roff(""), "");
}

}  // namespace
