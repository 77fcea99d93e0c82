// SPDX-License-Identifier: Apache-2.0
// Who may do what: the list of routes is read as a table of rights, and users by their groups.
#include "controlplane/api/access.hpp"

#include "controlplane/api/api.hpp"
#include "controlplane/api/schemas.hpp"

#include <boost/json/object.hpp>
#include <gtest/gtest.h>

#include <array>
#include <set>
#include <string>
#include <sys/socket.h>
#include <unistd.h>

namespace {

using cp::Access;
using cp::Right;

constexpr gid_t admins = 4711;
constexpr uid_t somebody = 12'345;  // Neither root nor who runs this.

Access with_admins() {
  return {.admin_group = cp::Group{.id = admins, .name = "netadmin"}};
}

TEST(Access, readers_get_everything_that_changes_nothing) {
  std::set<std::string> asks;
  for (const cp::Api::Route& route : cp::Api::routes()) {
    const std::string text = std::string(route.method) + " " + std::string(route.pattern);
    if (route.method == "GET") {
      EXPECT_EQ(route.needs, Right::read) << text;
    } else if (route.needs == Right::read) {
      asks.insert(text);
    }
  }

  EXPECT_EQ(asks, (std::set<std::string>{"POST /v1/intent/check", "POST /v1/intent/diff"}));
}

TEST(Access, openapi_says_what_only_some_may_do) {
  const boost::json::object paths = cp::openapi().at("paths").as_object();

  EXPECT_TRUE(paths.at("/v1/intent").at("put").at("responses").as_object().contains("403"));
  EXPECT_FALSE(paths.at("/v1/intent").at("get").at("responses").as_object().contains("403"));
}

TEST(Access, members_of_the_admin_group_change) {
  const std::array<gid_t, 3> groups{100, admins, 7};

  EXPECT_EQ(with_admins().right_of(somebody, groups), Right::change);
}

TEST(Access, others_read) {
  const std::array<gid_t, 2> groups{100, admins + 1};

  EXPECT_EQ(with_admins().right_of(somebody, groups), Right::read);
  EXPECT_EQ(with_admins().right_of(somebody, {}), Right::read);
}

TEST(Access, root_and_the_processs_own_user_change_without_any_group) {
  EXPECT_EQ(with_admins().right_of(0, {}), Right::change);
  EXPECT_EQ(with_admins().right_of(::geteuid(), {}), Right::change);
}

TEST(Access, without_an_admin_group_whoever_comes_changes) {
  EXPECT_EQ(Access().right_of(somebody, {}), Right::change);
}

TEST(Access, the_kernel_says_who_is_at_the_other_end) {
  std::array<int, 2> pair{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()), 0);

  const cp::Peer peer = with_admins().peer_of(pair[0]);

  EXPECT_EQ(peer.uid, ::getuid());
  EXPECT_EQ(peer.pid, ::getpid());
  EXPECT_EQ(peer.right, Right::change);  // Our own.
  EXPECT_EQ(peer.change_takes, "the group netadmin");
  for (const int socket : pair) ::close(socket);
}

TEST(Access, nobody_on_a_socket_that_tells_no_user_only_reads) {
  const int tcp = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

  const cp::Peer peer = with_admins().peer_of(tcp);

  EXPECT_FALSE(peer.uid);
  EXPECT_EQ(peer.right, Right::read);
  ::close(tcp);
}

TEST(Access, a_certificate_of_the_admin_groups_unit_changes) {
  const cp::Peer peer = with_admins().peer_of({.common_name = "ann", .units = {"ops", "netadmin"}});

  EXPECT_EQ(peer.right, Right::change);
  EXPECT_EQ(cp::title_of(peer), "certificate:ann");
  EXPECT_TRUE(peer.known());
}

TEST(Access, certificates_of_other_units_read) {
  const cp::Peer peer = with_admins().peer_of({.common_name = "ann", .units = {"netadmin2", ""}});

  EXPECT_EQ(peer.right, Right::read);
  EXPECT_EQ(peer.change_takes, "a certificate with a CN, and OU = netadmin");
  EXPECT_EQ(with_admins().peer_of({.common_name = "netadmin"}).right, Right::read);
}

TEST(Access, a_certificate_without_a_name_reads) {
  const cp::Peer peer = with_admins().peer_of({.common_name = "", .units = {"netadmin"}});

  EXPECT_EQ(peer.right, Right::read);
  EXPECT_TRUE(peer.known()) << "so that its requests are counted";
}

TEST(Access, without_an_admin_group_no_certificate_changes) {
  EXPECT_EQ(Access().peer_of({.common_name = "ann", .units = {""}}).right, Right::read);
}

TEST(Access, a_group_that_is_not_there_is_named) {
  const auto group = cp::find_group("no-such-group");

  ASSERT_FALSE(group);
  EXPECT_EQ(group.error(), "this system knows no group \"no-such-group\"");
}

}  // namespace
