// SPDX-License-Identifier: Apache-2.0
#include "dataplane/table/hash.hpp"

#include "dataplane/base/check.hpp"

#include <sys/random.h>

namespace dp {

HashSeed random_seed() noexcept {
  HashSeed seed;
  // Up to 256 bytes come whole or not at all (getrandom(2)); not at all only on broken kernels.
  CHECK(::getrandom(&seed, sizeof(seed), 0) == sizeof(seed));
  return seed;
}

}  // namespace dp
