// SPDX-License-Identifier: Apache-2.0
// One frame that has left its batch, and frees itself.
#pragma once

#include <rte_mbuf.h>

#include <memory>

namespace dp {

struct MbufDeleter {
  void operator()(rte_mbuf* mbuf) const noexcept { rte_pktmbuf_free(mbuf); }
};
using OwnedMbuf = std::unique_ptr<rte_mbuf, MbufDeleter>;

}  // namespace dp
