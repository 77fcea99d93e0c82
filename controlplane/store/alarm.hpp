// SPDX-License-Identifier: Apache-2.0
// What has happened to the store's files, told until somebody has looked: a file beside them, which
// outlives the process, and which the operator removes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace cp {

// "2026-11-30T17:45:02Z".
std::string utc_text(std::int64_t seconds);

// The file that keeps the alarms of the store at `path`.
std::string alarm_path(const std::string& path);

// Logs it as an error and adds a line. Where it cannot be written, it is logged alone.
void raise_alarm(const std::string& path, std::string_view what);

// The last lines, 4 KiB at most; empty: there is none.
std::string read_alarm(const std::string& path);

}  // namespace cp
