// SPDX-License-Identifier: Apache-2.0
#include "controlplane/api/server.hpp"

#include "controlplane/connection/address.hpp"
#include "controlplane/connection/stream.hpp"
#include "controlplane/link/as_result.hpp"
#include "controlplane/link/essential.hpp"
#include "dataplane/base/descriptor.hpp"
#include "dataplane/base/log.hpp"
#include "dataplane/base/memory.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace cp {

namespace asio = boost::asio;
namespace ssl = boost::asio::ssl;
using base::Descriptor;
using base::Errc;
using base::fail;
using boost::system::error_code;

namespace {

// Of a client that is gone 0.0.0.0:0.
asio::ip::tcp::endpoint endpoint_of(const Stream::Plain::socket_type& socket) {
  error_code ignored;
  const auto remote = socket.remote_endpoint(ignored);
  asio::ip::tcp::endpoint endpoint;
  if (!ignored && remote.size() <= endpoint.capacity()) {
    std::memcpy(endpoint.data(), remote.data(), remote.size());
  }
  return endpoint;
}

// "192.0.2.1:40312"
std::string address_of(const Stream::Plain::socket_type& socket) {
  const asio::ip::tcp::endpoint endpoint = endpoint_of(socket);
  return endpoint.address().to_string() + ":" + std::to_string(endpoint.port());
}

// Whom one host may be: an IPv4 address, or all of an IPv6 subnet.
std::uint64_t source_of(const Stream::Plain::socket_type& socket) {
  const asio::ip::address address = endpoint_of(socket).address();
  if (address.is_v4()) return address.to_v4().to_uint();
  const auto bytes = address.to_v6().to_bytes();
  const bool is_ipv4 = address.to_v6().is_v4_mapped();
  std::uint64_t source = 0;
  std::memcpy(&source, bytes.data() + (is_ipv4 ? 8 : 0), sizeof source);
  return source;
}

}  // namespace

HttpServer::HttpServer(asio::any_io_executor executor, HttpLimits limits, HttpHandler handler)
    : executor_(std::move(executor)),
      limits_(limits),
      handler_(std::move(handler)),
      rate_(limits.requests_per_second) {}

base::Status HttpServer::bind(const Endpoint& endpoint) {
  auto acceptor = std::make_unique<Acceptor>(executor_);
  error_code error;
  // Each returns `error` once more.
  (void)acceptor->open(endpoint.protocol(), error);
  if (!error) (void)acceptor->set_option(asio::socket_base::reuse_address(true), error);
  if (!error) (void)acceptor->bind(endpoint, error);
  if (error) return fail(Errc::io, "the address cannot be listened on", error.value());
  acceptors_.push_back(std::move(acceptor));
  return {};
}

// At the address that was bound last.
base::Status HttpServer::listen() {
  Acceptor& acceptor = *acceptors_.back();
  error_code error;
  (void)acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) return fail(Errc::io, "the address cannot be listened on", error.value());
  asio::co_spawn(executor_, accept_forever(acceptor), essential);
  return {};
}

// Members of the group may use it, others not, from the first moment on.
base::Status HttpServer::bind_unix(const std::string& path, const Endpoint& endpoint) {
  const mode_t before = ::umask(access_.socket_group ? 0177 : 0117);
  auto status = bind(endpoint);
  ::umask(before);
  if (!status || !access_.socket_group) return status;
  const gid_t group = access_.socket_group->id;
  if (::chown(path.c_str(), static_cast<uid_t>(-1), group) == 0 &&
      ::chmod(path.c_str(), 0660) == 0) {
    return {};
  }
  const int error = errno;
  ::unlink(path.c_str());
  return fail(Errc::io,
              "the socket cannot be given to that group: be a member of it, or start as root",
              error);
}

base::Status HttpServer::listen_unix(const std::string& path, Access access) {
  if (path.size() >= sizeof(sockaddr_un::sun_path)) {
    return fail(Errc::invalid_argument, "the runtime directory's path is too long for a socket");
  }
  const asio::local::stream_protocol::endpoint endpoint(path);
  Descriptor probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(probe.get(), endpoint.data(), static_cast<socklen_t>(endpoint.size())) == 0) {
    return fail(Errc::already_exists,
                "another weir-controlplane serves this runtime directory; stop it first");
  }
  ::unlink(path.c_str());
  access_ = std::move(access);
  if (auto bound = bind_unix(path, Endpoint(endpoint)); !bound) return bound;
  unix_path_ = path;
  return listen();
}

