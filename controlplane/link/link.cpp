// SPDX-License-Identifier: Apache-2.0
#include "controlplane/link/link.hpp"

#include "controlplane/link/as_result.hpp"
#include "dataplane/base/log.hpp"
#include "dataplane/contract/command.hpp"

#include <unistd.h>

namespace cp {

namespace asio = boost::asio;
using base::Errc;
using contract::FrameView;

namespace {

Frame hello_frame(std::uint32_t sequence) {
  contract::Hello hello{};
  hello.version_min = contract::version_min;
  hello.version_max = contract::version_now;
  hello.pid = static_cast<std::uint32_t>(::getpid());
  hello.program = contract::to_text<contract::name_bytes>("weir-controlplane");
  hello.release = contract::to_text<contract::name_bytes>(WEIR_VERSION);
  return make_command(contract::Verb::hello, 0, sequence, hello);
}

struct Missing {
  contract::TableSet tables;  // That must be sent.
  std::uint32_t replace;      // As in contract::Begin.
};

// An empty data plane is told all, as by every release. What another has is replaced, table by
// table where it can; endpoints that it lacks altogether are not looked for among those it has.
Missing find_missing(const contract::Digests& found, const contract::Digests& wanted,
                     bool by_table) noexcept {
  if (found == contract::Digests{}) return {contract::all_tables, contract::replace_nothing};
  if (!by_table) return {contract::all_tables, contract::replace_all};
  const contract::TableSet tables = contract::difference(found, wanted);
  const bool has_endpoints = found.endpoints != 0;
  return {tables, has_endpoints
                      ? tables
                      : tables & ~static_cast<contract::TableSet>(contract::Table::endpoints)};
}

std::string to_text(contract::TableSet tables) {
  std::string text;
  const auto add = [&](contract::Table table, const char* name) {
    if (contract::has(tables, table)) text += (text.empty() ? "" : ",") + std::string(name);
  };
  add(contract::Table::ports, "ports");
  add(contract::Table::networks, "networks");
  add(contract::Table::vteps, "vteps");
  add(contract::Table::endpoints, "endpoints");
  return text;
}

}  // namespace

std::string_view name(LinkState state) noexcept {
  switch (state) {
    case LinkState::disconnected: return "disconnected";
    case LinkState::programming: return "programming";
    case LinkState::waiting: return "waiting";
    case LinkState::refused: return "refused";
    case LinkState::in_sync: return "in_sync";
  }
  return "unknown";
}

Link::Link(asio::any_io_executor executor, LinkOptions options, LinkOwner& owner)
    : executor_(executor), options_(std::move(options)), owner_(owner), wake_(executor) {
  status_.since = std::chrono::system_clock::now();
}

asio::awaitable<void> Link::run() {
  constexpr std::chrono::milliseconds backoff_min{10};
  auto backoff = backoff_min;
  while (!closing_) {
    std::string why;
    auto socket = SeqpacketSocket::connect(executor_, options_.socket_path);
    if (socket) {
      exchange_.emplace(executor_, std::move(*socket),
                        [this](const FrameView& event) { owner_.on_event(event); });
      why = co_await serve_connection();
      if (region_) backoff = backoff_min;
      // Who still waits for a reply has been told; the turn comes when the last has left.
      const Turns::Turn turn = co_await turns_.take();
      exchange_.reset();
      region_.reset();
    } else {
      why = to_error(socket.error()).message;
      // It costs some microseconds to ask for a data plane that starts, and its frames wait for us.
      backoff = std::min(backoff, options_.absent_retry);
    }
    set_state(LinkState::disconnected, std::move(why));
    if (closing_) break;
    co_await sleep(backoff);
    backoff = std::min(backoff * 2, options_.backoff_max);
  }
}

void Link::close() {
  closing_ = true;
  if (exchange_) exchange_->close("this control plane is stopping");
  wake();
}

void Link::wake() {
  woken_ = true;
  wake_.cancel();
}

asio::awaitable<void> Link::sleep(std::chrono::milliseconds time) {
  if (!woken_) {
    wake_.expires_after(time);
    (void)co_await wake_.async_wait(as_result);
  }
  woken_ = false;
}

const contract::RegionView* Link::region() const noexcept {
  return region_ ? &region_->view() : nullptr;
}

// Returns why it ended.
asio::awaitable<std::string> Link::serve_connection() {
  if (auto error = co_await say_hello()) co_return error->message;

  ++status_.connections;
  LOG(info, "dataplane_connected", {"pid", status_.pid}, {"release", status_.release},
      {"generation", status_.generation});
  set_state(LinkState::programming);
  exchange_->start_reading([this] { wake(); });
  co_await keep_in_sync();
  // The reader uses the exchange: it ends before the exchange does.
  while (exchange_->reading()) co_await sleep(std::chrono::milliseconds(10));
  LOG(warning, "dataplane_lost", {"reason", exchange_->why_closed()});
  co_return exchange_->why_closed();
}

asio::awaitable<std::optional<Error>> Link::say_hello() {
  Frame frame = hello_frame(next_sequence_++);
  auto message = co_await exchange_->hello(std::move(frame), options_.hello_timeout);
  if (!message) co_return std::move(message.error());
  co_return accept_hello(std::move(*message));
}

std::optional<Error> Link::accept_hello(Message message) {
  const auto frame = FrameView::parse(message.bytes);
  if (!frame) return to_error(frame.error());
  if (auto answer = read_answer(*frame); answer.error) return answer.error;
  if (frame->header().type != static_cast<std::uint16_t>(contract::EventType::hello_reply) ||
      frame->record_count() != 1) {
    return make_error(Errc::malformed, "the data plane answered the hello with something else");
  }
  const auto reply = frame->record<contract::HelloReply>(0);
  if (reply.version < contract::version_min || reply.version > contract::version_now) {
    return version_skew(reply);
  }
  if (!message.descriptor) {
    return make_error(Errc::malformed, "the data plane passed no counter region with its hello");
  }
  auto region = RegionMap::make(std::move(message.descriptor), reply.region_bytes);
  if (!region) {
    if (region.error().code == Errc::version_skew) return region_skew(reply);
    return to_error(region.error());
  }

  region_.emplace(std::move(*region));
  digests_ = reply.digests;
  replaces_tables_ = (reply.features & contract::feature_replace_tables) != 0;
  status_.boot_id = reply.boot_id;
  status_.generation = reply.generation;
  status_.pid = reply.pid;
  status_.worker_count = reply.worker_count;
  status_.release = contract::to_view(reply.release);
  status_.limits = Limits{.ports = reply.port_capacity,
                          .vteps = reply.vtep_capacity,
                          .networks = reply.network_capacity,
                          .endpoints = reply.endpoint_capacity,
                          .next_hops = reply.next_hop_capacity};
  owner_.on_limits(status_.limits);
  owner_.on_in_force(digests_);
  return std::nullopt;
}

asio::awaitable<void> Link::keep_in_sync() {
  while (exchange_->open()) {
    const auto wanted = owner_.wanted_digests();
    if (!wanted) {
      co_await tell_that_it_is_all();
      set_state(LinkState::waiting);
    } else if (digests_ == *wanted) {
      co_await tell_that_it_is_all();
      set_state(LinkState::in_sync);
    } else {
      co_await synchronise();
    }
    if (exchange_->open()) co_await sleep(options_.refused_retry);
  }
}

asio::awaitable<void> Link::tell_that_it_is_all() {
  if (status_.generation != 0) co_return;
  const Turns::Turn turn = co_await turns_.take();
  if (status_.generation == 0) (void)co_await transact_now(Plan{}, contract::replace_nothing);
}

asio::awaitable<void> Link::synchronise() {
  const Turns::Turn turn = co_await turns_.take();
  // A change may have gone through while we waited.
  const auto wanted = owner_.wanted_digests();
  if (!wanted || digests_ == *wanted) co_return wake();
  const Missing missing = find_missing(digests_, *wanted, replaces_tables_);
  LOG(info, "tables_differ", {"tables", to_text(missing.tables)});
  const Plan plan = owner_.everything(missing.tables);
  auto generation = co_await transact_now(plan, missing.replace);
  if (!exchange_->open()) co_return;
  if (!generation) {
    set_state(LinkState::refused, to_string(generation.error()));
  } else if (digests_ != owner_.wanted_digests()) {
    // Either the intent changed meanwhile, and the next look mends it, or one side has a bug.
    set_state(LinkState::refused, "the data plane's tables differ from the intent after a commit");
  } else {
    set_state(LinkState::in_sync);
  }
}

asio::awaitable<std::expected<std::uint64_t, Error>> Link::transact(const Plan& plan,
                                                                    std::uint32_t replace) {
  const Turns::Turn turn = co_await turns_.take();
  auto generation = co_await transact_now(plan, replace);
  // The owner makes it what is wanted as soon as it knows; then we look again.
  if (generation) wake();
  co_return generation;
}

asio::awaitable<std::expected<std::uint64_t, Error>> Link::transact_now(const Plan& plan,
                                                                        std::uint32_t replace) {
  if (!exchange_ || !region_ || !exchange_->open()) {
    co_return std::unexpected(make_error(Errc::closed, "the data plane is not connected"));
  }
  const std::uint32_t transaction = next_transaction_++;
  std::vector<TransactionFrame> frames = make_frames(plan, replace, transaction, next_sequence_);
  auto last = co_await exchange_->transact(std::move(frames), options_.reply_timeout);
  if (!last) {
    Exchange::Refusal& refusal = last.error();
    if (refusal.record) refusal.error.object = record_title(plan, *refusal.record, owner_.names());
    if (refusal.port) {
      refusal.error.object =
          title_of(ObjectKind::port, owner_.names().ports.name_of(refusal.port->value));
    }
    if (exchange_->open()) {
      Frame abort = make_command(contract::Verb::abort, transaction, next_sequence_++,
                                 contract::Abort{.reserved = 0});
      // Its answer changes nothing: what was refused is not in force either way.
      (void)co_await exchange_->call(std::move(abort), options_.reply_timeout);
    }
    co_return std::unexpected(std::move(refusal.error));
  }
  const auto reply = FrameView::parse(*last)->record<contract::CommitReply>(0);
  digests_ = reply.digests;
  status_.generation = reply.generation;
  ++status_.transactions;
  status_.records += plan.record_count();
  LOG(info, "transaction_applied", {"generation", reply.generation},
      {"records", plan.record_count()});
  co_return reply.generation;
}

asio::awaitable<std::optional<Error>> Link::call(Frame frame) {
  const Turns::Turn turn = co_await turns_.take();
  if (!exchange_ || !region_ || !exchange_->open()) {
    co_return make_error(Errc::closed, "the data plane is not connected");
  }
  auto reply = co_await exchange_->call(std::move(frame), options_.reply_timeout);
  if (reply) co_return std::nullopt;
  co_return std::move(reply.error());
}

void Link::set_state(LinkState state, std::string error) {
  if (state == LinkState::in_sync) error.clear();
  if (state == status_.state && error == status_.last_error) return;
  const bool news = error != status_.last_error && !error.empty();
  if (state != status_.state) status_.since = std::chrono::system_clock::now();
  status_.state = state;
  status_.last_error = std::move(error);
  if (news) {
    LOG(warning, "dataplane_not_in_sync", {"state", name(state)}, {"reason", status_.last_error});
  }
  owner_.on_status(status_);
}

}  // namespace cp
