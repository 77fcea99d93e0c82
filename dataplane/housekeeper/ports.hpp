// SPDX-License-Identifier: Apache-2.0
// The open devices, which worker reads which of their queues, and how a transaction changes both
// without a worker ever touching a closed device:
//
//   open and adjust on the port thread ─► workers get the new ports ─► the generation flips
//   ─► all workers passed ─► workers lose the removed ports ─► grace ─► close on the port thread
//
// A port whose device must be opened anew (other queues, same name) is taken from the workers and
// closed first; where the commit is refused then, it is opened again as it was.
//
// Outside of transactions, a device whose interface was removed is taken from the workers, closed,
// and opened anew when it can be (ports_return.cpp). A transaction waits for such work under way.
#pragma once

#include "dataplane/base/error.hpp"
#include "dataplane/housekeeper/derive.hpp"
#include "dataplane/housekeeper/model.hpp"
#include "dataplane/housekeeper/port_thread.hpp"
#include "dataplane/table/epoch.hpp"
#include "dataplane/worker/worker.hpp"
#include "drivers/link.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace dp {

class Ports {
 public:
  struct Defaults {
    std::uint16_t rx_descriptors = 512;
    std::uint16_t tx_descriptors = 512;
    std::uint32_t queue_frames_max = UINT32_MAX;  // That one egress queue holds.
  };

  // All outlive this.
  Ports(DeviceOpener& opener, std::span<Worker* const> workers, Epoch& epoch, Defaults defaults);
  // The workers have stopped: closes every device.
  ~Ports();

  // A transaction's part. Each step is polled; true: not done yet.
  void plan(const Model& model);
  base::Result<bool> prepare();  // Until all devices are as wanted, and workers have them.
  base::PortId failed_port() const noexcept { return failed_port_; }  // Where prepare() failed.
  bool finish();  // After the flip was passed: closes what was removed.
  bool undo();    // Instead of the flip: back to how it was before plan().

  // For the process that replaces this one, when no transaction is under way, polled likewise:
  // closes all devices, for good.
  bool give_up();

  // Either is readable when turn() has something to do.
  int descriptor() const noexcept { return thread_.descriptor(); }
  int link_descriptor() const noexcept { return links_.descriptor(); }
  // What was last seen of a device that is open or whose interface was removed; nullptr: there is
  // none. A new device has a new number.
  struct Seen {
    std::uint64_t device_number;
    DeviceFacts facts;
    Observation observation;
  };
  const Seen* seen(std::uint32_t port) const noexcept;
  FactsByPort facts() const noexcept;
  // Every turn: takes in what the port thread did and what the kernel tells of links, and frees
  // assignments that no worker uses.
  void turn();
  // Asks every open device, as soon as the last questions have been answered.
  void observe() noexcept { ask_ = true; }
  // Once in a while: what could not be opened anew may be possible now.
  void retry() noexcept { reopen_ |= missing_; }

 private:
  enum class Step : std::uint8_t {
    idle,
    wait_for_returning,
    detach,
    close_early,
    open,
    ready,
    detach_late,
    close_late,
    undo_detach,
    undo_close,
    undo_open,
    give_up_detach,
    give_up_close
  };
  enum class TwinStep : std::uint8_t { open, match, done };
  using PortMask = std::uint64_t;  // One bit per PortId.

  struct Retired {
    std::vector<std::unique_ptr<const Assignment>> assignments;
    std::uint64_t grace;
  };

  // The local VTEPs at each port.
  using LocalVteps = std::array<std::vector<base::IpAddress>, contract::port_count_max>;

  using Configs = std::array<PortConfig, contract::port_count_max>;

