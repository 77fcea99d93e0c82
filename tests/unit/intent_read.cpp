// SPDX-License-Identifier: Apache-2.0
// YAML and JSON ↔ intent: round trips, places of errors, documents that mean harm.
#include "controlplane/intent/fields.hpp"
#include "controlplane/intent/read.hpp"
#include "controlplane/intent/write.hpp"
#include "tests/unit/intent_sample.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <sstream>

namespace {

using cp::ObjectKind;
using cp::Syntax;

std::string file_text(const std::string& path) {
  const char* root = std::getenv("WEIR_SOURCE_ROOT");
  std::ifstream file(std::string(root != nullptr ? root : ".") + "/" + path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

cp::Errors errors_of(std::string_view text, Syntax syntax = Syntax::yaml) {
  auto intent = cp::read_intent(text, syntax, {.file = "lab"});
  return intent ? cp::Errors{} : intent.error();
}

// The only error of a document, as the operator sees it.
std::string error_of(std::string_view text, Syntax syntax = Syntax::yaml) {
  const cp::Errors errors = errors_of(text, syntax);
  EXPECT_EQ(errors.size(), 1u) << text;
  return errors.empty() ? "" : to_string(errors.front());
}

TEST(IntentRead, reads_the_example_file) {
  const std::string text = file_text("controlplane/intent/example.yaml");

  const auto intent = cp::read_intent(text, Syntax::yaml);

  ASSERT_TRUE(intent) << to_string(intent.error().front());
  EXPECT_EQ(intent->ports.size(), 6u);
  EXPECT_EQ(intent->vteps.size(), 4u);
  EXPECT_EQ(intent->next_hops.size(), 2u);
  EXPECT_EQ(find_vtep(*intent, "gw2")->next_hop_mac, mac(0x0200'0000'ff02));
  EXPECT_EQ(find_port(*intent, "host0")->rx_descriptors, 512);
  EXPECT_EQ(find_port(*intent, "host0.100")->vlan, 100);
}

TEST(IntentRead, json_and_yaml_of_an_intent_read_back_to_the_same) {
  for (const cp::Intent& intent : {sample_intent(), large_intent(1000), cp::Intent{}}) {
    const std::string json = cp::to_json(intent);
    const std::string yaml = cp::to_yaml(intent);

    EXPECT_EQ(cp::read_intent(json, Syntax::json).value(), intent);
    EXPECT_EQ(cp::read_intent(yaml, Syntax::yaml).value(), intent);
    EXPECT_EQ(cp::read_intent(json, Syntax::yaml).value(), intent) << "YAML 1.2 holds JSON";
    EXPECT_EQ(cp::to_json(cp::read_intent(yaml, Syntax::yaml).value()), json);
    EXPECT_EQ(cp::guess_syntax(json), Syntax::json);
    EXPECT_EQ(cp::guess_syntax(yaml), Syntax::yaml);
  }
}

TEST(IntentRead, the_order_of_a_file_does_not_matter) {
  const auto intent = cp::read_intent(R"(
endpoints:
  - {vtep: gw2, mac: "02:00:00:00:0b:01", network: blue}
  - {port: host0, mac: "02:00:00:00:0A:01", network: blue}
networks: [{flood: [gw2], vni: 100, name: blue}]
vteps:
  - {source: self, port: wire0, address: 198.18.0.2, kind: remote, name: gw2,
     next_hop_mac: "02:00:00:00:ff:02"}
  - {name: self, kind: local, address: 198.18.0.1, port: wire0}
ports:
  - {network: blue, device: "net_tap0,iface=host0", role: tenant, name: host0}
  - {mtu: 1600, device: "net_memif0,socket=/run/m0", role: underlay, name: wire0}
)",
                                      Syntax::yaml);

  ASSERT_TRUE(intent) << to_string(intent.error().front());
  EXPECT_EQ(*intent, sample_intent());
}

TEST(IntentRead, a_scalar_means_what_its_field_says) {
  // Each of these is something else to YAML 1.1 where no field decides.
  EXPECT_NE(error_of(sample_with("vni: 100", "vni: 0x64")).find("nearest: 100"), std::string::npos);
  EXPECT_NE(error_of(sample_with("vni: 100", "vni: 0100")).find("nearest: 100"), std::string::npos);
  EXPECT_NE(error_of(sample_with("vni: 100", "vni: \"100\"")).find("not the text"),
            std::string::npos);
  EXPECT_NE(error_of(sample_with("vni: 100", "vni: 1e2")).find("must be a number 1..16777215"),
            std::string::npos);
  EXPECT_NE(error_of(sample_with("vni: 100", "vni: 1_00")).find("must be a number"),
            std::string::npos);
  EXPECT_NE(error_of(sample_with("vni: 100", "vni: yes")).find("must be a number"),
            std::string::npos);

  std::string renamed(sample_yaml);
  for (std::size_t at = 0; (at = renamed.find("blue", at)) != renamed.npos;) {
    renamed.replace(at, 4, "no");
  }
  const auto intent = cp::read_intent(renamed, Syntax::yaml);
  ASSERT_TRUE(intent) << to_string(intent.error().front());
  EXPECT_EQ(intent->networks[0].name, name("no"));
  EXPECT_NE(cp::to_yaml(*intent).find("name: \"no\""), std::string::npos) << "for other readers";
}

TEST(IntentRead, optional_fields_can_be_written_empty) {
  for (const char* none : {"mtu: ", "mtu: ~", "mtu: null"}) {
    const auto intent = cp::read_intent(sample_with("mtu: 1600", none), Syntax::yaml);
    ASSERT_TRUE(intent) << none;
    EXPECT_FALSE(find_port(*intent, "wire0")->mtu.has_value());
  }
  EXPECT_NE(error_of(sample_with("vni: 100", "vni: ")).find("not nothing"), std::string::npos);
}

TEST(IntentRead, an_error_names_file_line_column_object_field_and_the_nearest) {
  EXPECT_EQ(error_of(sample_with("mtu: 1600", "mtu: 100")),
            "lab:2:77: port wire0: mtu: must be a number 576..9978 (bytes), not \"100\" "
            "(nearest: 576)");
  EXPECT_EQ(error_of(sample_with("mtu: 1600", "mto: 1600")),
            "lab:2:72: port wire0: mto: a port has no such field (nearest: mtu)");
  EXPECT_EQ(error_of(sample_with("kind: remote", "kind: remot")),
            "lab:6:23: vtep gw2: kind: must be local | remote, not \"remot\" (nearest: remote)");
  EXPECT_EQ(error_of(sample_with("endpoints:", "endpoint:")),
            "lab:10:1: there is nothing called \"endpoint\" in an intent (nearest: endpoints)");
  EXPECT_EQ(error_of(sample_with(", mac: 02:00:00:00:0a:01", "")),
            "lab:11:5: endpoint #1: mac: is missing "
            "(nearest: e.g. mac: 02:00:00:00:0b:01)");
  EXPECT_EQ(error_of(sample_with("flood: [gw2]", "flood: gw2")),
            "lab:9:35: network blue: flood: must be a list of names, not \"gw2\" "
            "(nearest: [gw2])");
  EXPECT_EQ(error_of(sample_with("vni: 100", "vni: 100, vni: 100")),
            "lab:9:28: network blue: vni: is given twice (before in line 9)");
  EXPECT_EQ(error_of(sample_with("vni: 100", "vni: [100]")),
            "lab:9:23: network blue: vni: must be 1..16777215, not a list");
  EXPECT_EQ(error_of(sample_with("02:00:00:00:0a:01", "0200.0000.0a01")),
            "lab:11:26: endpoint #1: mac: must be a MAC address like "
            "02:00:00:00:0a:01, not \"0200.0000.0a01\" (nearest: 02:00:00:00:0a:01)");
}

TEST(IntentRead, json_errors_have_their_line_and_column_too) {
  const std::string json = R"({
  "networks": [
    {"name": "blue",
     "vni": 16777216},
    {"name": "red", "vni": 7, "colour": 1}
  ]
})";

