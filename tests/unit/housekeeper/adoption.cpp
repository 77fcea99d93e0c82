// SPDX-License-Identifier: Apache-2.0
// A data plane that starts with what another left: what it says of it, what a control plane can do
// with it, and that nothing is taken over that does not fit together.
#include "dataplane/housekeeper/adoption.hpp"

#include "dataplane/start/tables.hpp"
#include "tests/unit/housekeeper/harness.hpp"

#include <filesystem>

namespace {

using base::Errc;
using contract::EndpointPlace;
using contract::PortRole;
using contract::Table;
using test::Answer;
using test::Controller;
using test::Verb;

constexpr std::uint32_t capacity = 1000;
constexpr std::uint32_t count = 500;
constexpr auto all_but_endpoints =
    contract::all_tables & ~static_cast<contract::TableSet>(Table::endpoints);

contract::EndpointSet endpoint(std::uint64_t number) {
  return test::endpoint(1, number, EndpointPlace::vtep, 2);
}

contract::Digests wanted() {
  contract::Digests digests{};
  for (std::uint64_t mac = 1; mac <= count; ++mac) {
    digests.endpoints += contract::record_digest(endpoint(mac));
  }
  return digests;
}

std::string make_path() {
  std::string name = "/tmp/weir-adoption-XXXXXX";
  EXPECT_NE(::mkdtemp(name.data()), nullptr);
  return name + "/endpoints.table";
}

// A file as a data plane with these endpoints leaves it.
std::string left_by_a_process(std::uint64_t digest, std::uint32_t vtep = 2) {
  std::string path = make_path();
  auto file = dp::TableFile::open(path);
  auto table = dp::ExactMatch::make(capacity, {3, 4});
  EXPECT_TRUE(file && table);
  file->begin_anew(*table);
  EXPECT_TRUE(table->note_changes());
  const auto value = dp::EndpointValue{EndpointPlace::vtep, static_cast<std::uint16_t>(vtep)};
  for (std::uint64_t mac = 1; mac <= count; ++mac) {
    const std::uint64_t key = dp::endpoint_key(base::NetworkId{1}, endpoint(mac).mac);
    EXPECT_TRUE(table->set(key, value.encode(), 1));
  }
  while (table->settle()) {
  }
  while (file->save(*table, 77, digest)) {
  }
  return path;
}

class AdoptionTest : public test::HousekeeperTest {
 protected:
  explicit AdoptionTest(std::string path)
      : HousekeeperTest({.endpoints = capacity, .table_file = path}),
        left_(std::filesystem::path(path).parent_path()),
        controller_(HousekeeperTest::path()) {
    found_ = controller_.hello().hello;
  }
  ~AdoptionTest() override { std::filesystem::remove_all(left_); }

  // As configure() does, with the tables that are replaced named.
  Answer program(std::uint32_t transaction, std::uint32_t replace) {
    EXPECT_TRUE(controller_.begin(transaction, replace).ok());
    controller_.send(Verb::port_add, transaction,
                     std::vector{test::port_add(0, "memory0"), test::port_add(1, "memory1")});
    controller_.send(
        Verb::port_set, transaction,
        std::vector{test::port_set(0, PortRole::tenant, 1), test::port_set(1, PortRole::underlay)});
    controller_.send(Verb::vtep_set, transaction,
                     std::vector{test::local_vtep(1, "198.18.0.1", 1),
                                 test::remote_vtep(2, "198.18.0.2", 1, 1)});
    controller_.send(Verb::network_set, transaction, test::network(1, 100, {2}));
    return controller_.commit(transaction);
  }

  // What the next process would start with.
  std::uint64_t digest_after_the_end() {
    // The last transaction was answered before it was saved; another begins when it is.
    EXPECT_TRUE(controller_.begin(1000).ok());
    EXPECT_TRUE(controller_.abort(1000).ok());
    stop_housekeeper();
    table_file_.reset();
    auto tables =
        dp::make_tables({.networks = 100, .vteps = 100, .endpoints = capacity, .next_hops = 8});
    auto file = dp::TableFile::open((left_ / "endpoints.table").string());
    EXPECT_TRUE(tables && file);
    dp::Model model(*tables);
    dp::adopt_endpoints(*file, *tables, model);
    EXPECT_EQ(model.digests(), model.digests_in_force());
    return model.digests().endpoints;
  }

