// SPDX-License-Identifier: Apache-2.0
#include "controlplane/api/http.hpp"

#include <charconv>
#include <string_view>

namespace cp {
namespace {

// Whatever a target can name is ASCII. The rest may be no UTF-8, and answers quote the target.
char printable(char byte) {
  return byte >= ' ' && byte <= '~' ? byte : '?';
}

}  // namespace

std::string title_of(const Peer& peer) {
  if (peer.uid) return "uid " + std::to_string(*peer.uid);
  return peer.certificate.empty() ? "whoever asks over TCP" : "certificate:" + peer.certificate;
}

std::string decode_percent(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned value = 0;
    if (text[i] == '%' && i + 2 < text.size()) {
      const char* end = text.data() + i + 3;
      if (std::from_chars(text.data() + i + 1, end, value, 16).ptr == end) {
        result.push_back(printable(static_cast<char>(value)));
        i += 2;
        continue;
      }
    }
    result.push_back(printable(text[i]));
  }
  return result;
}

void set_target(HttpRequest& request, std::string_view target) {
  const std::size_t question = target.find('?');
  request.path = decode_percent(target.substr(0, question));
  if (question == std::string_view::npos) return;

  std::string_view rest = target.substr(question + 1);
  while (!rest.empty()) {
    const std::string_view pair = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(rest.size(), pair.size() + 1));
    const std::size_t equals = pair.find('=');
    const std::string_view value =
        equals == std::string_view::npos ? std::string_view("true") : pair.substr(equals + 1);
    request.query.insert_or_assign(decode_percent(pair.substr(0, equals)), decode_percent(value));
  }
}

}  // namespace cp