  const cp::Errors errors = errors_of(json, Syntax::json);

  ASSERT_EQ(errors.size(), 2u);
  EXPECT_EQ(to_string(errors[0]),
            "lab:4:13: network blue: vni: must be a number 1..16777215, not 16777216 "
            "(nearest: 16777215)");
  EXPECT_EQ(to_string(errors[1]), "lab:5:31: network red: colour: a network has no such field");
}

TEST(IntentRead, tells_all_errors_at_once_but_no_more_than_twenty) {
  std::string text = "networks:\n";
  for (int i = 0; i < 50; ++i) text += "  - {name: n" + std::to_string(i) + ", vni: 0}\n";

  const cp::Errors errors = errors_of(text);

  ASSERT_EQ(errors.size(), 20u);
  EXPECT_EQ(errors[19].place.line, 21u);
  EXPECT_EQ(errors[19].object, "network n19");
}

TEST(IntentRead, refuses_what_yaml_can_do_beyond_values) {
  EXPECT_NE(error_of("networks: &all []\n").find("anchor"), std::string::npos);
  EXPECT_NE(error_of("networks: *all\n").find("alias"), std::string::npos);
  EXPECT_NE(error_of("networks: !!seq []\n").find("tag"), std::string::npos);
  EXPECT_NE(error_of("networks: []\n---\nnetworks: []\n").find("second document"),
            std::string::npos);
  EXPECT_NE(error_of("? [a, b]\n: 1\n").find("as a key"), std::string::npos);
  EXPECT_NE(error_of("networks:\n  - {<<: {name: blue}, vni: 1}\n").find("merge key"),
            std::string::npos);
  EXPECT_NE(error_of("networks:\n\t- {name: blue}\n").find("lab:2:1: this is no YAML"),
            std::string::npos);
}

