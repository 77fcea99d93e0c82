// SPDX-License-Identifier: Apache-2.0
#include "dataplane/housekeeper/adoption.hpp"

#include "dataplane/base/clock.hpp"
#include "dataplane/base/log.hpp"

#include <cstring>

namespace dp {

using base::Errc;
using base::fail;

namespace {

base::Result<TableFileHeader::Facts> adopt(TableFile& file, ExactMatch& endpoints, Model& model) {
  const auto facts = file.find(endpoints.capacity());
  if (!facts) return std::unexpected(facts.error());
  const base::Status adopted =
      endpoints.adopt(facts->seed, [&](std::span<std::byte> memory) { return file.read(memory); });
  if (!adopted) return std::unexpected(adopted.error());
  // By all that it holds, not by what it says of itself.
  const bool is_known = model.count_endpoints();
  if (is_known && endpoints.size() == facts->entries &&
      model.digests().endpoints == facts->digest) {
    return *facts;
  }
  endpoints.clear();
  model.forget_endpoints();
  return fail(Errc::malformed, is_known ? "holds other entries than its digest says"
                                        : "holds entries that this data plane has no room for");
}

}  // namespace

std::uint32_t adopt_endpoints(TableFile& file, Tables& tables, Model& model) {
  const std::uint64_t began_ns = base::monotonic_ns();
  const auto adopted = adopt(file, tables.endpoints, model);
  if (adopted) {
    LOG(info, "endpoints_adopted", {"endpoints", adopted->entries},
        {"generation_then", adopted->generation}, {"us", (base::monotonic_ns() - began_ns) / 1000});
  } else {
    if (adopted.error().code != Errc::not_found) {
      const base::Error& error = adopted.error();
      LOG(warning, "endpoints_not_adopted", {"reason", "the table file " + std::string(error.text)},
          {"system", error.error_number != 0 ? std::strerror(error.error_number) : ""},
          {"effect", "the control plane sends them all"});
    }
    file.begin_anew(tables.endpoints);
  }
  if (auto noted = tables.endpoints.note_changes(); !noted) {
    LOG(warning, "table_file_lost", {"reason", noted.error().text});
    file.give_up(noted.error().error_number);
  }
  return tables.endpoints.size();
}

}  // namespace dp
