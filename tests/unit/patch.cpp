// SPDX-License-Identifier: Apache-2.0
// JSON patches: the examples of RFC 6902's appendix A, and objects by their keys.
#include "controlplane/api/patch.hpp"

#include "controlplane/api/duration.hpp"
#include "controlplane/intent/write.hpp"
#include "tests/unit/intent_sample.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <gtest/gtest.h>

namespace {

namespace json = boost::json;

struct Example {
  const char* section;
  const char* document;
  const char* patch;
  const char* result;  // nullptr: refused.
};

constexpr Example examples[] = {
    {"A.1", R"({"foo":"bar"})", R"([{"op":"add","path":"/baz","value":"qux"}])",
     R"({"baz":"qux","foo":"bar"})"},
    {"A.2", R"({"foo":["bar","baz"]})", R"([{"op":"add","path":"/foo/1","value":"qux"}])",
     R"({"foo":["bar","qux","baz"]})"},
    {"A.3", R"({"baz":"qux","foo":"bar"})", R"([{"op":"remove","path":"/baz"}])",
     R"({"foo":"bar"})"},
    {"A.4", R"({"foo":["bar","qux","baz"]})", R"([{"op":"remove","path":"/foo/1"}])",
     R"({"foo":["bar","baz"]})"},
    {"A.5", R"({"baz":"qux","foo":"bar"})", R"([{"op":"replace","path":"/baz","value":"boo"}])",
     R"({"baz":"boo","foo":"bar"})"},
    {"A.6", R"({"foo":{"bar":"baz","waldo":"fred"},"qux":{"corge":"grault"}})",
     R"([{"op":"move","from":"/foo/waldo","path":"/qux/thud"}])",
     R"({"foo":{"bar":"baz"},"qux":{"corge":"grault","thud":"fred"}})"},
    {"A.7", R"({"foo":["all","grass","cows","eat"]})",
     R"([{"op":"move","from":"/foo/1","path":"/foo/3"}])",
     R"({"foo":["all","cows","eat","grass"]})"},
    {"A.8", R"({"baz":"qux","foo":["a",2,"c"]})",
     R"([{"op":"test","path":"/baz","value":"qux"},{"op":"test","path":"/foo/1","value":2}])",
     R"({"baz":"qux","foo":["a",2,"c"]})"},
    {"A.9", R"({"baz":"qux"})", R"([{"op":"test","path":"/baz","value":"bar"}])", nullptr},
    {"A.10", R"({"foo":"bar"})", R"([{"op":"add","path":"/child","value":{"grandchild":{}}}])",
     R"({"foo":"bar","child":{"grandchild":{}}})"},
    {"A.11", R"({"foo":"bar"})", R"([{"op":"add","path":"/baz","value":"qux","xyz":123}])",
     R"({"foo":"bar","baz":"qux"})"},
    {"A.12", R"({"foo":"bar"})", R"([{"op":"add","path":"/baz/bat","value":"qux"}])", nullptr},
    {"A.14", R"({"/":9,"~1":10})", R"([{"op":"test","path":"/~01","value":10}])",
     R"({"/":9,"~1":10})"},
    {"A.15", R"({"/":9,"~1":10})", R"([{"op":"test","path":"/~01","value":"10"}])", nullptr},
    {"A.16", R"({"foo":["bar"]})", R"([{"op":"add","path":"/foo/-","value":["abc","def"]}])",
     R"({"foo":["bar",["abc","def"]]})"},
    {"copy", R"({"a":[1]})", R"([{"op":"copy","from":"/a","path":"/b"}])", R"({"a":[1],"b":[1]})"},
    {"whole", R"({"a":1})", R"([{"op":"replace","path":"","value":{"b":2}}])", R"({"b":2})"},
    {"beyond the end", R"({"a":[1]})", R"([{"op":"add","path":"/a/2","value":1}])", nullptr},
    {"zeros in front", R"({"a":[1,2]})", R"([{"op":"remove","path":"/a/01"}])", nullptr},
    {"into itself", R"({"a":{"b":1}})", R"([{"op":"move","from":"/a","path":"/a/b"}])", nullptr},
    {"no slash", R"({"a":1})", R"([{"op":"remove","path":"a"}])", nullptr},
    {"lone tilde", R"({"a":1})", R"([{"op":"remove","path":"/a~2"}])", nullptr},
    {"nothing to replace", R"({"a":1})", R"([{"op":"replace","path":"/b","value":1}])", nullptr},
    {"no value", R"({"a":1})", R"([{"op":"add","path":"/b"}])", nullptr},
    {"no from", R"({"a":1})", R"([{"op":"copy","path":"/b"}])", nullptr},
    {"no path", R"({"a":1})", R"([{"op":"remove"}])", nullptr},
    {"no list", R"({"a":1})", R"({"op":"remove","path":"/a"})", nullptr},
    {"no object", R"({"a":1})", R"([7])", nullptr},
    {"no JSON", R"({"a":1})", R"([)", nullptr},
};

TEST(Patch, does_what_rfc_6902_says) {
  for (const Example& example : examples) {
    const auto result = cp::apply_patch(json::parse(example.document), example.patch);

    ASSERT_EQ(result.has_value(), example.result != nullptr) << example.section;
    if (result) {
      EXPECT_EQ(*result, json::parse(example.result)) << example.section;
    } else {
      EXPECT_FALSE(result.error().front().message.empty()) << example.section;
    }
  }
}

std::string patched_sample(const std::string& patch) {
  const auto result = cp::apply_patch(json::parse(cp::to_json(sample_intent())), patch);
  return result ? json::serialize(*result) : "refused: " + to_string(result.error().front());
}

TEST(Patch, names_objects_by_their_keys) {
  EXPECT_NE(patched_sample(R"([{"op":"replace","path":"/ports/wire0/mtu","value":1700}])")
                .find(R"("mtu":1700)"),
            std::string::npos);
  EXPECT_EQ(patched_sample(R"([{"op":"remove","path":"/endpoints/blue~102:00:00:00:0b:01"}])")
                .find("02:00:00:00:0b:01"),
            std::string::npos);
  EXPECT_NE(patched_sample(R"([{"op":"add","path":"/networks/red","value":{"vni":200}}])")
                .find(R"({"vni":200,"name":"red"})"),
            std::string::npos);
  EXPECT_NE(patched_sample(R"([{"op":"add","path":"/queues/wire0~13","value":{"rate":"1G"}}])")
                .find(R"({"rate":"1G","port":"wire0","traffic_class":3})"),
            std::string::npos);
  const std::string replaced =
      patched_sample(R"([{"op":"add","path":"/networks/blue","value":{"vni":7}}])");
  EXPECT_NE(replaced.find(R"("networks":[{"vni":7,"name":"blue"}])"), std::string::npos);
}

TEST(Patch, says_which_operation_is_wrong_and_why) {
  EXPECT_EQ(patched_sample(R"([{"op":"test","path":"/ports/wire0/mtu","value":1600},
                               {"op":"remove","path":"/ports/wire1"}])"),
            "refused: operation 2 at /ports/wire1: there is nothing at this path");
  EXPECT_EQ(patched_sample(R"([{"op":"test","path":"/ports/wire0/mtu","value":1500}])"),
            "refused: operation 1 at /ports/wire0/mtu: the test fails: 1600 stands there");
  EXPECT_EQ(patched_sample(R"([{"op":"rplace","path":"/ports/wire0/mtu","value":1500}])"),
            "refused: operation 1 at /ports/wire0/mtu: op: there is no operation \"rplace\" "
            "(nearest: replace)");
  EXPECT_NE(patched_sample(R"([{"op":"add","path":"/networks/red","value":{"name":"pink"}}])")
                .find("called otherwise"),
            std::string::npos);
  EXPECT_NE(patched_sample(R"([{"op":"replace","path":"/networks/blue","value":7}])")
                .find("called otherwise"),
            std::string::npos);
}