TEST(IntentRead, refuses_documents_that_are_none) {
  for (const Syntax syntax : {Syntax::json, Syntax::yaml}) {
    for (const char* text :
         {"", " ", "7", "[]", "\"x\"", "null", "{", "{]", "[[[[", "\xff\xfe", "{\"ports\":[{}",
          "{\"ports\":7}", "{\"ports\":[7]}", "{\"ports\":{\"name\":{}}}"}) {
      EXPECT_FALSE(errors_of(text, syntax).empty()) << text;
    }
  }
  EXPECT_NE(error_of("{\"ports\":[]}{}", Syntax::json).find("behind its end"), std::string::npos);
  EXPECT_NE(error_of("{\"ports\":[", Syntax::json).find("ends too early"), std::string::npos);
}

TEST(IntentRead, json_on_several_lines_is_one_document) {
  const std::string lines = R"({"networks":[{"name":"blue","vni":1}]}
{"networks":[{"name":"red","vni":2}],"ports":[]}

{"networks":[{"name":"green","vni":0}]})";

  EXPECT_EQ(error_of(lines, Syntax::json),
            "lab:4:36: network green: vni: must be a number 1..16777215, not 0 (nearest: 1)");
  const auto read = cp::read_intent(lines.substr(0, lines.find("\n\n")), Syntax::json);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->networks.size(), 2u);
  EXPECT_EQ(cp::guess_syntax(lines), Syntax::json);
  EXPECT_EQ(errors_of(lines + "\n[]", Syntax::json).size(), 2u) << "a list is no intent";
  EXPECT_FALSE(cp::read_object(ObjectKind::network, "{\"name\":\"a\",\"vni\":1}\n{}", Syntax::json))
      << "an object is one document";
}

