// SPDX-License-Identifier: Apache-2.0
#include "controlplane/plan/changes.hpp"

#include "controlplane/intent/fields.hpp"
#include "controlplane/intent/merge.hpp"
#include "controlplane/intent/write.hpp"

#include <limits>

namespace cp {
namespace {

constexpr std::string_view recreated_note =
    "the port is removed and added again: its traffic stops meanwhile";

// These are given to the device when it is made.
bool makes_device(ObjectKind kind, std::string_view field) noexcept {
  return kind == ObjectKind::port && (field == "device" || field == "rx_queues" ||
                                      field == "rx_descriptors" || field == "tx_descriptors");
}

Change describe(ChangeKind kind, const Object& before, const Object& after) {
  Change change{.kind = kind,
                .object = kind_of(after),
                .key = key_of(after),
                .fields = {},
                .note = {},
                .owner = owner_of(after)};
  if (kind == ChangeKind::change && owner_of(before) != change.owner) {
    change.owner_before = owner_of(before);
  }
  for (const FieldInfo& field : fields(change.object)) {
    if (field.key) continue;
    std::string old_text;
    if (kind == ChangeKind::change) old_text = field_text(before, field.name).value_or("");
    std::string new_text = field_text(after, field.name).value_or("");
    if (old_text == new_text) continue;
    if (kind == ChangeKind::change && makes_device(change.object, field.name)) {
      change.note = recreated_note;
    }
    change.fields.push_back(
        {.field = field.name, .before = std::move(old_text), .after = std::move(new_text)});
  }
  return change;
}

class Summary {
 public:
  explicit Summary(std::size_t first_max) noexcept : first_max_(first_max) {}

  template <class T>
  void compare(const ListOf<T>& before, const ListOf<T>& after) {
    const Merge<T> merge(before, after);
    merge.for_each_change([this](const T* old_object, const T* new_object) {
      count(old_object, new_object);
      if (found_.first.size() < first_max_) add(old_object, new_object);
    });
  }

  ChangeSummary take() { return std::move(found_); }

 private:
  template <class T>
  void count(const T* before, const T* after) noexcept {
    const Owner owner = after != nullptr ? after->owner : before->owner;
    if (before != nullptr) --found_.more_of[static_cast<std::size_t>(before->owner)];
    if (after != nullptr) ++found_.more_of[static_cast<std::size_t>(after->owner)];
    if (before != nullptr && owner == Owner::file) ++found_.of_file;
    ++(after == nullptr    ? found_.counts.removed
       : before == nullptr ? found_.counts.added
                           : found_.counts.changed);
  }

  template <class T>
  void add(const T* before, const T* after) {
    if (after == nullptr) {
      found_.first.push_back({.kind = ChangeKind::remove,
                              .object = kind_of_type<T>,
                              .key = key_of(*before),
                              .fields = {},
                              .note = {},
                              .owner = before->owner});
    } else if (before == nullptr) {
      found_.first.push_back(describe(ChangeKind::add, T{}, *after));
    } else {
      found_.first.push_back(describe(ChangeKind::change, *before, *after));
    }
  }

  std::size_t first_max_;
  ChangeSummary found_;
};

std::string_view sign_of(ChangeKind kind) noexcept {
  switch (kind) {
    case ChangeKind::add: return "+";
    case ChangeKind::change: return "~";
    case ChangeKind::remove: return "-";
  }
  __builtin_unreachable();
}

std::string_view word_of(ChangeKind kind) noexcept {
  switch (kind) {
    case ChangeKind::add: return "add";
    case ChangeKind::change: return "change";
    case ChangeKind::remove: return "remove";
  }
  __builtin_unreachable();
}

std::string or_nothing(const std::string& text) {
  return text.empty() ? "(nothing)" : text;
}

// " → vtep gw2": an endpoint is a key and a place.
std::string place_text(const Change& change) {
  std::string text;
  for (const FieldChange& field : change.fields) {
    if (!field.after.empty()) text += " → " + std::string(field.field) + " " + field.after;
  }
  return text;
}

// " (owner command)", " (owner command → file)"; nothing where all is as who asks thinks.
std::string owner_text(const Change& change, Owner source) {
  if (change.owner_before) {
    return " (owner " + std::string(name(*change.owner_before)) + " → " +
           std::string(name(change.owner)) + ")";
  }
  if (change.owner == source) return {};
  return " (owner " + std::string(name(change.owner)) + ")";
}

void append_json(std::string& out, const Change& change) {
  out += R"({"change":)" + json_string(word_of(change.kind)) + R"(,"kind":)" +
         json_string(singular(change.object)) + R"(,"key":)" + json_string(change.key) +
         R"(,"fields":{)";
  bool first = true;
  for (const FieldChange& field : change.fields) {
    if (!first) out += ',';
    first = false;
    out += json_string(field.field) + ":{";
    if (!field.before.empty()) out += R"("before":)" + json_string(field.before);
    if (!field.before.empty() && !field.after.empty()) out += ',';
    if (!field.after.empty()) out += R"("after":)" + json_string(field.after);
    out += '}';
  }
  out += '}';
  out += R"(,"owner":)" + json_string(name(change.owner));
  if (change.owner_before) out += R"(,"owner_before":)" + json_string(name(*change.owner_before));
  if (!change.note.empty()) out += R"(,"note":)" + json_string(change.note);
  out += '}';
}

}  // namespace

std::vector<Change> find_changes(const Intent& before, const Intent& after) {
  return summarise_changes(before, after, std::numeric_limits<std::size_t>::max()).first;
}

ChangeSummary summarise_changes(const Intent& before, const Intent& after, std::size_t first_max) {
  Summary summary(first_max);
  summary.compare<Port>(before.ports, after.ports);
  summary.compare<NextHop>(before.next_hops, after.next_hops);
  summary.compare<Vtep>(before.vteps, after.vteps);
  summary.compare<Network>(before.networks, after.networks);
  summary.compare<Endpoint>(before.endpoints, after.endpoints);
  summary.compare<HostRule>(before.host_rules, after.host_rules);
  summary.compare<Queue>(before.queues, after.queues);
  return summary.take();
}

std::string to_string(const Change& change, Owner source) {
  std::string text = std::string(sign_of(change.kind)) + " " + title_of(change.object, change.key);
  if (change.object == ObjectKind::endpoint) {
    return text + place_text(change) + owner_text(change, source);
  }
  const char* separator = ": ";
  for (const FieldChange& field : change.fields) {
    text += separator + std::string(field.field) + " ";
    if (change.kind == ChangeKind::change) text += or_nothing(field.before) + " → ";
    text += or_nothing(field.after);
    separator = ", ";
  }
  text += owner_text(change, source);
  if (!change.note.empty()) text += " (" + std::string(change.note) + ")";
  return text;
}

std::string to_text(const std::vector<Change>& changes) {
  std::string text;
  for (const Change& change : changes) text += to_string(change) + "\n";
  return text;
}

std::string to_json(const std::vector<Change>& changes) {
  std::string out = "[";
  for (std::size_t i = 0; i < changes.size(); ++i) {
    out += i == 0 ? "\n" : ",\n";
    append_json(out, changes[i]);
  }
  return out + (changes.empty() ? "]\n" : "\n]\n");
}

}  // namespace cp
