// SPDX-License-Identifier: Apache-2.0
// What is answered to who changed something, or asked what a change would do.
#pragma once

#include "controlplane/api/configuration.hpp"
#include "controlplane/api/http.hpp"

#include <boost/json/object.hpp>

namespace cp {

HttpResponse answer_of(const Result<ChangeReport>& report);

// {"number", "until", "seconds_left"}.
boost::json::object to_json(const Unconfirmed& unconfirmed);

}  // namespace cp