TEST(IntentRead, json_strings_mean_what_rfc_8259_says) {
  // Part of a device's text, where printable ASCII may stand.
  const auto device_of = [](std::string_view text) -> std::string {
    const auto port = cp::read_object(
        ObjectKind::port, R"({"name":"a","role":"underlay","device":")" + std::string(text) + "\"}",
        Syntax::json);
    return port ? std::get<cp::Port>(*port).device : to_string(port.error().front());
  };
  EXPECT_EQ(device_of(R"(\u006eet\u005Fnull0\/\"\\)"), "net_null0/\"\\");
  EXPECT_NE(device_of("\xc3\xa9").find("printable ASCII"), std::string::npos)
      << "read, then refused";
  EXPECT_NE(device_of(R"(\ud83d\ude00)").find("printable ASCII"), std::string::npos);
  for (const char* wrong :
       {R"(\ud83d)", R"(\ude00)", R"(\ud83d\u0041)", R"(\x41)", R"(\u00g0)", "\n", "\x1f", "\xff",
        "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82"}) {
    EXPECT_NE(device_of(wrong).find("this is no JSON"), std::string::npos) << wrong;
  }
}

TEST(IntentRead, json_numbers_and_words_are_strict) {
  for (const char* wrong :
       {"01", "+1", "1.", ".5", "1e", "0x64", "--1", "tru", "True", "nul", "NaN", ""}) {
    const std::string text = R"({"networks":[{"name":"a","vni":)" + std::string(wrong) + "}]}";
    EXPECT_NE(error_of(text, Syntax::json).find("this is no JSON"), std::string::npos) << wrong;
  }
  for (const char* number : {"-1", "1.5", "1e3", "1E+3", "true", "null"}) {
    const std::string text = R"({"networks":[{"name":"a","vni":)" + std::string(number) + "}]}";
    EXPECT_NE(error_of(text, Syntax::json).find("must be a number 1..16777215"), std::string::npos)
        << number;
  }
}

