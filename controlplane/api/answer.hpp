// SPDX-License-Identifier: Apache-2.0
// The bodies of answers: JSON documents, and errors in their one shape.
#pragma once

#include "controlplane/api/http.hpp"
#include "controlplane/intent/error.hpp"

#include <boost/json/value.hpp>

#include <chrono>
#include <string>
#include <string_view>

namespace cp {

HttpResponse json_answer(unsigned status, const boost::json::value& document);
// `document` is JSON already.
HttpResponse text_answer(unsigned status, std::string document,
                         std::string_view content_type = "application/json");

// {"error": {"code", "message", "object", "field", "line", "column", "suggestion"}, "errors": […]}:
// the first one, and all of them.
HttpResponse error_answer(const Errors& errors);
HttpResponse error_answer(const Error& error);
// `code` is for programs: "malformed", "not_found", "too_large".
HttpResponse error_answer(unsigned status, std::string_view code, std::string_view message);

// "2026-11-20T14:03:05.123Z".
std::string time_text(std::chrono::system_clock::time_point time);

}  // namespace cp
