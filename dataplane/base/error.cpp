// SPDX-License-Identifier: Apache-2.0
#include "dataplane/base/error.hpp"

namespace base {

const char* name(Errc code) noexcept {
  switch (code) {
    case Errc::ok: return "ok";
    case Errc::invalid_argument: return "invalid_argument";
    case Errc::not_found: return "not_found";
    case Errc::already_exists: return "already_exists";
    case Errc::in_use: return "in_use";
    case Errc::table_full: return "table_full";
    case Errc::out_of_memory: return "out_of_memory";
    case Errc::busy: return "busy";
    case Errc::wrong_state: return "wrong_state";
    case Errc::unsupported: return "unsupported";
    case Errc::malformed: return "malformed";
    case Errc::version_skew: return "version_skew";
    case Errc::device_failed: return "device_failed";
    case Errc::io: return "io";
    case Errc::timed_out: return "timed_out";
    case Errc::closed: return "closed";
  }
  return "unknown_error";
}

}  // namespace base
