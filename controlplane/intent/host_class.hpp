// SPDX-License-Identifier: Apache-2.0
// Which of the contract's classes a host rule is about.
#pragma once

#include "controlplane/intent/model.hpp"
#include "dataplane/contract/host_class.hpp"

namespace cp {

// nullptr where there is no such class.
inline const contract::HostClassText* host_class_of(const HostRule& rule) noexcept {
  for (const contract::HostClassText& text : contract::host_classes) {
    if (text.name == rule.name.view()) return &text;
  }
  return nullptr;
}

}  // namespace cp