TEST(IntentRead, depth_and_size_are_bounded) {
  const std::string deep_list(100'000, '[');
  EXPECT_EQ(errors_of(deep_list).size(), 2u);  // Not a map; too deep.
  EXPECT_EQ(errors_of("{\"ports\":" + deep_list, Syntax::json).size(), 2u);

  const auto large = cp::read_intent(std::string(1001, ' '), Syntax::yaml, {.bytes_max = 1000});
  ASSERT_FALSE(large);
  EXPECT_NE(large.error()[0].message.find("at most 1000"), std::string::npos);

  std::string many = "{\"endpoints\":[";
  for (int i = 0; i < 1000; ++i) {
    many += R"({"network":"blue","mac":"02:00:00:00:00:01","vtep":"gw2"},)";
  }
  const auto full = cp::read_intent(many, Syntax::json, {.limits = {.endpoints = 10}});
  ASSERT_FALSE(full);
  ASSERT_EQ(full.error().size(), 1u) << "nothing is read behind the limit";
  EXPECT_EQ(full.error()[0].code, base::Errc::table_full);
}

TEST(IntentRead, a_document_cut_anywhere_is_an_error_or_shorter) {
  const std::string json = cp::to_json(sample_intent());
  for (std::size_t size = 0; size + 2 < json.size(); ++size) {
    EXPECT_FALSE(errors_of(json.substr(0, size), Syntax::json).empty()) << size;
  }
  // YAML cut at a line's end may be a whole document; it must only not be taken for the full one.
  for (std::size_t size = 0; size + 1 < sample_yaml.size(); ++size) {
    const auto cut = cp::read_intent(sample_yaml.substr(0, size), Syntax::yaml);
    EXPECT_FALSE(cut && *cut == sample_intent()) << size;
  }
}

TEST(IntentRead, shows_hostile_text_harmlessly) {
  const std::string text =
      "networks:\n  - {name: \"\\e[2J" + std::string(500, 'x') + "\", vni: 1}\n";

  const std::string error = error_of(text);

  EXPECT_EQ(error.find('\x1b'), std::string::npos);
  EXPECT_LT(error.size(), 250u);
}

TEST(IntentRead, reads_one_object_with_or_without_its_key) {
  const auto port = cp::read_object(ObjectKind::port, R"({"role":"underlay","device":"net_null0"})",
                                    Syntax::json, {.key = "wire7"});
  ASSERT_TRUE(port);
  EXPECT_EQ(cp::key_of(*port), "wire7");
  EXPECT_EQ(cp::to_json(*port), R"({"name":"wire7","role":"underlay","device":"net_null0"})");

  const auto other =
      cp::read_object(ObjectKind::port, R"({"name":"x","role":"underlay","device":"net_null0"})",
                      Syntax::json, {.key = "wire7"});
  ASSERT_FALSE(other);
  EXPECT_EQ(to_string(other.error()[0]),
            "line 1:9: port wire7: name: cannot be changed (nearest: wire7)");

  const auto endpoint = cp::read_object(ObjectKind::endpoint, R"({"vtep":"gw2"})", Syntax::json,
                                        {.key = "blue/02:00:00:00:00:07"});
  ASSERT_TRUE(endpoint);
  EXPECT_EQ(cp::key_of(*endpoint), "blue/02:00:00:00:00:07");
}

TEST(IntentRead, changes_only_what_a_body_names) {
  const cp::Object wire = *find_port(sample_intent(), "wire0");

  const auto changed = cp::read_object_onto(wire, R"({"mtu":null,"rx_queues":2})", Syntax::json);

  ASSERT_TRUE(changed);
  EXPECT_EQ(cp::to_json(*changed), R"({"name":"wire0","role":"underlay",)"
                                   R"("device":"net_memif0,socket=/run/m0","rx_queues":2})");
}

TEST(IntentRead, a_hundred_thousand_endpoints_take_well_under_two_seconds) {
  const cp::Intent intent = large_intent(100'000);
  const cp::ReadOptions options{.limits = {.endpoints = 100'000}};
  for (const Syntax syntax : {Syntax::json, Syntax::yaml}) {
    const std::string text = syntax == Syntax::json ? cp::to_json(intent) : cp::to_yaml(intent);
    const auto start = std::chrono::steady_clock::now();

    const auto read = cp::read_intent(text, syntax, options);

    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    ASSERT_TRUE(read);
    EXPECT_EQ(read->endpoints.size(), 100'000u);
    RecordProperty(syntax == Syntax::json ? "json_ms" : "yaml_ms",
                   static_cast<int>(took.count() * 1000));
    // Measured 0.3 s and 0.6 s on a busy machine; the bound only notices a changed order of growth.
    EXPECT_LT(took.count(), 10.0);
  }
}

TEST(IntentFields, every_field_teaches) {
  for (std::size_t i = 0; i < cp::object_kind_count; ++i) {
    const auto kind = static_cast<ObjectKind>(i);
    EXPECT_FALSE(cp::help(kind).empty());
    for (const cp::FieldInfo& field : cp::fields(kind)) {
      EXPECT_TRUE(field.help.ends_with(".")) << field.name;
      EXPECT_FALSE(field.example.empty()) << field.name;
      EXPECT_FALSE(cp::range_text(field).empty()) << field.name;
      cp::Object object = cp::make_object(kind);
      std::string example(field.example);
      if (example.starts_with('[')) example = example.substr(1, example.size() - 2);
      ASSERT_TRUE(cp::set_field(object, field.name, example)) << field.name;
      EXPECT_EQ(cp::field_text(object, field.name), example);
    }
  }
}

TEST(IntentFields, sets_and_unsets_by_text) {
  cp::Object network = cp::make_object(ObjectKind::network);

  EXPECT_TRUE(cp::set_field(network, "flood", "gw2, gw3,gw4"));
  EXPECT_EQ(cp::field_text(network, "flood"), "gw2,gw3,gw4");
  EXPECT_TRUE(cp::set_field(network, "flood", ""));
  EXPECT_EQ(cp::field_text(network, "flood"), std::nullopt);
  EXPECT_FALSE(cp::set_field(network, "vni", ""));
  EXPECT_EQ(cp::set_field(network, "vin", "7").error()[0].suggestion, "vni");
}

}  // namespace
