// SPDX-License-Identifier: Apache-2.0
// RFC 6902 on the intent's JSON document. An object of the intent may be named by its key instead
// of its place: "/ports/wire0/mtu" as well as "/ports/1/mtu", so that a patch says what it means. A
// key of digits alone is taken for a place. Pure.
#pragma once

#include "controlplane/intent/error.hpp"

#include <boost/json/value.hpp>

#include <string_view>

namespace cp {

// `patch` is the text of a list of operations. The error names the operation, from 1, and its path.
Result<boost::json::value> apply_patch(boost::json::value document, std::string_view patch);

}  // namespace cp
