// SPDX-License-Identifier: Apache-2.0
// A control plane as main.cpp puts it together, and a client that asks it.
#pragma once

#include "controlplane/api/api.hpp"
#include "controlplane/api/server.hpp"
#include "tests/unit/fake_dataplane.hpp"
#include "tests/unit/http_client.hpp"
#include "tests/unit/intent_sample.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/json/parse.hpp>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <unistd.h>

inline cp::HttpLimits small_limits() {
  cp::HttpLimits limits;
  limits.body_bytes = 64 << 10;
  limits.header_timeout = std::chrono::seconds(1);
  limits.connections = 8;
  return limits;
}

class ApiTest : public testing::Test {
 protected:
  ApiTest()
      : directory_(std::filesystem::temp_directory_path() /
                   ("weir-api-" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(directory_);
  }
  ~ApiTest() override {
    stop();
    std::filesystem::remove_all(directory_);
  }

  // As main.cpp does it.
  struct ControlPlane {
    explicit ControlPlane(const std::string& directory)
        : store(cp::Store::open(directory + "/intent.sqlite").value()),
          configuration(store, events, traces),
          link(io.get_executor(), options(directory), configuration),
          api({configuration, link, events, traces, seccomp,
               [] {
                 return std::string("metrics\n");
               }}),
          server(io.get_executor(), small_limits(),
                 [this](cp::HttpRequest request) { return api.handle(std::move(request)); }) {
      EXPECT_TRUE(configuration.load());
      configuration.use(link);
      configuration.start(io.get_executor());
      const auto listens = server.listen_unix(directory + "/controlplane.sock");
      EXPECT_TRUE(listens) << listens.error().text;
      boost::asio::co_spawn(io, link.run(), boost::asio::detached);
      thread = std::thread([this] { io.run(); });
    }
    ~ControlPlane() {
      io.stop();
      thread.join();
    }

    static cp::LinkOptions options(const std::string& directory) {
      cp::LinkOptions options{.socket_path = directory + "/dataplane.sock"};
      options.refused_retry = std::chrono::milliseconds(100);
      return options;
    }

    cp::Store store;
    cp::Events events;
    cp::Traces traces;
    base::SeccompMode seccomp = base::SeccompMode::off;
    boost::asio::io_context io;
    cp::Configuration configuration;
    cp::Link link;
    cp::Api api;
    cp::HttpServer server;
    std::thread thread;
  };

  void start() { control_ = std::make_unique<ControlPlane>(directory_.string()); }
  void stop() { control_.reset(); }
  void start_dataplane(FakeFaults faults = {}) {
    dataplane_ = std::make_unique<FakeDataplane>((directory_ / "dataplane.sock").string(), faults);
    dataplane_->start();
  }

  std::string socket_path() const { return (directory_ / "controlplane.sock").string(); }
  HttpReply ask(const std::string& method, const std::string& target,
                const std::string& body = {}) {
    return http_request(socket_path(), method, target, body);
  }
  boost::json::value get(const std::string& target) {
    const HttpReply reply = ask("GET", target);
    EXPECT_EQ(reply.status, 200u) << target << ": " << reply.body;
    return boost::json::parse(reply.body);
  }
  bool reaches_state(std::string_view state) {
    for (int i = 0; i < 1000; ++i) {
      if (get("/v1/status").at("dataplane").at("state").as_string() == state) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return false;
  }
  HttpReply apply_sample() { return ask("PUT", "/v1/intent", std::string(sample_yaml)); }

  std::filesystem::path directory_;
  std::unique_ptr<FakeDataplane> dataplane_;
  std::unique_ptr<ControlPlane> control_;
};
