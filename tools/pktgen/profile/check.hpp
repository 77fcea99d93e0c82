// SPDX-License-Identifier: Apache-2.0
// What no field alone can know: whether a profile makes sense as a whole.
#pragma once

#include "tools/pktgen/profile/model.hpp"

#include <string>
#include <vector>

namespace pktgen {

struct Fault {
  std::string path;  // "rate.burst", "mix[2].bytes": where it is said, and told.
  std::string message;
  std::string suggestion = {};
};

std::vector<Fault> find_faults(const Profile& profile);

}  // namespace pktgen
