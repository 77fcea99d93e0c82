// SPDX-License-Identifier: Apache-2.0
// The connection to the data plane: made again for ever, one transaction at a time, and after each
// (re)connection brought to what the intent wants without anybody asking.
//
//   disconnected → programming → in_sync
//        ↑______________|  ↘ refused (the data plane cannot take what is wanted)
//                          ↘ waiting (nobody has said what is wanted: it keeps what it has)
//
// Everything here runs on one thread, that of the io_context.
#pragma once

#include "controlplane/intent/error.hpp"
#include "controlplane/intent/limits.hpp"
#include "controlplane/link/exchange.hpp"
#include "controlplane/link/region_map.hpp"
#include "controlplane/link/turn.hpp"
#include "controlplane/plan/plan.hpp"
#include "dataplane/contract/event.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace cp {

enum class LinkState : std::uint8_t { disconnected, programming, waiting, refused, in_sync };

std::string_view name(LinkState state) noexcept;

struct LinkStatus {
  LinkState state = LinkState::disconnected;
  std::chrono::system_clock::time_point since{};  // Of this state.
  std::uint64_t boot_id = 0;                      // The rest: of the last data plane seen.
  std::uint64_t generation = 0;
  std::uint32_t pid = 0;
  std::uint16_t worker_count = 0;
  std::string release;
  Limits limits;
  std::uint64_t connections = 0;  // Since this process started.
  std::uint64_t transactions = 0;
  std::uint64_t records = 0;  // Sent in transactions.
  std::string last_error;     // Empty: none since the last success.
};

// The owner of the intent, as the link sees it.
class LinkOwner {
 public:
  virtual ~LinkOwner() = default;
  // A data plane has said how much it holds.
  virtual void on_limits(const Limits& limits) = 0;
  // What its tables add up to as it is found, after on_limits().
  virtual void on_in_force(const contract::Digests& digests) = 0;
  // What its tables must add up to; nullopt: nobody has said what is wanted. Asked often.
  virtual std::optional<contract::Digests> wanted_digests() = 0;
  // The commands that lead there from nothing, those of these tables.
  virtual Plan everything(contract::TableSet tables) = 0;
  // Names of what a refused record is about.
  virtual const Allocation& names() = 0;
  virtual void on_event(const contract::FrameView& event) = 0;
  virtual void on_status(const LinkStatus& status) = 0;
};

struct LinkOptions {
  std::string socket_path;
  std::chrono::milliseconds backoff_max{200};  // After connections that came to nothing.
  std::chrono::milliseconds absent_retry{20};  // Until there is a data plane to connect to.
  std::chrono::milliseconds hello_timeout{3000};
  // Creating ports takes DPDK hundreds of milliseconds each.
  std::chrono::milliseconds reply_timeout{30'000};
  // Until what was refused is tried again: a device may have appeared, memory been freed.
  std::chrono::milliseconds refused_retry{5000};
};

class Link {
 public:
  // `owner` must outlive the link.
  Link(boost::asio::any_io_executor executor, LinkOptions options, LinkOwner& owner);

  // Returns after close().
  boost::asio::awaitable<void> run();
  void close();

  // Puts `plan` in force, whole or not at all, and returns the generation; `replace` as in
  // contract::Begin. With Errc::closed and timed_out nobody knows which of both: the link finds out
  // when it has reconnected.
  boost::asio::awaitable<std::expected<std::uint64_t, Error>> transact(const Plan& plan,
                                                                       std::uint32_t replace);
  // One command outside of transactions.
  template <contract::Record T>
  boost::asio::awaitable<std::optional<Error>> command(contract::Verb verb, T record) {
    return call(make_command(verb, 0, next_sequence_++, record));
  }
  // The intent has changed without a transaction: see that the data plane follows.
  void wake();

  const LinkStatus& status() const noexcept { return status_; }
  bool connected() const noexcept { return status_.state >= LinkState::programming; }
  bool in_sync() const noexcept { return status_.state == LinkState::in_sync; }
  // nullptr while disconnected. Borrowed: do not keep it over a co_await.
  const contract::RegionView* region() const noexcept;

 private:
  boost::asio::awaitable<std::string> serve_connection();
  boost::asio::awaitable<std::optional<Error>> say_hello();
  std::optional<Error> accept_hello(Message message);
  boost::asio::awaitable<void> keep_in_sync();
  // To one that was told nothing yet and lacks nothing: it waits for a word before it is ready.
  boost::asio::awaitable<void> tell_that_it_is_all();
  boost::asio::awaitable<void> synchronise();
  boost::asio::awaitable<std::expected<std::uint64_t, Error>> transact_now(const Plan& plan,
                                                                           std::uint32_t replace);
  boost::asio::awaitable<std::optional<Error>> call(Frame frame);
  boost::asio::awaitable<void> sleep(std::chrono::milliseconds time);
  void set_state(LinkState state, std::string error = {});

  boost::asio::any_io_executor executor_;
  LinkOptions options_;
  LinkOwner& owner_;
  LinkStatus status_;
  std::optional<Exchange> exchange_;
  std::optional<RegionMap> region_;
  contract::Digests digests_{};   // In force in the data plane.
  bool replaces_tables_ = false;  // It has feature_replace_tables.
  Turns turns_;                   // Of those who use exchange_.
  boost::asio::steady_timer wake_;
  bool woken_ = false;
  bool closing_ = false;
  std::uint32_t next_transaction_ = 1;
  std::uint32_t next_sequence_ = 1;
};

}  // namespace cp
