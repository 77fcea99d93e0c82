// SPDX-License-Identifier: Apache-2.0
#include "controlplane/store/alarm.hpp"

#include "dataplane/base/log.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace cp {
namespace {

constexpr ::off_t bytes_told_max = 4096;

// From a descriptor of the alarm's file; what is cut off is cut off at a line.
std::string last_lines(int fd) {
  struct stat status{};
  if (::fstat(fd, &status) != 0) return {};
  const ::off_t from = status.st_size > bytes_told_max ? status.st_size - bytes_told_max : 0;
  std::string text(static_cast<std::size_t>(status.st_size - from), '\0');
  const ::ssize_t got = ::pread(fd, text.data(), text.size(), from);
  text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  if (from != 0) text.erase(0, text.find('\n') + 1);
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

}  // namespace

std::string utc_text(std::int64_t seconds) {
  const std::time_t time = seconds;
  std::tm parts{};
  ::gmtime_r(&time, &parts);
  std::array<char, 40> text{};
  const std::size_t size = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return {text.data(), size};
}

std::string alarm_path(const std::string& path) {
  return path + ".alarm";
}

void raise_alarm(const std::string& path, std::string_view what) {
  LOG(error, "store_alarm", {"what", what});
  const std::string line = utc_text(std::time(nullptr)) + " " + std::string(what) + "\n";
  const int fd = ::open(alarm_path(path).c_str(),
                        O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
  const bool written =
      fd >= 0 && ::write(fd, line.data(), line.size()) == static_cast<::ssize_t>(line.size()) &&
      ::fsync(fd) == 0;
  if (!written) LOG(error, "store_alarm_not_kept", {"reason", std::strerror(errno)});
  if (fd >= 0) ::close(fd);
}

std::string read_alarm(const std::string& path) {
  const int fd = ::open(alarm_path(path).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return {};
  std::string text = last_lines(fd);
  ::close(fd);
  return text;
}

}  // namespace cp
