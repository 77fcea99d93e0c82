// SPDX-License-Identifier: Apache-2.0
// weir port|next-hop|vtep|network|endpoint show.
#include "controlplane/cli/answer.hpp"
#include "controlplane/cli/run.hpp"
#include "controlplane/cli/table.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

namespace cp {

namespace json = boost::json;

namespace {

// A scalar or a list as a file would say it.
std::string word(const json::value* value) {
  if (value == nullptr || value->is_null()) return "-";
  if (value->is_string()) return std::string(value->get_string());
  if (value->is_array()) {
    std::string text;
    for (const json::value& element : value->get_array()) {
      if (!text.empty()) text += ",";
      text += word(&element);
    }
    return text.empty() ? "-" : text;
  }
  return json::serialize(*value);
}

std::string count(const json::value& object, std::string_view path) {
  if (find_at(object, "state") == nullptr) return "-";
  return with_commas(number_at(object, path));
}

std::string link_word(const json::value& port) {
  if (number_at(port, "state.present") == 0) return "absent";
  if (number_at(port, "state.interface_gone") != 0) return "gone";
  if (number_at(port, "state.link_up") == 0) return "down";
  const std::uint64_t speed_mbps = number_at(port, "state.link_speed_mbps");
  return speed_mbps == 0 ? "up"
                         : "up " + with_unit(static_cast<double>(speed_mbps) * 1e6) + "bit/s";
}

std::uint64_t sum_of(const json::value* object) {
  std::uint64_t sum = 0;
  if (object == nullptr || !object->is_object()) return 0;
  for (const auto& [key, value] : object->get_object()) sum += count_of(value).value_or(0);
  return sum;
}

// The device; of a VLAN the parent and the tags that its frames have there.
std::string device_text(const json::value& port) {
  const json::value* parent = find_at(port, "parent");
  std::string text = word(parent != nullptr ? parent : find_at(port, "device"));
  const json::value* vlan = find_at(port, "vlan");
  if (vlan == nullptr) return text;
  text += " vlan " + word(vlan);
  const json::value* inner = find_at(port, "inner_vlan");
  return inner == nullptr ? text : text + "." + word(inner);
}

Table port_table(const json::array& list) {
  Table table({"NAME", "ROLE", "NETWORK", "LINK", "MTU>", "RX PACKETS>", "RX BYTES>", "TX PACKETS>",
               "TX BYTES>", "LOST>", "QUEUES>", "RATE>", "OWNER", "DRIVER", "DEVICE"});
  for (const json::value& port : list) {
    const json::value* network = find_at(port, "network");
    if (network == nullptr) network = find_at(port, "peer");
    table.add(
        {word(find_at(port, "name")), word(find_at(port, "role")), word(network), link_word(port),
         count(port, "state.mtu"), count(port, "state.rx_packets"), count(port, "state.rx_bytes"),
         count(port, "state.tx_packets"), count(port, "state.tx_bytes"),
         with_commas(sum_of(find_at(port, "state.device_drops"))), count(port, "state.rx_queues"),
         word(find_at(port, "rate")), word(find_at(port, "owner")),
         word(find_at(port, "state.driver")), device_text(port)});
  }
  return table;
}

Table vtep_table(const json::array& list) {
  Table table({"NAME", "KIND", "ADDRESS", "PORT", "SOURCE", "NEXT HOP", "DSCP", "TTL>",
               "ENCAP PACKETS>", "DECAP PACKETS>", "OWNER"});
  for (const json::value& vtep : list) {
    const json::value* next_hop = find_at(vtep, "next_hops");
    if (next_hop == nullptr) next_hop = find_at(vtep, "next_hop_mac");
    table.add({word(find_at(vtep, "name")), word(find_at(vtep, "kind")),
               word(find_at(vtep, "address")), word(find_at(vtep, "port")),
               word(find_at(vtep, "source")), word(next_hop), word(find_at(vtep, "dscp")),
               word(find_at(vtep, "ttl")), count(vtep, "state.encap_packets"),
               count(vtep, "state.decap_packets"), word(find_at(vtep, "owner"))});
  }
  return table;
}

std::string next_hop_word(const json::value& next_hop) {
  if (find_at(next_hop, "state") == nullptr) return "-";
  if (number_at(next_hop, "state.present") == 0) return "absent";
  if (number_at(next_hop, "state.usable") != 0) return "usable";
  return number_at(next_hop, "state.link_up") == 0 ? "link down" : "unresolved";
}

Table next_hop_table(const json::array& list) {
  Table table({"NAME", "PORT", "ADDRESS", "MAC", "STATE", "CHANGES>", "OWNER"});
  for (const json::value& next_hop : list) {
    const std::string resolved = word(find_at(next_hop, "state.mac"));
    const bool known = !resolved.empty() && resolved != "-";
    table.add({word(find_at(next_hop, "name")), word(find_at(next_hop, "port")),
               word(find_at(next_hop, "address")),
               known ? resolved : word(find_at(next_hop, "mac")), next_hop_word(next_hop),
               count(next_hop, "state.changes"), word(find_at(next_hop, "owner"))});
  }
  return table;
}

Table network_table(const json::array& list) {
  Table table({"NAME", "VNI>", "FLOOD", "UNKNOWN UNICAST", "ENCAP PACKETS>", "DECAP PACKETS>",
               "LOCAL PACKETS>", "FLOODED>", "OWNER"});
  for (const json::value& network : list) {
    table.add({word(find_at(network, "name")), word(find_at(network, "vni")),
               word(find_at(network, "flood")), word(find_at(network, "unknown_unicast")),
               count(network, "state.encap_packets"), count(network, "state.decap_packets"),
               count(network, "state.local_packets"), count(network, "state.flooded_packets"),
               word(find_at(network, "owner"))});
  }
  return table;
}

Table endpoint_table(const json::array& list) {
  Table table({"NETWORK", "MAC", "WHERE", "OWNER"});
  for (const json::value& endpoint : list) {
    const json::value* vtep = find_at(endpoint, "vtep");
    table.add({word(find_at(endpoint, "network")), word(find_at(endpoint, "mac")),
               vtep != nullptr ? "vtep " + word(vtep) : "port " + word(find_at(endpoint, "port")),
               word(find_at(endpoint, "owner"))});
  }
  return table;
}

Table host_rule_table(const json::array& list) {
  Table table({"CLASS", "ACTION", "RATE>", "BURST>", "OWNER"});
  for (const json::value& rule : list) {
    table.add({word(find_at(rule, "name")), word(find_at(rule, "action")),
               word(find_at(rule, "rate")), word(find_at(rule, "burst")),
               word(find_at(rule, "owner"))});
  }
  return table;
}

Table table_of(ObjectKind kind, const json::array& list) {
  switch (kind) {
    case ObjectKind::port: return port_table(list);
    case ObjectKind::vtep: return vtep_table(list);
    case ObjectKind::network: return network_table(list);
    case ObjectKind::endpoint: return endpoint_table(list);
    case ObjectKind::next_hop: return next_hop_table(list);
    case ObjectKind::host_rule: return host_rule_table(list);
    case ObjectKind::queue: break;  // run_queue.cpp
  }
  __builtin_unreachable();
}

// Every member on a line of its own, nested ones with dots between.
void add_members(Table& table, const std::string& prefix, const json::object& object) {
  for (const auto& [key, value] : object) {
    const std::string name = prefix + std::string(key);
    if (value.is_object()) {
      add_members(table, name + ".", value.get_object());
    } else {
      const auto count = count_of(value);
      table.add({name, count ? with_commas(*count) : word(&value)});
    }
  }
}

}  // namespace

ExitCode run_object_show(const Client& client, const Invocation& invocation) {
  const ObjectKind kind = *invocation.command->kind;
  const std::string list_name(plural(kind));
  std::string target = "/v1/" + list_name;
  bool single = !invocation.words.empty();
  if (single) {
    const std::string& key = invocation.words[0];
    const std::size_t slash = key.find('/');
    single = kind != ObjectKind::endpoint || slash != key.npos;
    if (!single) {
      target += "?state=true&network=" + encode_percent(key);
    } else if (kind == ObjectKind::endpoint) {
      target += "/" + encode_percent(key.substr(0, slash)) + "/" +
                encode_percent(key.substr(slash + 1)) + "?state=true";
    } else {
      target += "/" + encode_percent(key) + "?state=true";
    }
  } else {
    target += "?state=true";
  }
  return show(client, invocation, target, [&](const Look& look) {
    if (single) {
      Table table({"FIELD", "VALUE"});
      add_members(table, "", look.now.as_object());
      return table.text();
    }
    const json::value* list = find_at(look.now, list_name);
    if (list == nullptr || !list->is_array() || list->get_array().empty()) {
      return "no " + list_name + "; `weir " + std::string(noun(kind)) +
             " add --help` tells how to add one\n";
    }
    return table_of(kind, list->get_array()).text();
  });
}

}  // namespace cp
