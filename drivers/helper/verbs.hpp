// SPDX-License-Identifier: Apache-2.0
// The verbs, in the privileged process. Each starts from nothing and keeps nothing: what it made
// leaves as descriptors.
#pragma once

#include "dataplane/base/descriptor.hpp"
#include "dataplane/base/error.hpp"
#include "drivers/helper/message.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace dp {

struct HelperAnswer {
  std::vector<base::Descriptor> descriptors = {};
  std::uint32_t flags = 0;
  std::uint64_t dropped = 0;
};

// `bpffs`: where pins lie.
base::Result<HelperAnswer> open_xdp_program(const XdpProgramRequest& request,
                                            const std::string& bpffs);
base::Result<HelperAnswer> open_xdp_socket(const XdpSocketRequest& request, int memory);
base::Result<HelperAnswer> pin_xdp(const XdpPinRequest& request,
                                   std::span<const base::Descriptor> link_and_counts,
                                   const std::string& bpffs);
base::Result<HelperAnswer> make_tap(const TapRequest& request);
base::Result<HelperAnswer> tend_tap(const TapRequest& request, int tap);

}  // namespace dp
