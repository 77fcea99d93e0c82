// SPDX-License-Identifier: Apache-2.0
// The store's two files: the one at `path` and its copy beside it. What is written goes into both
// (sqlite.hpp), each is judged when it is opened, and the newest whole one is used: SQLite itself
// takes a log with a damaged end for a shorter one, and forgets what was acknowledged.
#pragma once

#include "controlplane/intent/error.hpp"
#include "controlplane/store/sqlite.hpp"

#include <string>

namespace cp {

std::string copy_path(const std::string& path);

// Both files, sound and equal, for writing. What is damaged, or behind, is set aside under its name
// with the date and made anew from the other, and an alarm raised. Refused where neither is sound.
// ":memory:" has no copy.
Result<Database> open_files(const std::string& path);

// A copy in place of one that was given up; an alarm where that fails.
Status renew_copy(Database& database);

}  // namespace cp
