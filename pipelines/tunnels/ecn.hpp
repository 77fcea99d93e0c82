// SPDX-License-Identifier: Apache-2.0
// ECN across a tunnel: RFC 6040, normal mode, which RFC 9601 extends to VXLAN. Without it the
// congestion marks of the underlay never reach the sender, and DCQCN is blind.
#pragma once

#include "dataplane/contract/packet_kind.hpp"

#include <array>
#include <cstdint>

namespace dp {

// RFC 6040 §4.1, normal mode: the outer header starts with the inner codepoint, CE included.
constexpr contract::Ecn encapsulated_ecn(contract::Ecn inner) noexcept {
  return inner;
}

struct DecapsulatedEcn {
  contract::Ecn result;
  bool drop;
};

// RFC 6040 §4.2, figure 4. Rows: inner; columns: outer; order Not-ECT, ECT(1), ECT(0), CE.
inline constexpr std::array<std::array<DecapsulatedEcn, 4>, 4> decapsulation_table = [] {
  using enum contract::Ecn;
  return std::array<std::array<DecapsulatedEcn, 4>, 4>{{
      {{{not_ect, false}, {not_ect, false}, {not_ect, false}, {not_ect, true}}},
      {{{ect1, false}, {ect1, false}, {ect1, false}, {ce, false}}},
      {{{ect0, false}, {ect1, false}, {ect0, false}, {ce, false}}},
      {{{ce, false}, {ce, false}, {ce, false}, {ce, false}}},
  }};
}();

}  // namespace dp