base::Status HttpServer::listen_tcp(const std::string& address) {
  const auto parsed = parse_host_port(address);
  if (!parsed) {
    return fail(Errc::invalid_argument,
                "an address and a port are wanted, like 127.0.0.1:9477 or [::1]:9477");
  }
  error_code error;
  const auto ip = asio::ip::make_address(parsed->host, error);
  if (error) return fail(Errc::invalid_argument, "the address has to be a number, not a name");
  const asio::ip::tcp::endpoint endpoint(ip, parsed->port);
  if (auto bound = bind(Endpoint(endpoint)); !bound) return bound;
  return listen();
}

std::expected<void, std::string> HttpServer::use_tls(TlsFiles files, Access access) {
  tls_files_ = std::move(files);
  access_ = std::move(access);
  return load_certificates();
}

std::expected<void, std::string> HttpServer::load_certificates() {
  auto context = make_tls_context(TlsSide::server, tls_files_);
  if (!context) return std::unexpected(context.error());
  LOG(info, "certificates_loaded", {"valid_until", valid_until(*context)});
  tls_ = std::move(*context);  // Connections that there are have a share in the former.
  return {};
}

void HttpServer::reload_certificates() {
  if (!tls_) {
    LOG(info, "nothing_to_reload", {"hint", "certificates come with --listen"});
  } else if (auto loaded = load_certificates(); !loaded) {
    LOG(error, "certificates_refused", {"reason", loaded.error()}, {"in_force", "the former"});
  }
}

HttpServer::~HttpServer() {
  // While we still listen: nobody else's socket can stand there yet.
  if (!unix_path_.empty()) ::unlink(unix_path_.c_str());
}

asio::awaitable<void> HttpServer::accept_forever(Acceptor& acceptor) {
  asio::steady_timer pause(executor_);
  for (;;) {
    auto [error, socket] = co_await acceptor.async_accept(as_result);
    if (error == asio::error::operation_aborted) co_return;
    if (error) {
      // Out of descriptors, most likely: some client has to leave first.
      LOG(warning, "accept_failed", {"reason", error.message()});
      pause.expires_after(std::chrono::milliseconds(100));
      co_await pause.async_wait(as_result);
      continue;
    }
    asio::co_spawn(executor_, serve(Socket(std::move(socket))), asio::detached);
  }
}

// A crowd from one place ends its own: of those who came from where most are from, the oldest goes.
void HttpServer::make_room() {
  const auto crowd = [this](const Stranger& one) {
    return std::ranges::count(strangers_, one.source, &Stranger::source);
  };
  const auto first = std::ranges::max_element(strangers_, {}, crowd);
  first->stream->plain().close();
  strangers_.erase(first);
}

// nullopt: nobody whom we know. Who only connects keeps others out for a moment at most.
asio::awaitable<std::optional<Peer>> HttpServer::shake_hands(Stream& stream) {
  prepare_tcp(stream.plain().socket().native_handle());
  Stream::Tls& tls = stream.use_tls(*tls_);
  if (strangers_.size() >= limits_.handshakes) make_room();
  strangers_.push_back({&stream, source_of(stream.plain().socket())});
  stream.plain().expires_after(limits_.handshake_timeout);
  auto [error] = co_await tls.async_handshake(ssl::stream_base::server, as_result);
  std::erase_if(strangers_, [&stream](const Stranger& one) { return one.stream == &stream; });
  if (error) {
    LOG(info, "handshake_failed", {"from", address_of(stream.plain().socket())},
        {"reason", handshake_reason(tls.native_handle(), error)});
    co_return std::nullopt;
  }
  co_return access_.peer_of(read_peer_name(tls.native_handle()));
}

asio::awaitable<void> HttpServer::serve(Socket socket) {
  Stream stream(std::move(socket));
  // Counted by hand, not by a guard: frames that never finish are destroyed after the server.
  bool counted = false;
  try {
    std::optional<Peer> peer;
    if (tls_) {
      peer = co_await shake_hands(stream);
    } else {
      peer = access_.peer_of(stream.plain().socket().native_handle());
    }
    if (!peer) co_return;
    ++connections_;
    counted = true;
    const SessionShare share{
        .limits = limits_, .handler = handler_, .bodies_bytes = bodies_bytes_, .rate = rate_};
    if (connections_ > limits_.connections) {
      co_await turn_away(stream, share);
    } else {
      co_await serve_session(stream, std::move(*peer), share);
    }
  } catch (const std::bad_alloc&) {
    base::out_of_memory();
  } catch (const std::exception& bug) {
    LOG(error, "session_failed", {"what", bug.what()});
  }
  if (counted) --connections_;
}

}  // namespace cp