  static std::vector<base::IpAddress> own_addresses(const PortConfig& port,
                                                    const LocalVteps& vteps);
  DeviceRequest request_for(std::uint16_t id, const Configs& configs,
                            const LocalVteps& vteps) const;
  void look_for_changes(const Model& model);
  // Refuses the commit while everything is as it was.
  void check_openable();
  static PortMask twins(const Configs& configs);
  // After all others: opens those twins that are `wanted` with their peers' MACs, then gives these
  // to whichever has another; false: nothing is left to be tried.
  bool bring_twins(PortMask wanted, const Configs& configs, const LocalVteps& vteps);
  // Gives the workers all open devices of `ports`.
  void assign(PortMask ports);
  // Whether no worker uses what was taken away before `grace` started, nor sleeps in a poll() that
  // keeps it open: what is closed is then free to be opened again.
  bool left(std::uint64_t grace) noexcept;
  PortMask open_ports() const noexcept;
  static constexpr PortMask bit(std::uint32_t port) noexcept { return PortMask{1} << port; }
  template <class Visit>
  static void for_each_bit(PortMask bits, Visit&& visit) {
    for (; bits != 0; bits &= bits - 1) visit(static_cast<std::uint16_t>(__builtin_ctzll(bits)));
  }
  void submit_open(PortMask ports, const Configs& configs, const LocalVteps& vteps);
  void submit_adjust(PortMask ports, const Configs& configs, const LocalVteps& vteps);
  // Which of them will be opened again, by us or by the next process?
  void submit_close(PortMask ports, PortMask again);
  PortMask reopened() const noexcept;
  // Jobs of the transaction are out; the first failure is kept in failure_.
  bool jobs_out() const noexcept { return jobs_out_ > 0; }
  void take_in(PortOutcome outcome);
  void ask();
  void hear_of_links();
  void take_in_news(std::uint16_t id, LinkNews::What what);
  bool can_reopen(std::uint16_t id) const;
  void note_gone(std::uint16_t id) const;
  // Devices whose interface was removed, in the order of what happens to them.
  void part_with_gone();
  void close_parted();
  void reopen_missing();
  void take_in_reopened(PortOutcome& outcome);
  bool returning() const noexcept { return !parted_.empty() || reopening_ > 0; }

  DeviceOpener& opener_;
  std::span<Worker* const> workers_;
  Epoch& epoch_;
  Defaults defaults_;
  std::array<std::unique_ptr<Device>, contract::port_count_max> devices_;
  // Of every port that ever had a device: they take memory when a frame waits, and stay, so that no
  // worker ever touches one that is gone.
  std::array<std::unique_ptr<EgressQueue>, contract::port_count_max> queues_;
  std::array<Seen, contract::port_count_max> seen_{};  // Of devices_ that are open or missing_.
  std::uint64_t devices_opened_ = 0;
  std::uint32_t questions_out_ = 0;
  bool ask_ = false;
  LinkWatch links_;
  PortMask told_down_ = 0;  // By the kernel, later than by the device.
  std::vector<std::unique_ptr<const Assignment>> assignments_;  // In use, one per worker.
  std::vector<std::uint64_t> naps_;                             // Of the workers, when they got it.
  std::vector<Retired> retired_;

  // A device whose interface was removed, until no worker uses it.
  struct Parted {
    base::PortId port;
    std::unique_ptr<Device> device;
    std::uint64_t grace;
  };
  std::vector<Parted> parted_;
  PortMask missing_ = 0;         // Ports that shall have a device, and wait for its interface.
  PortMask reopen_ = 0;          // Of those, what is worth an attempt now.
  std::uint32_t reopening_ = 0;  // Jobs that are out.

  // Of the transaction under way.
  const Model* model_ = nullptr;
  Step step_ = Step::idle;
  Configs before_;  // In force, while none is under way too.
  Configs after_;
  LocalVteps vteps_before_;  // In force, while none is under way too.
  LocalVteps vteps_after_;
  PortMask open_ = 0;         // To be opened.
  PortMask adjust_ = 0;       // Stay open, with another MTU, role, twin or VTEPs.
  PortMask close_early_ = 0;  // Closed before opening: their device is wanted anew.
  PortMask close_late_ = 0;   // Closed after the flip.
  PortMask forget_ = 0;       // Missing ones that were removed or want another device.
  TwinStep twin_step_ = TwinStep::open;
  std::uint64_t grace_ = 0;
  std::uint32_t jobs_out_ = 0;
  base::Status failure_;
  base::PortId failed_port_ = base::no_port;  // Whose it is.

  PortThread thread_;  // Last: its jobs use devices.
};

}  // namespace dp
