// SPDX-License-Identifier: Apache-2.0
// A profile's text → values. All that is wrong is told at once, with file, line and field.
#pragma once

#include "controlplane/intent/error.hpp"
#include "tools/pktgen/profile/model.hpp"

#include <span>
#include <string>
#include <string_view>

namespace pktgen {

cp::Result<Profile> read_profile(std::string_view text, const std::string& file);

// A path, or the name of a profile that the program brings along.
cp::Result<Profile> load_profile(const std::string& name_or_path);

struct ShippedProfile {
  std::string_view name;
  std::string_view text;
};
// Those of profiles/, compiled in.
std::span<const ShippedProfile> shipped_profiles() noexcept;

}  // namespace pktgen
