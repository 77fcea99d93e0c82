// SPDX-License-Identifier: Apache-2.0
#include "controlplane/intent/host_class.hpp"
#include "controlplane/intent/judge.hpp"

namespace cp {

void Judge::judge(const HostRule& rule) {
  judge_fields(rule);
  if (!rule.name.empty() && !host_class_of(rule)) {
    std::vector<std::string_view> names;
    for (const contract::HostClassText& text : contract::host_classes) names.push_back(text.name);
    report(rule, "name", "there is no class " + quoted(rule.name) + " of traffic for the host",
           nearest(rule.name.view(), names), base::Errc::not_found);
  }
  if (rule.action != HostAction::drop) return;
  if (rule.rate) report(rule, "rate", "says nothing where the action is drop");
  if (rule.burst) report(rule, "burst", "says nothing where the action is drop");
}

}  // namespace cp
