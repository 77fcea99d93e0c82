// SPDX-License-Identifier: Apache-2.0
// What validate() is made of: one walk over an intent, a judge_….cpp per kind of object. Only those
// include this.
#pragma once

#include "controlplane/intent/describe.hpp"
#include "controlplane/intent/validate.hpp"
#include "controlplane/intent/value.hpp"

#include <algorithm>
#include <unordered_map>
#include <utility>

namespace cp {

// Names in messages.
inline std::string quoted(const Name& name) {
  return shown(name.view());
}

// "a tenant port", "an underlay port".
inline std::string a_port(PortRole role) {
  return (role == PortRole::underlay ? "an " : "a ") + text_of(role).text + " port";
}

constexpr bool has_unit(FieldType type) noexcept {
  return type == FieldType::rate || type == FieldType::bytes || type == FieldType::share;
}

class Judge {
 public:
  // All are borrowed and outlive this. `known` has been judged before; nullptr: none has.
  Judge(const Intent& intent, const Limits& limits, const Intent* known)
      : intent_(intent), limits_(limits), known_(known) {}

  std::vector<Finding> run();

 private:
  template <class T>
  using ByName = std::unordered_map<std::string_view, const T*>;

  bool full() const noexcept { return findings_.size() >= error_count_max; }

  void count_all();
  void count_own_next_hops();
  template <class T>
  void count_list(const ListOf<T>& list, std::uint32_t limit);
  template <class T>
  void index_names(const std::vector<T>& list, ByName<T>& by_name);
  template <class T>
  void judge_list(const ListOf<T>& list);

  // judge_port.cpp
  void judge(const Port& port);
  void judge_descriptors(const Port& port, std::string_view field,
                         std::optional<std::uint16_t> descriptors);
  void judge_network_of(const Port& port);
  void judge_peer_of(const Port& port);
  void judge_peering(const Port& port, const Port& peer);
  void judge_twin_device(const Port& port);
  void judge_twins();
  void judge_devices();
  void judge_addresses_of(const Port& port);
  void judge_neighbours_of(const Port& port);
  void judge_own_addresses();

  // judge_next_hop.cpp
  void judge(const NextHop& next_hop);
  void judge_address_of(const NextHop& next_hop);
  void judge_on_link(const NextHop& next_hop, const Port& port);

  // judge_vlan.cpp
  void judge_vlan_of(const Port& port);
  void judge_parent_of(const Port& port);
  void judge_vlans();
  bool has_vlans(const Port& port) const;

  // judge_vtep.cpp
  void judge(const Vtep& vtep);
  void judge_address(const Vtep& vtep);
  void judge_local(const Vtep& vtep);
  void judge_remote(const Vtep& vtep);
  void judge_short_form(const Vtep& vtep);
  void judge_own_next_hop(const Vtep& vtep);
  void judge_next_hops_of(const Vtep& vtep);
  void judge_mtu(const Vtep& vtep, std::string_view field, const Port& port);
  // Where its packets leave, as far as that is known.
  std::vector<Name> ports_of(const Vtep& remote) const;
  void judge_source(const Vtep& vtep);
  void judge_default_source(const Vtep& vtep);
  void judge_addresses();
  void judge_port_of(const Vtep& vtep);

  // judge_network.cpp
  void judge(const Network& network);
  void judge_vnis();

  // judge_endpoint.cpp
  void judge_endpoints();
  void judge_changed_endpoints();
  void judge(const Endpoint& endpoint);
  void judge_place_of(const Endpoint& endpoint);
  void judge_port_of(const Endpoint& endpoint);
  void judge_key(const Endpoint& endpoint, const Endpoint* before);
  void judge_unsorted_keys();

  // judge_host_rule.cpp
  void judge(const HostRule& rule);

