// SPDX-License-Identifier: Apache-2.0
// weir-controlplane: options, then the parts and how they hang together, then the loop.
#include "controlplane/api/api.hpp"
#include "controlplane/api/server.hpp"
#include "controlplane/link/essential.hpp"
#include "controlplane/metrics/text.hpp"
#include "controlplane/start/options.hpp"
#include "controlplane/start/system_calls.hpp"
#include "dataplane/base/log.hpp"
#include "dataplane/base/memory.hpp"
#include "dataplane/base/supervisor.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <exception>
#include <new>

namespace {

using namespace cp;
using namespace std::chrono_literals;

int refuse(const std::string& what) {
  std::fprintf(stderr, "weir-controlplane: %s\n", what.c_str());
  return 1;
}

std::string metrics_of(const Configuration& configuration, const Store& store, const Link& link,
                       std::uint64_t requests_refused) {
  const LinkStatus& status = link.status();
  ProcessMetrics process{.version = WEIR_VERSION,
                         .connected = link.connected(),
                         .in_sync = link.in_sync(),
                         .connections = status.connections,
                         .transactions = status.transactions,
                         .records = status.records,
                         .store_alarm = !store.alarm().empty(),
                         .store_copy = store.has_copy(),
                         .objects = {},
                         .requests_refused = requests_refused};
  for (std::size_t i = 0; i < object_kind_count; ++i) {
    const auto kind = static_cast<ObjectKind>(i);
    process.objects.emplace(plural(kind), count(configuration.intent(), kind));
  }
  return write_metrics(link.region(), configuration.position_names(), process);
}

// A turn of the loop that takes long keeps the next from being told.
boost::asio::awaitable<void> tell_that_it_lives(base::Supervisor& supervisor) {
  using std::chrono::steady_clock;
  boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor);
  for (;;) {
    supervisor.alive(static_cast<std::uint64_t>(steady_clock::now().time_since_epoch() / 1ns));
    timer.expires_after(200ms);
    co_await timer.async_wait(boost::asio::use_awaitable);
  }
}

std::expected<Access, std::string> access_of(const Options& options) {
  Access access;
  const auto find = [](const char* option, const std::string& name,
                       std::optional<Group>& group) -> std::expected<void, std::string> {
    if (name.empty()) return {};
    auto found = find_group(name);
    if (!found) return std::unexpected(std::string(option) + ": " + found.error());
    group = std::move(*found);
    return {};
  };
  auto found = find("--socket-group", options.socket_group, access.socket_group);
  if (found) found = find("--admin-group", options.admin_group, access.admin_group);
  if (!found) return std::unexpected(found.error());
  return access;
}

// Who comes over the network has limits of its own, so that it keeps nobody out who is here.
constexpr std::size_t remote_connections_max = 256;
constexpr std::size_t metrics_connections_max = 64;

struct Servers {
  Servers(boost::asio::io_context& io, const Options& options, Api& api)
      : local(io.get_executor(), {.requests_per_second = options.request_rate}, whole(api)),
        remote(io.get_executor(),
               {.connections = remote_connections_max, .requests_per_second = options.request_rate},
               whole(api)),
        metrics(io.get_executor(), {.connections = metrics_connections_max},
                [&api](HttpRequest request) { return api.handle_public(std::move(request)); }) {}

  std::expected<void, std::string> listen(const Options& options, const Access& access) {
    if (!options.listen.empty()) {
      if (auto files = remote.use_tls(options.tls, access); !files) return files;
    }
    const std::string socket_path = options.runtime_dir + "/controlplane.sock";
    if (auto listens = local.listen_unix(socket_path, access); !listens) {
      return std::unexpected(socket_path + ": " + to_error(listens.error()).message);
    }
    if (!options.metrics_listen.empty()) {
      if (auto listens = metrics.listen_tcp(options.metrics_listen); !listens) {
        return std::unexpected("--metrics-listen " + options.metrics_listen + ": " +
                               to_error(listens.error()).message);
      }
    }
    if (options.listen.empty()) return {};
    if (auto listens = remote.listen_tcp(options.listen); !listens) {
      return std::unexpected("--listen " + options.listen + ": " +
                             to_error(listens.error()).message);
    }
    return {};
  }

  std::uint64_t requests_refused() const noexcept {
    return local.requests_refused() + remote.requests_refused();
  }

  HttpServer local, remote, metrics;

 private:
  static HttpHandler whole(Api& api) {
    return [&api](HttpRequest request) {
      return api.handle(std::move(request));
    };
  }
};

// Again and again: once is what a signal is waited for.
void reload_at(boost::asio::signal_set& hangup, HttpServer& remote) {
  hangup.async_wait([&hangup, &remote](boost::system::error_code error, int) {
    if (error) return;
    remote.reload_certificates();
    reload_at(hangup, remote);
  });
}

int serve(const Options& options) {
  auto access = access_of(options);
  if (!access) return refuse(access.error());
  auto store = Store::open(options.state_dir + "/intent.sqlite");
  if (!store) return refuse(to_string(store.error().front()));

  Events events;
  Traces traces;
  Configuration configuration(*store, events, traces);
  if (auto loaded = configuration.load(); !loaded) return refuse(to_string(loaded.error().front()));

  boost::asio::io_context io(1);
  Link link(io.get_executor(), {.socket_path = options.runtime_dir + "/dataplane.sock"},
            configuration);
  configuration.use(link);
  configuration.start(io.get_executor());
  base::SeccompMode seccomp = base::SeccompMode::off;  // In force.
  const Servers* clients = nullptr;  // They ask the API, which asks them for metrics.
  Api api({.configuration = configuration,
           .link = link,
           .events = events,
           .traces = traces,
           .seccomp = seccomp,
           .metrics = [&] {
             return metrics_of(configuration, *store, link, clients->requests_refused());
           }});
  Servers servers(io, options, api);
  clients = &servers;
  if (auto listens = servers.listen(options, *access); !listens) return refuse(listens.error());
  boost::asio::signal_set signals(io, SIGINT, SIGTERM);
  signals.async_wait([&](boost::system::error_code, int) {
    link.close();
    events.close();
    io.stop();
  });
  boost::asio::signal_set hangup(io, SIGHUP);
  reload_at(hangup, servers.remote);
  boost::asio::co_spawn(io, link.run(), essential);
  base::Supervisor supervisor = base::Supervisor::from_environment();
  boost::asio::co_spawn(io, tell_that_it_lives(supervisor), essential);
  const auto mode = restrict_system_calls(options.seccomp);
  if (!mode) return refuse(to_error(mode.error()).message);
  seccomp = *mode;
  LOG(info, "system_calls_restricted", {"seccomp", base::name(seccomp)});
  (void)supervisor.ready("answers on its socket");
  LOG(info, "started", {"release", WEIR_VERSION});
  io.run();
  (void)supervisor.stopping();
  LOG(info, "stopped");
  return 0;
}

// By priority, as CLI11's globals ask for memory before main.
[[gnu::constructor(101)]] void before_all() {
  base::end_without_resources();
}

}  // namespace

int main(int argc, char** argv) {
  auto options = read_options(argc, argv);
  if (!options) return options.error();
  base::set_log(options->log_level, options->log_format, "weir-controlplane");
  if (auto made = make_directories(*options); !made) return refuse(made.error());
  try {
    return serve(*options);
  } catch (const std::bad_alloc&) {
    base::out_of_memory();
  } catch (const std::exception& error) {
    return refuse(std::string("cannot go on: ") + error.what());
  }
}