  std::filesystem::path left_;
  Controller controller_;
  contract::HelloReply found_{};
};

class Adopted : public AdoptionTest {
 protected:
  Adopted() : AdoptionTest(left_by_a_process(wanted().endpoints)) {}
};

TEST_F(Adopted, is_told_with_the_hello_and_stays_what_it_was) {
  EXPECT_EQ(found_.generation, 0U);
  EXPECT_EQ(found_.digests, wanted());
  EXPECT_NE(found_.features & contract::feature_replace_tables, 0U);
  EXPECT_EQ(test::shown(region_.global().endpoints_adopted), count);

  const Answer answer = program(1, all_but_endpoints);

  ASSERT_TRUE(answer.ok()) << answer.text;
  EXPECT_EQ(answer.commit.digests.endpoints, wanted().endpoints);
  EXPECT_EQ(tables_.endpoints.size(), count);
  for (std::uint64_t mac = 1; mac <= count; ++mac) {
    const std::uint64_t key = dp::endpoint_key(base::NetworkId{1}, endpoint(mac).mac);
    ASSERT_EQ(tables_.endpoints.lookup(key, 1),
              (dp::EndpointValue{EndpointPlace::vtep, 2}.encode()));
  }
  EXPECT_EQ(digest_after_the_end(), wanted().endpoints);
}

TEST_F(Adopted, goes_where_a_control_plane_knows_nothing_of_it) {
  const Answer answer = program(1, contract::replace_nothing);

  ASSERT_TRUE(answer.ok()) << answer.text;
  EXPECT_EQ(answer.commit.digests.endpoints, 0U);
  EXPECT_EQ(tables_.endpoints.size(), 0U);
  EXPECT_EQ(digest_after_the_end(), 0U);
}

TEST_F(Adopted, goes_with_a_word_that_nothing_is_wanted) {
  ASSERT_TRUE(controller_.begin(1).ok());
  const Answer answer = controller_.commit(1);

  ASSERT_TRUE(answer.ok()) << answer.text;
  EXPECT_EQ(answer.commit.digests, contract::Digests{});
}

TEST_F(Adopted, is_not_in_force_while_what_it_needs_is_not_there) {
  ASSERT_TRUE(controller_.begin(1, all_but_endpoints).ok());
  const Answer refused = controller_.commit(1);
  EXPECT_EQ(refused.code(), Errc::in_use) << "its network and VTEP are missing";
  EXPECT_EQ(refused.commit.generation, 0U);
  EXPECT_EQ(refused.commit.digests, wanted());

  EXPECT_TRUE(program(2, all_but_endpoints).ok());
}

TEST_F(Adopted, changes_and_is_left_changed) {
  ASSERT_TRUE(program(1, all_but_endpoints).ok());
  ASSERT_TRUE(controller_.begin(2).ok());
  const contract::EndpointSet more = endpoint(count + 1);
  ASSERT_TRUE(controller_.send(Verb::endpoint_set, 2, more).ok());
  ASSERT_TRUE(controller_.commit(2).ok());
  // Of this one nothing may be left.
  ASSERT_TRUE(controller_.begin(3).ok());
  ASSERT_TRUE(controller_.send(Verb::endpoint_set, 3, endpoint(count + 2)).ok());
  ASSERT_TRUE(controller_.abort(3).ok());

  EXPECT_EQ(digest_after_the_end(), wanted().endpoints + contract::record_digest(more));
}

TEST_F(Adopted, is_replaced_by_other_endpoints) {
  ASSERT_TRUE(controller_.begin(1, contract::all_tables).ok());
  controller_.send(Verb::port_add, 1, test::port_add(1, "memory1"));
  controller_.send(Verb::port_set, 1, test::port_set(1, PortRole::underlay));
  controller_.send(
      Verb::vtep_set, 1,
      std::vector{test::local_vtep(1, "198.18.0.1", 1), test::remote_vtep(2, "198.18.0.2", 1, 1)});
  controller_.send(Verb::network_set, 1, test::network(1, 100, {2}));
  controller_.send(Verb::endpoint_set, 1, endpoint(count + 5));
  const Answer answer = controller_.commit(1);

  ASSERT_TRUE(answer.ok()) << answer.text;
  EXPECT_EQ(answer.commit.digests.endpoints, contract::record_digest(endpoint(count + 5)));
  EXPECT_EQ(tables_.endpoints.size(), 1U);
}

class NotAdopted : public AdoptionTest {
 protected:
  explicit NotAdopted(std::string path) : AdoptionTest(std::move(path)) {}

  void expect_nothing() {
    EXPECT_EQ(found_.digests, contract::Digests{});
    EXPECT_EQ(test::shown(region_.global().endpoints_adopted), 0U);
    EXPECT_EQ(tables_.endpoints.size(), 0U);
    const Answer answer = program(1, contract::replace_nothing);
    ASSERT_TRUE(answer.ok()) << answer.text;
    ASSERT_TRUE(controller_.begin(2).ok());
    ASSERT_TRUE(controller_.send(Verb::endpoint_set, 2, endpoint(9)).ok());
    ASSERT_TRUE(controller_.commit(2).ok());
    EXPECT_EQ(digest_after_the_end(), contract::record_digest(endpoint(9)));
  }
};

class OfAnotherDigest : public NotAdopted {
 protected:
  OfAnotherDigest() : NotAdopted(left_by_a_process(wanted().endpoints + 1)) {}
};
TEST_F(OfAnotherDigest, is_thrown_away) {
  expect_nothing();
}

class OfALargerDataPlane : public NotAdopted {
 protected:
  OfALargerDataPlane() : NotAdopted(left_by_a_process(wanted().endpoints, 5000)) {}
};
TEST_F(OfALargerDataPlane, is_thrown_away) {
  expect_nothing();
}

class OfNobody : public NotAdopted {
 protected:
  OfNobody() : NotAdopted(make_path()) {}
};
TEST_F(OfNobody, nothing_is_found) {
  expect_nothing();
}

}  // namespace