  // judge_queue.cpp
  void judge(const Queue& queue);
  void judge_port_of(const Queue& queue);
  void judge_marker(const Queue& queue);
  void judge_rate_of(const Port& port);
  template <class T>
  void judge_burst(const T& object, const Port* port);
  template <class Item, class F>
  void judge_items(const Queue& queue, std::string_view field, const std::vector<Item>& items,
                   F&& name_of, std::unordered_map<std::string, const Queue*>& owners);
  void judge_queue_keys();
  void judge_sharing();

  // `object` is an element of its list in the intent.
  template <class T>
  void report(const T& object, std::string_view field, std::string message,
              std::string suggestion = {}, base::Errc code = base::Errc::invalid_argument) {
    if (full()) return;
    const std::size_t index = position_in(list_of<T>(intent_), object);
    findings_.push_back({.kind = kind_of_type<T>,
                         .index = index,
                         .error = {.code = code,
                                   .message = std::move(message),
                                   .object = title_of(kind_of_type<T>, key_of(object)),
                                   .field = std::string(field),
                                   .file = {},
                                   .place = {},
                                   .suggestion = std::move(suggestion)}});
  }

  template <class T>
  static std::size_t position_in(const std::vector<T>& list, const T& object) {
    return static_cast<std::size_t>(&object - list.data());
  }
  template <class T>
  static std::size_t position_in(const SharedList<T>& list, const T& object) {
    return list.position_of(object);
  }

  // What the description alone can tell: required fields and ranges of numbers.
  template <class T>
  void judge_fields(const T& object) {
    for_each_field<T>(
        [&]<std::size_t I, class M>(std::string_view name, M T::* member, const FieldText& text) {
          if (text.required && is_absent(object.*member)) report(object, name, "is missing");
          if constexpr (field_type<M>() == FieldType::number) {
            if (is_absent(object.*member)) return;
            const std::string number = number_text(object.*member);
            const auto parsed = parse_number({.text = number, .form = Form::number},
                                             *find_field(kind_of_type<T>, name));
            if (!parsed) report(object, name, parsed.error().message, parsed.error().suggestion);
          } else if constexpr (has_unit(field_type<M>())) {
            if (is_absent(object.*member)) return;
            const std::string measure = text_of(*(object.*member)).text;
            const auto parsed = parse_value<M>({.text = measure, .form = Form::plain},
                                               *find_field(kind_of_type<T>, name));
            if (!parsed) report(object, name, parsed.error().message, parsed.error().suggestion);
          }
        });
  }

  template <class M>
  static std::string number_text(const M& number) {
    if constexpr (is_optional<M>) {
      return std::to_string(*number);
    } else {
      return std::to_string(number);
    }
  }

  // The named object; where there is none, reports the nearest name that would be accepted.
  template <class T, class U, class Fits>
  const U* resolve(const T& object, std::string_view field, const Name& name,
                   const ByName<U>& by_name, Fits fits) {
    const auto found = by_name.find(name.view());
    if (found != by_name.end()) return found->second;
    std::vector<std::string_view> candidates;
    for (const U& candidate : list_of<U>(intent_)) {
      if (fits(candidate)) candidates.push_back(candidate.name.view());
    }
    std::string near = nearest(name.view(), candidates);
    if (near.empty() && candidates.size() == 1) near = candidates.front();
    report(object, field, "there is no " + std::string(noun(kind_of_type<U>)) + " " + quoted(name),
           std::move(near), base::Errc::not_found);
    return nullptr;
  }

  // The name of the only object that fits, as a suggestion.
  template <class T, class Fits>
  static std::string only_name(const std::vector<T>& list, Fits fits) {
    if (std::count_if(list.begin(), list.end(), fits) != 1) return {};
    return std::string(std::find_if(list.begin(), list.end(), fits)->name.view());
  }

  const Intent& intent_;
  const Limits& limits_;
  const Intent* known_;
  ByName<Port> ports_;
  ByName<Vtep> vteps_;
  ByName<Network> networks_;
  ByName<NextHop> next_hops_;
  ByName<HostRule> host_rules_;
  Name known_network_;  // Of the last endpoint: neighbours share it.
  std::vector<Finding> findings_;
};

}  // namespace cp
