// SPDX-License-Identifier: Apache-2.0
// What both ends of the API share, without a connection: addresses, and files that are no good.
#include "controlplane/connection/address.hpp"
#include "controlplane/connection/tls.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <unistd.h>

namespace {

using cp::HostPort;
using cp::parse_host_port;

TEST(HostPort, takes_names_and_addresses_of_both_families) {
  EXPECT_EQ(parse_host_port("gw1.example:9443"), (HostPort{"gw1.example", 9443}));
  EXPECT_EQ(parse_host_port("192.0.2.1:1"), (HostPort{"192.0.2.1", 1}));
  EXPECT_EQ(parse_host_port("[2001:db8::1]:65535"), (HostPort{"2001:db8::1", 65535}));
}

TEST(HostPort, takes_nothing_else) {
  for (const char* text : {"", "gw1", ":9443", "gw1:", "gw1:0", "gw1:65536", "gw1:-1", "gw1:9443 ",
                           "2001:db8::1:9443", "[]:9443", "[::1]", "gw1:0x1"}) {
    EXPECT_FALSE(parse_host_port(text)) << text;
  }
}

class TlsFilesTest : public testing::Test {
 protected:
  TlsFilesTest()
      : folder_(std::filesystem::temp_directory_path() /
                ("weir-connection-" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(folder_);
  }
  ~TlsFilesTest() override { std::filesystem::remove_all(folder_); }

  static std::string error_of(const cp::TlsFiles& files) {
    const auto context = cp::make_tls_context(cp::TlsSide::server, files);
    return context ? "" : context.error();
  }

  std::filesystem::path folder_;
};

TEST_F(TlsFilesTest, a_file_that_is_not_there_is_named) {
  EXPECT_EQ(error_of({.certificate = "/nowhere/a.pem", .key = "b", .ca = "c"}),
            "/nowhere/a.pem: no certificate in it: No such file or directory");
}

TEST_F(TlsFilesTest, a_file_of_something_else_is_named) {
  const std::string path = folder_ / "text";
  std::ofstream(path) << "no certificate\n";

  EXPECT_EQ(error_of({.certificate = path, .key = path, .ca = path}),
            path + ": no certificate in it: no start line");
}

}  // namespace
