// SPDX-License-Identifier: Apache-2.0
#include "controlplane/intent/document.hpp"

#include "controlplane/intent/validate.hpp"
#include "dataplane/base/check.hpp"

#include <algorithm>

namespace cp {
namespace {

constexpr std::size_t fields_max = 24;
static_assert(field_count<Port> <= fields_max && field_count<Vtep> <= fields_max &&
              field_count<Queue> <= fields_max);

// Left out on purpose: JSON's null; YAML's empty value, ~ and null.
bool is_none(const Scalar& scalar) noexcept {
  if (scalar.form == Form::null) return true;
  return scalar.form == Form::plain &&
         (scalar.text.empty() || scalar.text == "~" || scalar.text == "null");
}

std::uint32_t limit_of(const Limits& limits, ObjectKind kind) noexcept {
  switch (kind) {
    case ObjectKind::port: return limits.ports;
    case ObjectKind::vtep: return limits.vteps;
    case ObjectKind::network: return limits.networks;
    case ObjectKind::endpoint: return limits.endpoints;
    case ObjectKind::next_hop: return limits.next_hops;
    case ObjectKind::host_rule:  // As many as there are classes.
    case ObjectKind::queue: return UINT32_MAX;
  }
  __builtin_unreachable();
}

std::string_view item_of(FieldType list) noexcept {
  if (list == FieldType::name_list) return "a name";
  if (list == FieldType::number_list) return "a number";
  return list == FieldType::choice_list ? "a word" : "an address";
}

std::vector<std::string_view> field_names(ObjectKind kind) {
  std::vector<std::string_view> names;
  for (const FieldInfo& field : fields(kind)) names.push_back(field.name);
  return names;
}

}  // namespace

Document::Document(const ReadOptions& options) : options_(options), only_object_(false) {}

Document::Document(const ReadOptions& options, Object start, FieldMask given, FieldMask fixed)
    : options_(options),
      only_object_(true),
      kind_(kind_of(start)),
      start_(std::move(start)),
      start_given_(given),
      fixed_(fixed) {}

bool Document::begin_map(Place place) {
  if (skip_depth_ > 0 || skip_value_) return skip_container();
  if (level_ == Level::before && !only_object_) {
    level_ = Level::intent;
    return true;
  }
  const bool object_expected = level_ == Level::kind_list || level_ == Level::before;
  if (!object_expected) {
    unexpected(place, "fields in braces");
    return skip_container();
  }
  return begin_object(place);
}

bool Document::end_map() {
  if (skip_depth_ > 0) {
    --skip_depth_;
    return go_on();
  }
  if (level_ == Level::object) return end_object();
  level_ = Level::after;
  return go_on();
}

bool Document::begin_list(Place place) {
  if (skip_depth_ > 0 || skip_value_) return skip_container();
  if (level_ == Level::object && is_list_type(fields(kind_)[field_].type)) {
    level_ = Level::item_list;
    field_places_[field_] = place;
    visit_list([](auto& list) { list.clear(); });
    return true;
  }
  if (level_ == Level::intent) {
    level_ = Level::kind_list;
    return true;
  }
  unexpected(place, "a list");
  return skip_container();
}

bool Document::end_list() {
  if (skip_depth_ > 0) {
    --skip_depth_;
    return go_on();
  }
  if (level_ == Level::item_list) {
    level_ = Level::object;
  } else {
    level_ = Level::intent;
  }
  return go_on();
}

bool Document::key(std::string_view text, Place place) {
  if (skip_depth_ > 0) return true;
  return level_ == Level::intent ? key_of_intent(text, place) : key_of_object(text, place);
}

bool Document::scalar(const Scalar& scalar, Place place) {
  if (skip_depth_ > 0) return true;
  if (skip_value_) {
    skip_value_ = false;
    return true;
  }
  switch (level_) {
    case Level::object:
      return std::visit([&](auto& object) { return set(object, scalar, place); }, object_);
    case Level::item_list: return item_of_list(scalar, place);
    case Level::intent:
      if (is_none(scalar)) return true;  // "endpoints:" with nothing behind is an empty list.
      break;
    case Level::before:
    case Level::kind_list:
    case Level::after: break;
  }
  return unexpected(place, scalar.text.empty() ? "nothing" : shown(scalar.text));
}

void Document::refuse(Place place, std::string message, std::string suggestion, base::Errc code) {
  errors_.push_back({.code = code,
                     .message = std::move(message),
                     .object = {},
                     .field = {},
                     .file = options_.file,
                     .place = place,
                     .suggestion = std::move(suggestion)});
}

bool Document::begin_again() {
  if (only_object_ || level_ != Level::after) return false;
  level_ = Level::before;
  kinds_seen_ = 0;
  return true;
}

std::string Document::expected() const {
  switch (level_) {
    case Level::before:
      if (only_object_) return "the fields of " + with_article(kind_);
      return "a map with ports, next_hops, vteps, networks, endpoints, host_rules and queues";
    case Level::intent: return "a list of " + std::string(plural(kind_));
    case Level::kind_list: return "the fields of " + with_article(kind_);
    case Level::item_list: return std::string(item_of(fields(kind_)[field_].type));
    case Level::object: return range_text(fields(kind_)[field_]);
    case Level::after: return "nothing more";
  }
  __builtin_unreachable();
}

bool Document::unexpected(Place place, std::string_view found) {
  refuse(place, "must be " + expected() + ", not " + std::string(found), {},
         base::Errc::invalid_argument);
  if (level_ == Level::object || level_ == Level::item_list) {
    errors_.back().field = fields(kind_)[field_].name;
  }
  return go_on();
}

// Everything up to the end of the container that begins here goes by unread.
bool Document::skip_container() {
  ++skip_depth_;
  skip_value_ = false;
  return go_on();
}

bool Document::begin_object(Place place) {
  if (!only_object_ && count(intent_, kind_) >= limit_of(options_.limits, kind_)) {
    refuse(place,
           "more than " + std::to_string(limit_of(options_.limits, kind_)) + " " +
               std::string(plural(kind_)) + ": the data plane has no room" + room_hint(kind_),
           {}, base::Errc::table_full);
    full_ = true;
    return false;
  }
  level_ = Level::object;
  if (only_object_) {
    object_ = start_;
  } else if (kind_of(object_) == kind_) {
    std::visit([]<class T>(T& object) { object = T{}; }, object_);
  } else {
    object_ = make_object(kind_);
  }
  given_ = start_given_;
  seen_ = 0;
  object_place_ = place;
  field_places_ = {};
  errors_before_ = errors_.size();
  return true;
}

bool Document::end_object() {
  find_missing(object_place_);
  name_errors();
  if (only_object_) {
    level_ = Level::after;
    return go_on();
  }
  std::visit(
      [&]<class T>(T& object) {
        list_of<T>(intent_).push_back(std::move(object));
        ObjectPlace<T> places{.start = object_place_, .fields = {}};
        std::copy_n(field_places_.begin(), field_count<T>, places.fields.begin());
        std::get<std::vector<ObjectPlace<T>>>(places_).push_back(places);
      },
      object_);
  level_ = Level::kind_list;
  return go_on();
}

// The name may come last; the errors of an object wait for it.
void Document::name_errors() {
  if (errors_.size() == errors_before_) return;  // As good as always: no text is made.
  const auto* endpoint = std::get_if<Endpoint>(&object_);
  const std::string key = key_of(object_);
  const bool has_key =
      endpoint != nullptr ? !endpoint->network.empty() && !endpoint->mac.is_zero() : !key.empty();
  std::string title = title_of(kind_, has_key ? key : "");
  if (!has_key && !only_object_) title += " #" + std::to_string(count(intent_, kind_) + 1);
  for (std::size_t i = errors_before_; i < errors_.size(); ++i) errors_[i].object = title;
}

void Document::find_missing(Place place) {
  const auto list = fields(kind_);
  for (std::size_t i = 0; i < list.size() && go_on(); ++i) {
    if (!list[i].required || (given_ >> i & 1) != 0) continue;
    refuse(place, "is missing",
           "e.g. " + std::string(list[i].name) + ": " + std::string(list[i].example),
           base::Errc::invalid_argument);
    errors_.back().field = list[i].name;
  }
}

bool Document::key_of_intent(std::string_view text, Place place) {
  for (std::size_t i = 0; i < object_kind_count; ++i) {
    const auto kind = static_cast<ObjectKind>(i);
    if (text != plural(kind)) continue;
    kind_ = kind;
    if ((kinds_seen_ >> i & 1) != 0) {
      refuse(place, std::string(text) + " is given twice: join the two lists", {},
             base::Errc::invalid_argument);
      skip_value_ = true;
    }
    kinds_seen_ |= 1u << i;
    return go_on();
  }
  std::vector<std::string_view> names;
  for (std::size_t i = 0; i < object_kind_count; ++i) {
    names.push_back(plural(static_cast<ObjectKind>(i)));
  }
  refuse(place, "there is nothing called " + shown(text) + " in an intent", nearest(text, names),
         base::Errc::not_found);
  skip_value_ = true;
  return go_on();
}

bool Document::key_of_object(std::string_view text, Place place) {
  const auto list = fields(kind_);
  const auto found = std::find_if(list.begin(), list.end(),
                                  [&](const FieldInfo& field) { return field.name == text; });
  if (found == list.end()) {
    refuse(place, with_article(kind_) + " has no such field", nearest(text, field_names(kind_)),
           base::Errc::not_found);
    errors_.back().field = text.substr(0, 64);
    skip_value_ = true;
    return go_on();
  }
  field_ = static_cast<std::size_t>(found - list.begin());
  const FieldMask bit = FieldMask{1} << field_;
  if ((seen_ & bit) != 0) {
    refuse(place,
           "is given twice (before in line " + std::to_string(field_places_[field_].line) + ")", {},
           base::Errc::invalid_argument);
    errors_.back().field = text;
    skip_value_ = true;
    return go_on();
  }
  seen_ |= bit;
  given_ |= bit;
  field_places_[field_] = place;
  return true;
}

void Document::refuse_field(Place place, ValueFault fault) {
  refuse(place, std::move(fault.message), std::move(fault.suggestion),
         base::Errc::invalid_argument);
  errors_.back().field = fields(kind_)[field_].name;
}

template <class M>
std::expected<M, ValueFault> Document::parse(const Scalar& scalar, const FieldInfo& field) {
  if constexpr (std::same_as<M, Name>) {
    const bool is_text = scalar.form == Form::plain || scalar.form == Form::quoted;
    if (is_text) {
      const auto known = known_names_.find(scalar.text);
      if (known != known_names_.end()) return known->second;
    }
    auto name = parse_name(scalar, field);
    if (name) known_names_.emplace(scalar.text, *name);
    return name;
  } else {
    return parse_value<M>(scalar, field);
  }
}

template <class T>
bool Document::set(T& object, const Scalar& scalar, Place place) {
  const FieldInfo& field = fields(kind_)[field_];
  field_places_[field_] = place;
  std::optional<ValueFault> fault;
  for_each_field<T>([&]<std::size_t I, class M>(std::string_view, M T::* member, const FieldText&) {
    if (I != field_) return;
    if (is_none(scalar) && !field.required) {
      object.*member = M{};
      return;
    }
    if constexpr (is_list<M>) {
      fault = ValueFault{.message = "must be a list of " + std::string(items_of(field)) + ", not " +
                                    shown(scalar.text),
                         .suggestion = "[" + std::string(scalar.text.substr(0, 64)) + "]"};
    } else {
      auto value = parse<M>(scalar, field);
      if (!value) {
        fault = std::move(value.error());
      } else if ((fixed_ >> I & 1) != 0 && *value != std::get<T>(start_).*member) {
        fault = ValueFault{.message = "cannot be changed", .suggestion = key_of(start_)};
      } else {
        object.*member = std::move(*value);
      }
    }
  });
  if (fault) refuse_field(place, std::move(*fault));
  return go_on();
}

template <class F>
void Document::visit_list(F&& f) {
  std::visit(
      [&]<class T>(T& object) {
        for_each_field<T>(
            [&]<std::size_t I, class M>(std::string_view, M T::* member, const FieldText&) {
              if constexpr (is_list<M>) {
                if (I == field_) f(object.*member);
              }
            });
      },
      object_);
}

bool Document::item_of_list(const Scalar& scalar, Place place) {
  const FieldInfo& field = fields(kind_)[field_];
  std::optional<ValueFault> fault;
  visit_list([&]<class Item>(std::vector<Item>& list) {
    if (list.size() >= items_max(field)) {
      full_ = true;
      fault = ValueFault{.message = "has more than " + std::to_string(items_max(field)) + " " +
                                    std::string(items_of(field))};
      return;
    }
    auto item = parse<Item>(scalar, field);
    if (item) {
      list.push_back(std::move(*item));
    } else {
      fault = std::move(item.error());
    }
  });
  if (fault) refuse_field(place, std::move(*fault));
  return go_on();
}

void Document::add_places(std::vector<Finding> findings) {
  for (Finding& finding : findings) {
    visit_kind(finding.kind, [&]<class T>(std::type_identity<T>) {
      const auto& places = std::get<std::vector<ObjectPlace<T>>>(places_);
      if (finding.index >= places.size()) return;
      const std::size_t field = field_index<T>(finding.error.field);
      finding.error.place = places[finding.index].start;
      if (field < field_count<T> && places[finding.index].fields[field].line != 0) {
        finding.error.place = places[finding.index].fields[field];
      }
    });
    finding.error.file = options_.file;
    errors_.push_back(std::move(finding.error));
  }
}

Result<Intent> Document::take_intent() {
  if (level_ == Level::object || level_ == Level::item_list) name_errors();
  if (errors_.empty() && level_ != Level::after) {
    refuse({.line = 1, .column = 1}, "there is no document; {} wants nothing", "{}");
  }
  if (errors_.empty() && options_.whole) add_places(find_faults(intent_, options_.limits));
  if (!errors_.empty()) return std::unexpected(std::move(errors_));
  sort(intent_);
  return std::move(intent_);
}

Result<Object> Document::take_object() {
  if (level_ == Level::object || level_ == Level::item_list) name_errors();
  if (errors_.empty() && level_ != Level::after) {
    refuse({.line = 1, .column = 1}, "there is no document; fields in braces are expected");
  }
  if (!errors_.empty()) return std::unexpected(std::move(errors_));
  return std::move(object_);
}

}  // namespace cp
