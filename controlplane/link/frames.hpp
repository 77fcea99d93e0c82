// SPDX-License-Identifier: Apache-2.0
// Plan → frames, and replies → errors: the pure half of the link.
#pragma once

#include "controlplane/intent/error.hpp"
#include "controlplane/plan/plan.hpp"
#include "dataplane/contract/command.hpp"
#include "dataplane/contract/event.hpp"
#include "dataplane/contract/frame.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace cp {

using Frame = std::vector<std::byte>;

struct TransactionFrame {
  Frame bytes;
  std::size_t first_record;  // Position in the plan of its first record.
};

// begin, the plan's records in their order with as many to a frame as fit, commit.
// `replace` as in contract::Begin.
std::vector<TransactionFrame> make_frames(const Plan& plan, std::uint32_t replace,
                                          std::uint32_t transaction, std::uint32_t& sequence);

// "endpoint blue/02:…": what record `record` of the plan is about.
std::string record_title(const Plan& plan, std::size_t record, const Allocation& names);

template <contract::Record T>
Frame make_command(contract::Verb verb, std::uint32_t transaction, std::uint32_t sequence,
                   const T& record) {
  return contract::make_frame<T>(static_cast<std::uint16_t>(verb), transaction, sequence,
                                 {&record, 1});
}

// What a reply says.
struct Answer {
  std::optional<Error> error;
  std::optional<std::size_t> refused_record;  // In its frame.
  std::optional<base::PortId> refused_port;   // Whose device refused a commit.
};
Answer read_answer(const contract::FrameView& frame);

// In our words, with errno's where there is one.
Error to_error(const base::Error& error);

// Sentences for the operator: which side is too old, and what to do.
Error version_skew(const contract::HelloReply& reply);
Error region_skew(const contract::HelloReply& reply);  // Its counters cannot be read.

}  // namespace cp