TEST(Patch, has_an_end) {
  std::string many = R"([{"op":"test","path":"/ports/wire0/mtu","value":1600})";
  for (int i = 1; i < 200; ++i) many += R"(,{"op":"test","path":"/ports/wire0/mtu","value":1600})";

  EXPECT_EQ(patched_sample(many + "]").find("refused"), std::string::npos);
  EXPECT_NE(patched_sample(many + ",{}]").find("at most 200 operations"), std::string::npos);

  // Each copy of all doubles it.
  std::string doubling = R"([{"op":"copy","from":"","path":"/a0"})";
  for (int i = 1; i < 40; ++i) {
    doubling += R"(,{"op":"copy","from":"","path":"/a)" + std::to_string(i) + R"("})";
  }
  EXPECT_NE(patched_sample(doubling + "]").find("copies more than"), std::string::npos);
}

TEST(Duration, is_as_people_write_it) {
  using std::chrono::milliseconds;
  EXPECT_EQ(cp::parse_duration("120s", "t"), milliseconds(120'000));
  EXPECT_EQ(cp::parse_duration("90", "t"), milliseconds(90'000));
  EXPECT_EQ(cp::parse_duration("10m", "t"), milliseconds(600'000));
  EXPECT_EQ(cp::parse_duration("24h", "t"), milliseconds(86'400'000));
  for (const char* wrong :
       {"", "s", "0", "-1", "1.5s", "25h", "120 s", "99999999999", "4000000000h"}) {
    const auto refused = cp::parse_duration(wrong, "t");
    ASSERT_FALSE(refused) << wrong;
    EXPECT_EQ(refused.error().front().field, "t");
  }
}

}  // namespace
