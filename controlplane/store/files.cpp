// SPDX-License-Identifier: Apache-2.0
#include "controlplane/store/files.hpp"

#include "controlplane/store/alarm.hpp"
#include "controlplane/store/history.hpp"
#include "controlplane/store/sound.hpp"
#include "dataplane/base/log.hpp"

#include <cerrno>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <optional>

namespace cp {
namespace {

// Exclusive: a second control plane finds the file busy instead of fighting over it, and SQLite
// needs no shared memory beside it. FULL: a commit is on the disk when it returns. The limit gives
// back the room that one large change took in the log.
constexpr const char* settings = R"(
  PRAGMA locking_mode = EXCLUSIVE;
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
  PRAGMA cell_size_check = ON;
  PRAGMA journal_size_limit = 67108864;
)";

// A file and what is to be thought of it.
struct Judged {
  std::optional<Database> database;    // Nothing where it cannot be opened.
  std::optional<Error> fault;          // What is wanted cannot be read from it.
  std::optional<Error> past_fault;     // What was once wanted cannot.
  std::uint64_t digest = 0;            // Of what is wanted.
  bool was_there = true;               // Before it was opened.
  std::optional<HistoryEntry> newest;  // In history; nothing where it is empty or unreadable.

  bool is_sound() const noexcept { return database && !fault; }
  std::uint64_t number() const noexcept { return newest ? newest->number : 0; }
};

bool holds_bytes(const std::string& path) {
  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  return !error && size > 0;
}

// Whether the file itself is what is wrong, and not that it cannot be reached now.
bool is_damage(const Error& error) noexcept {
  return error.code == base::Errc::malformed || error.code == base::Errc::version_skew;
}

// A file that cannot be reached now is an error.
Result<Judged> judge(const std::string& path) {
  Judged judged;
  const auto found = [&](const Errors& errors) -> Result<Judged> {
    if (!is_damage(errors.front())) return std::unexpected(errors);
    judged.fault = errors.front();
    return std::move(judged);
  };
  auto database = Database::open(path);
  if (!database) return found(database.error());
  judged.database = std::move(*database);
  if (auto set = judged.database->execute(settings); !set) return found(set.error());
  const auto digest = check_content(*judged.database);
  // Where it is damaged this is worth a try: it says what is lost.
  const auto newest = read_history(*judged.database, 1);
  if (newest && !newest->empty()) judged.newest = newest->front();
  if (!digest) return found(digest.error());
  if (!newest) return found(newest.error());
  judged.digest = *digest;
  if (auto past = check_past(*judged.database); !past) {
    if (!is_damage(past.error().front())) return std::unexpected(past.error());
    judged.past_fault = past.error().front();
  }
  return judged;
}

// Closed and renamed with its log, which belongs to no other file.
Status set_aside(std::optional<Database>& database, const std::string& path) {
  if (database) database->leave_log();
  database.reset();
  const std::string aside = path + ".damaged-" + utc_text(std::time(nullptr));
  for (const char* suffix : {"-wal", "-journal", ""}) {
    if (std::rename((path + suffix).c_str(), (aside + suffix).c_str()) == 0 || errno == ENOENT) {
      continue;
    }
    Error error;
    error.code = base::Errc::io;
    error.file = path;
    error.message = std::string("cannot be set aside: ") + std::strerror(errno);
    return fail(std::move(error));
  }
  return {};
}

// A new file at `path`, which holds what `from` does.
Result<Database> make_from(Database& from, const std::string& path) {
  auto database = Database::open(path);
  if (!database) return database;
  if (auto copied = database->copy_from(from); !copied) return std::unexpected(copied.error());
  if (auto set = database->execute(settings); !set) return std::unexpected(set.error());
  return database;
}

std::string title_of(const HistoryEntry& entry) {
  return "change " + std::to_string(entry.number) + " (" + entry.what + ", " +
         utc_text(entry.time_ms / 1000) + ")";
}

// "is damaged (…)": without what to do about it.
std::string what_is_wrong(const Error& error) {
  return error.message.substr(0, error.message.find("; "));
}

std::string file_name(const std::string& path) {
  return std::filesystem::path(path).filename();
}

// Why the copy is used, and what it does not know.
std::string why_copy_is_used(const std::string& path, const Judged& main, const Judged& copy) {
  std::string why = file_name(path);
  if (!main.was_there) {
    why += " was gone";
  } else if (main.fault) {
    why += " " + what_is_wrong(*main.fault);
  } else if (main.number() < copy.number()) {
    why +=
        " had forgotten what came after " + (main.newest ? title_of(*main.newest) : "it was made");
  } else {
    why += ": " + what_is_wrong(*main.past_fault);
  }
  why += "; what there was is set aside, and its copy is used, which ends with " +
         (copy.newest ? title_of(*copy.newest) : "nothing");
  if (main.number() > copy.number()) {
    why += ": LOST are the changes up to " + title_of(*main.newest);
  }
  return why;
}

// The copy leads where it knows more, or as much and all of it.
bool copy_leads(const Judged& main, const Judged& copy) noexcept {
  if (!copy.is_sound()) return false;
  const bool is_as_new = main.newest && main.number() == copy.number();
  // A newer release may have forgotten its copy; what is as new as that differs in one number.
  if (main.fault && main.fault->code == base::Errc::version_skew) return is_as_new;
  if (!main.is_sound() || main.number() < copy.number()) return true;
  return main.number() == copy.number() && main.past_fault && !copy.past_fault;
}

// The main file anew from its copy, which is used as before from then on.
Result<Database> restore(const std::string& path, Judged& main, Judged& copy) {
  raise_alarm(path, why_copy_is_used(path, main, copy));
  if (auto gone = set_aside(main.database, path); !gone) return std::unexpected(gone.error());
  auto database = make_from(*copy.database, path);
  if (database) database->keep_copy(std::move(*copy.database));
  return database;
}

// Whatever is wrong with the copy, the main file is sound.
void keep_or_renew(const std::string& path, Judged& main, Judged& copy, bool had_copy) {
  Database& database = *main.database;
  const bool is_whole = copy.is_sound() && !(copy.past_fault && !main.past_fault);
  if (is_whole && copy.number() == main.number() && copy.digest == main.digest) {
    return database.keep_copy(std::move(*copy.database));
  }
  if (had_copy && is_whole) {
    // A kill between the two commits of a change, or a disk that was full.
    LOG(warning, "store_copy_behind", {"change", copy.number()}, {"of", main.number()});
  } else if (had_copy) {
    const Error& why = copy.fault ? *copy.fault : *copy.past_fault;
    raise_alarm(path, file_name(copy_path(path)) + " " + what_is_wrong(why) +
                          "; it was set aside and made anew, nothing is lost");
    (void)set_aside(copy.database, copy_path(path));  // Where it stays it is written over.
  }
  copy.database.reset();
  (void)renew_copy(database);  // Which says what went wrong.
}

// Nothing is in force that cannot be read.
Errors neither(const Judged& main, const Judged& copy, bool had_copy) {
  Error error = *main.fault;
  if (had_copy) error.message += "; so is its copy: " + copy.fault->message;
  return {std::move(error)};
}

}  // namespace

