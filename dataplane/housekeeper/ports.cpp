// SPDX-License-Identifier: Apache-2.0
#include "dataplane/housekeeper/ports.hpp"

#include "dataplane/base/log.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

namespace dp {
namespace {

std::string_view device_name(const PortConfig& port) noexcept {
  const std::string_view devargs = contract::to_view(port.add.device);
  return devargs.substr(0, devargs.find(','));
}

// Whoever forwards for others must see frames that are not addressed to the device.
bool wants_promiscuous(const PortConfig& port) noexcept {
  return port.set.role == contract::PortRole::tenant ||
         port.set.role == contract::PortRole::transit || port.set.role == contract::PortRole::host;
}

// The port whose twin this one is.
base::PortId twin_peer(const PortConfig& port) noexcept {
  return port.set.role == contract::PortRole::host ? port.set.transit_peer : base::no_port;
}

bool asks_the_same(const DeviceRequest& a, const DeviceRequest& b) noexcept {
  return a.mtu == b.mtu && a.role == b.role && a.local_vteps == b.local_vteps &&
         a.own_addresses == b.own_addresses && a.neighbours == b.neighbours && a.mac == b.mac &&
         a.all_multicast == b.all_multicast;
}

std::array<std::vector<base::IpAddress>, contract::port_count_max> local_vteps(const Model& model) {
  std::array<std::vector<base::IpAddress>, contract::port_count_max> found;
  for (std::uint32_t id = 0; id < model.vtep_slots(); ++id) {
    const auto& vtep = model.vtep(id);
    if (!vtep.present || vtep.record.kind != contract::VtepKind::local) continue;
    if (vtep.record.port != base::no_port) {
      found[vtep.record.port.value].push_back(vtep.record.address);
      continue;
    }
    for (std::uint32_t port = 0; port < model.port_slots(); ++port) {
      if (model.port(port).record.set.role != contract::PortRole::underlay) continue;
      found[port].push_back(vtep.record.address);
    }
  }
  return found;
}

}  // namespace

Ports::Ports(DeviceOpener& opener, std::span<Worker* const> workers, Epoch& epoch,
             Defaults defaults)
    : opener_(opener), workers_(workers), epoch_(epoch), defaults_(defaults), thread_(opener) {}

Ports::~Ports() {
  for (Worker* worker : workers_) worker->assign(nullptr);
  // For the next process: what shall outlive this one stays.
  submit_close(open_ports(), open_ports());
}

std::vector<base::IpAddress> Ports::own_addresses(const PortConfig& port, const LocalVteps& vteps) {
  std::vector<base::IpAddress> own = vteps[port.add.port.value];
  for (const contract::PortAddress& one : port.set.addresses) {
    if (one.prefix_length != 0) own.push_back(one.address);
  }
  return own;
}

DeviceRequest Ports::request_for(std::uint16_t id, const Configs& configs,
                                 const LocalVteps& vteps) const {
  const PortConfig& port = configs[id];
  const base::PortId peer = twin_peer(port);
  const Seen* twin_of = peer != base::no_port ? seen(peer.value) : nullptr;
  const auto or_default = [](std::uint16_t value, std::uint16_t otherwise) {
    return value != 0 ? value : otherwise;
  };
  return {.device = std::string(contract::to_view(port.add.device)),
          .worker_count = static_cast<std::uint16_t>(workers_.size()),
          .rx_queues = port.add.rx_queues,
          .rx_descriptors = or_default(port.add.rx_descriptors, defaults_.rx_descriptors),
          .tx_descriptors = or_default(port.add.tx_descriptors, defaults_.tx_descriptors),
          .mtu = port.set.mtu,
          .promiscuous = wants_promiscuous(port),
          .role = port.set.role,
          .local_vteps = vteps[id],
          .own_addresses = own_addresses(port, vteps),
          .neighbours = port.set.neighbours,
          .mac = twin_of != nullptr ? twin_of->facts.mac : base::MacAddress{},
          .all_multicast = std::ranges::any_of(configs, [id](const PortConfig& other) {
            return twin_peer(other) == base::PortId{id};
          })};
}

void Ports::plan(const Model& model) {
  open_ = adjust_ = close_early_ = close_late_ = forget_ = 0;
  failure_ = {};
  failed_port_ = base::no_port;
  twin_step_ = TwinStep::open;
  model_ = &model;
  if (returning()) {
    step_ = Step::wait_for_returning;
    return;
  }
  look_for_changes(model);
  check_openable();
  step_ = close_early_ != 0 ? Step::detach : Step::open;
  if (step_ == Step::detach) {
    assign(open_ports() & ~close_early_);
  } else {
    submit_open(open_ & ~twins(after_), after_, vteps_after_);
    submit_adjust(adjust_, after_, vteps_after_);
  }
}

void Ports::look_for_changes(const Model& model) {
  if (model.objects_touched()) vteps_after_ = local_vteps(model);
  const auto slots = static_cast<std::uint16_t>(model.port_slots());
  for (std::uint16_t id = 0; id < slots; ++id) {
    before_[id] = model.port_before(id).record;
    after_[id] = model.port(id).record;
  }
  for (std::uint16_t id = 0; id < slots; ++id) {
    const auto& now = model.port(id);
    const auto& before = model.port_before(id);
    const bool was_open = devices_[id] != nullptr;
    if ((missing_ & bit(id)) != 0) {
      const bool same = now.present && same_device_settings(before.record, now.record);
      if (same) continue;  // It has its new settings when it is opened.
      forget_ |= bit(id);
    }
    const bool wants_device = now.present && has_device(now.record);
    if (was_open && !wants_device) close_late_ |= bit(id);
    if (!wants_device) continue;
    if (!was_open) {
      open_ |= bit(id);
    } else if (!same_device_settings(before.record, now.record)) {
      open_ |= bit(id);
      close_early_ |= bit(id);
    } else if (!asks_the_same(request_for(id, before_, vteps_before_),
                              request_for(id, after_, vteps_after_))) {
      adjust_ |= bit(id);
    }
  }
  // A removed port's device that another port wants must be free before.
  for_each_bit(open_, [this](std::uint16_t wanted) {
    for_each_bit(close_late_, [this, wanted](std::uint16_t leaving) {
      if (device_name(before_[leaving]) != device_name(after_[wanted])) return;
      close_early_ |= bit(leaving);
    });
  });
  close_late_ &= ~close_early_;
}

Ports::PortMask Ports::reopened() const noexcept {
  PortMask again = 0;
  for_each_bit(close_early_, [&](std::uint16_t leaving) {
    for_each_bit(open_, [&](std::uint16_t wanted) {
      if (device_name(before_[leaving]) == device_name(after_[wanted])) again |= bit(leaving);
    });
  });
  return again;
}

void Ports::check_openable() {
  for_each_bit(open_, [this](std::uint16_t id) {
    const base::Status status = opener_.may_open(request_for(id, after_, vteps_after_));
    if (status || !failure_) return;
    failure_ = status;
    failed_port_ = base::PortId{id};
  });
  // prepare() tells of it, and there is nothing to undo.
  if (!failure_) open_ = adjust_ = close_early_ = close_late_ = 0;
}

base::Result<bool> Ports::prepare() {
  switch (step_) {
    case Step::wait_for_returning:
      if (!returning()) plan(*model_);
      return true;
    case Step::detach:
      if (!left(grace_)) return true;
      submit_close(close_early_, reopened());
      step_ = Step::close_early;
      return true;
    case Step::close_early:
      if (jobs_out()) return true;
      submit_open(open_ & ~twins(after_), after_, vteps_after_);
      submit_adjust(adjust_, after_, vteps_after_);
      step_ = Step::open;
      return true;
    case Step::open:
      if (jobs_out()) return true;
      if (!failure_) return std::unexpected(failure_.error());
      if (bring_twins(open_, after_, vteps_after_)) return true;
      if (open_ != 0) {
        opener_.before_traffic();
        // The workers see a new port before the generation in which it has a role.
        assign(open_ports());
      }
      step_ = Step::ready;
      return false;
    default: return false;
  }
}

bool Ports::finish() {
  switch (step_) {
    case Step::ready:
      step_ = Step::idle;
      missing_ &= ~forget_;
      before_ = after_;
      vteps_before_ = vteps_after_;
      if (close_late_ == 0) return false;
      assign(open_ports() & ~close_late_);
      step_ = Step::detach_late;
      return true;
    case Step::detach_late:
      if (!left(grace_)) return true;
      submit_close(close_late_, 0);
      step_ = Step::close_late;
      return true;
    case Step::close_late:
      if (jobs_out()) return true;
      step_ = Step::idle;
      return false;
    default: return false;
  }
}

bool Ports::undo() {
  switch (step_) {
    case Step::idle: return false;
    case Step::wait_for_returning: step_ = Step::idle; return false;
    case Step::undo_detach:
      if (!left(grace_)) return true;
      submit_close(open_ & open_ports(), close_early_);
      step_ = Step::undo_close;
      return true;
    case Step::undo_close:
      if (jobs_out()) return true;
      failure_ = {};
      twin_step_ = TwinStep::open;
      submit_open(close_early_ & ~twins(before_), before_, vteps_before_);
      submit_adjust(adjust_ & open_ports(), before_, vteps_before_);
      step_ = Step::undo_open;
      return true;
    case Step::undo_open:
      if (jobs_out()) return true;
      if (bring_twins(close_early_, before_, vteps_before_)) return true;
      if (!failure_) {
        LOG(error, "port_not_restored", {"reason", failure_.error().text},
            {"errno", failure_.error().error_number});
      }
      assign(open_ports());
      vteps_after_ = vteps_before_;
      step_ = Step::idle;
      return false;
    default:  // Wherever prepare() stands: first let its jobs end.
      if (jobs_out()) return true;
      assign(open_ports() & ~open_);
      step_ = Step::undo_detach;
      return true;
  }
}

Ports::PortMask Ports::twins(const Configs& configs) {
  PortMask found = 0;
  for (std::uint32_t id = 0; id < configs.size(); ++id) {
    if (twin_peer(configs[id]) != base::no_port) found |= bit(id);
  }
  return found;
}

bool Ports::bring_twins(PortMask wanted, const Configs& configs, const LocalVteps& vteps) {
  PortMask busy = 0;
  if (twin_step_ == TwinStep::open) {
    twin_step_ = TwinStep::match;
    busy = wanted & twins(configs) & ~open_ports();
    submit_open(busy, configs, vteps);
  }
  if (busy == 0 && twin_step_ == TwinStep::match) {
    twin_step_ = TwinStep::done;
    for_each_bit(twins(configs) & (open_ports() | missing_), [&](std::uint16_t id) {
      const base::MacAddress mac = request_for(id, configs, vteps).mac;
      if (mac == seen_[id].facts.mac) return;
      if ((missing_ & bit(id)) == 0) {
        busy |= bit(id);
      } else if (!mac.is_zero()) {
        seen_[id].facts.mac = mac;  // With which it is made anew.
      }
    });
    submit_adjust(busy, configs, vteps);
  }
  return busy != 0;
}

FactsByPort Ports::facts() const noexcept {
  FactsByPort facts{};
  for (std::size_t id = 0; id < devices_.size(); ++id) {
    if (seen(static_cast<std::uint32_t>(id)) != nullptr) facts[id] = &seen_[id].facts;
  }
  return facts;
}

const Ports::Seen* Ports::seen(std::uint32_t port) const noexcept {
  const bool has = devices_[port] != nullptr || (missing_ & bit(port)) != 0;
  return has ? &seen_[port] : nullptr;
}

Ports::PortMask Ports::open_ports() const noexcept {
  PortMask open = 0;
  for (std::uint32_t id = 0; id < devices_.size(); ++id) {
    if (devices_[id] != nullptr) open |= bit(id);
  }
  return open;
}

void Ports::assign(PortMask ports) {
  std::vector<std::unique_ptr<Assignment>> fresh(workers_.size());
  for (auto& assignment : fresh) assignment = std::make_unique<Assignment>();
  for_each_bit(ports, [&](std::uint16_t id) {
    for (auto& assignment : fresh) assignment->ports[id] = &devices_[id]->port();
    if (queues_[id] == nullptr && !fresh.empty()) {
      queues_[id] = std::make_unique<EgressQueue>(
          base::PortId{id}, contract::home_worker(base::PortId{id}, fresh.size()), fresh.size(),
          defaults_.queue_frames_max);
      queues_[id]->ring_at_home(workers_[queues_[id]->home().value]->bell());
    }
    for (std::uint16_t queue = 0; queue < seen_[id].facts.rx_queues; ++queue) {
      const auto reader = contract::reading_worker(base::PortId{id}, queue, fresh.size());
      fresh[reader.value]->sources.push_back({base::PortId{id}, base::QueueId{queue}});
    }
  });

  for (std::size_t id = 0; id < queues_.size(); ++id) {
    if (queues_[id] == nullptr) continue;
    for (auto& assignment : fresh) {
      assignment->queues[id] = queues_[id].get();
      assignment->all_queues.push_back(queues_[id].get());
    }
    fresh[queues_[id]->home().value]->home_queues.push_back(queues_[id].get());
  }

  std::vector<std::unique_ptr<const Assignment>> old = std::move(assignments_);
  assignments_.clear();
  naps_.clear();
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    workers_[i]->assign(fresh[i].get());
    naps_.push_back(workers_[i]->naps());
    assignments_.push_back(std::move(fresh[i]));
  }
  grace_ = epoch_.start_grace();
  if (!old.empty()) retired_.push_back({std::move(old), grace_});
}

