// SPDX-License-Identifier: Apache-2.0
// Links that change, and interfaces that are removed under an open port: the workers lose the
// device, it is closed, and opened anew once that succeeds. Other ports are not touched. What
// cannot be opened anew stays open, and says that it is gone.
#include "dataplane/base/log.hpp"
#include "dataplane/housekeeper/ports.hpp"

#include <algorithm>
#include <utility>

namespace dp {

void Ports::hear_of_links() {
  const LinkWatch::Heard heard = links_.hear();
  if (heard.lost) told_down_ = 0;
  if (heard.lost || !heard.news.empty()) ask_ = true;
  const auto is_up = [](const LinkNews& news) {
    return news.what == LinkNews::What::up;
  };
  // Whichever it is: an interface of another number may be one that returned.
  if (heard.lost || std::ranges::any_of(heard.news, is_up)) reopen_ |= missing_;
  for (const LinkNews& news : heard.news) {
    for_each_bit(open_ports(), [&](std::uint16_t id) {
      if (seen_[id].facts.ifindex == news.ifindex) take_in_news(id, news.what);
    });
  }
}

void Ports::take_in_news(std::uint16_t id, LinkNews::What what) {
  switch (what) {
    // Not before the device says so too: its carrier may have gone since.
    case LinkNews::What::up:
    // Nothing more is told of it here.
    case LinkNews::What::moved: told_down_ &= ~bit(id); break;
    case LinkNews::What::down:
    case LinkNews::What::removed:
      told_down_ |= bit(id);
      seen_[id].observation.link.up = false;
      break;
  }
}

bool Ports::can_reopen(std::uint16_t id) const {
  return seen_[id].facts.can_reopen && opener_.may_open(request_for(id, before_, vteps_before_));
}

void Ports::note_gone(std::uint16_t id) const {
  LOG(warning, "port_interface_gone", {"port", contract::to_view(before_[id].add.name)},
      {"effect", can_reopen(id) ? "it is opened anew as soon as its interface is there"
                                : "delete and add the port when its interface is there again"});
}

void Ports::part_with_gone() {
  PortMask gone = 0;
  for_each_bit(open_ports(), [&](std::uint16_t id) {
    if (seen_[id].observation.link.gone && can_reopen(id)) gone |= bit(id);
  });
  if (gone == 0) return;
  assign(open_ports() & ~gone);
  for_each_bit(gone, [this](std::uint16_t id) {
    seen_[id].facts.announcements = -1;  // Closed with its device.
    parted_.push_back({base::PortId{id}, std::move(devices_[id]), grace_});
  });
  missing_ |= gone;
  reopen_ |= gone;
}

void Ports::close_parted() {
  std::erase_if(parted_, [this](Parted& parted) {
    if (!left(parted.grace)) return false;
    ++jobs_out_;
    thread_.submit({.kind = PortJob::Kind::close,
                    .port = parted.port,
                    .request = {},
                    .closing = std::move(parted.device),
                    .for_good = false});
    return true;
  });
}

void Ports::reopen_missing() {
  // Closed first: a device of DPDK cannot be there twice.
  if (returning()) return;
  for_each_bit(std::exchange(reopen_, 0) & missing_, [this](std::uint16_t id) {
    ++reopening_;
    DeviceRequest request = request_for(id, before_, vteps_before_);
    request.again_as = seen_[id].facts.mac;
    thread_.submit(
        {.kind = PortJob::Kind::reopen, .port = base::PortId{id}, .request = std::move(request)});
  });
}

void Ports::take_in_reopened(PortOutcome& outcome) {
  --reopening_;
  const std::uint16_t id = outcome.port.value;
  const std::string_view name = contract::to_view(before_[id].add.name);
  if (!outcome.opened) {
    const base::Error& error = outcome.status.error();
    // That it is not there yet has been said.
    if (error.code == base::Errc::not_found) return;
    LOG(warning, "port_not_reopened", {"port", name}, {"reason", error.text},
        {"errno", error.error_number});
    return;
  }
  if (outcome.facts.mac != seen_[id].facts.mac || outcome.facts.mtu != seen_[id].facts.mtu ||
      outcome.facts.rx_queues != seen_[id].facts.rx_queues) {
    LOG(warning, "port_returned_otherwise", {"port", name},
        {"effect", "remove and add the port, as its MAC, MTU or queues are others now"});
  }
  LOG(info, "port_returned", {"port", name});
  devices_[id] = std::move(outcome.opened);
  missing_ &= ~bit(id);
  told_down_ &= ~bit(id);
  seen_[id] = {.device_number = ++devices_opened_,
               .facts = outcome.facts,
               .observation = outcome.observation};
  assign(open_ports());
}

bool Ports::give_up() {
  switch (step_) {
    case Step::idle:
      missing_ = reopen_ = 0;
      if (returning()) return true;
      if (open_ports() == 0) return false;
      assign(0);
      step_ = Step::give_up_detach;
      return true;
    case Step::give_up_detach:
      if (!left(grace_)) return true;
      // What shall outlive this process (XDP programs, TAPs) stays.
      submit_close(open_ports(), open_ports());
      step_ = Step::give_up_close;
      return true;
    case Step::give_up_close:
      if (jobs_out()) return true;
      step_ = Step::idle;
      return false;
    default: return true;
  }
}

}  // namespace dp