std::string copy_path(const std::string& path) {
  return path + ".copy";
}

Result<Database> open_files(const std::string& path) {
  const bool had_main = holds_bytes(path);
  const bool had_copy = path != ":memory:" && holds_bytes(copy_path(path));
  auto main = judge(path);
  if (!main) return std::unexpected(main.error());
  main->was_there = had_main;
  if (path == ":memory:") return std::move(*main->database);
  Judged copy;
  if (had_copy) {
    auto judged = judge(copy_path(path));
    if (judged) {
      copy = std::move(*judged);
    } else if (judged.error().front().code == base::Errc::out_of_memory) {
      return std::unexpected(judged.error());  // Which says nothing of the copy.
    } else {
      copy.fault = judged.error().front();
    }
  }
  if (copy_leads(*main, copy)) return restore(path, *main, copy);
  if (!main->is_sound()) return std::unexpected(neither(*main, copy, had_copy));
  if (main->past_fault) {
    LOG(error, "store_history_damaged", {"reason", to_string(*main->past_fault)});
  }
  keep_or_renew(path, *main, copy, had_copy);
  return std::move(*main->database);
}

Status renew_copy(Database& database) {
  const std::string path = copy_path(database.path());
  for (const char* suffix : {"-wal", "-journal", ""}) {
    std::error_code ignored;  // Met again when it is opened.
    std::filesystem::remove(path + suffix, ignored);
  }
  auto copy = make_from(database, path);
  if (copy) {
    database.keep_copy(std::move(*copy));
    return {};
  }
  LOG(error, "store_copy_failed", {"reason", to_string(copy.error().front())});
  return std::unexpected(copy.error());
}

}  // namespace cp