bool Ports::left(std::uint64_t grace) noexcept {
  if (!epoch_.grace_passed(grace)) return false;
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    if (naps_[i] % 2 == 1 && workers_[i]->naps() == naps_[i]) return false;
  }
  return true;
}

void Ports::turn() {
  while (auto outcome = thread_.collect()) take_in(std::move(*outcome));
  std::erase_if(retired_,
                [this](const Retired& retired) { return epoch_.grace_passed(retired.grace); });
  // Behind what was opened, so that nothing is told of a device before it is known.
  hear_of_links();
  close_parted();
  if (step_ == Step::idle) {
    part_with_gone();
    reopen_missing();
  }
  if (ask_ && questions_out_ == 0) ask();
}

void Ports::ask() {
  ask_ = false;
  for_each_bit(open_ports(), [this](std::uint16_t id) {
    ++questions_out_;
    thread_.submit({.kind = PortJob::Kind::observe,
                    .port = base::PortId{id},
                    .request = {},
                    .device = devices_[id].get()});
  });
}

void Ports::take_in(PortOutcome outcome) {
  if (outcome.kind == PortJob::Kind::reopen) return take_in_reopened(outcome);
  const std::uint16_t id = outcome.port.value;
  std::uint32_t& out = outcome.kind == PortJob::Kind::observe ? questions_out_ : jobs_out_;
  --out;
  if (!outcome.status && failure_) {
    failure_ = outcome.status;
    failed_port_ = outcome.port;
  }
  if (outcome.opened) {
    devices_[id] = std::move(outcome.opened);
    seen_[id].device_number = ++devices_opened_;
    seen_[id].observation = {};
    told_down_ &= ~bit(id);
  }
  // Of one that was closed since: nobody wants to know any more.
  if (devices_[id] == nullptr || devices_[id].get() != outcome.device) return;
  const bool was_gone = std::exchange(seen_[id].observation, outcome.observation).link.gone;
  seen_[id].facts = outcome.facts;
  if (outcome.observation.link.gone && !was_gone) note_gone(id);
  if ((told_down_ & bit(id)) != 0) seen_[id].observation.link.up = false;
}

void Ports::submit_open(PortMask ports, const Configs& configs, const LocalVteps& vteps) {
  for_each_bit(ports, [&](std::uint16_t id) {
    ++jobs_out_;
    thread_.submit({.kind = PortJob::Kind::open,
                    .port = base::PortId{id},
                    .request = request_for(id, configs, vteps)});
  });
}

void Ports::submit_adjust(PortMask ports, const Configs& configs, const LocalVteps& vteps) {
  for_each_bit(ports, [&](std::uint16_t id) {
    ++jobs_out_;
    thread_.submit({.kind = PortJob::Kind::adjust,
                    .port = base::PortId{id},
                    .request = request_for(id, configs, vteps),
                    .device = devices_[id].get()});
  });
}

void Ports::submit_close(PortMask ports, PortMask again) {
  for_each_bit(ports, [&](std::uint16_t id) {
    ++jobs_out_;
    thread_.submit({.kind = PortJob::Kind::close,
                    .port = base::PortId{id},
                    .request = {},
                    .closing = std::move(devices_[id]),
                    .for_good = (again & bit(id)) == 0});
  });
}

}  // namespace dp
