// SPDX-License-Identifier: Apache-2.0
// Each thing that can be wrong with a whole intent, with the place and the advice that its author
// gets.
#include "controlplane/intent/validate.hpp"
#include "tests/unit/intent_sample.hpp"

#include <gtest/gtest.h>

namespace {

// The only error of a document.
std::string error_of(const std::string& text, const cp::Limits& limits = {}) {
  const auto intent = cp::read_intent(text, cp::Syntax::yaml, {.file = {}, .limits = limits});
  if (intent) return "";
  EXPECT_EQ(intent.error().size(), 1u) << to_string(intent.error()[1]);
  return to_string(intent.error().front());
}

// The sample with lines added to its list of ports; likewise the others.
std::string with_port(std::string_view fields) {
  return sample_with("vteps:\n", "  - {" + std::string(fields) + "}\nvteps:\n");
}
std::string with_vtep(std::string_view fields) {
  return sample_with("networks:\n", "  - {" + std::string(fields) + "}\nnetworks:\n");
}
std::string with_network(std::string_view fields) {
  return sample_with("endpoints:\n", "  - {" + std::string(fields) + "}\nendpoints:\n");
}
std::string with_endpoint(std::string_view fields) {
  return std::string(sample_yaml) + "  - {" + std::string(fields) + "}\n";
}

TEST(IntentValidate, the_sample_is_good) {
  EXPECT_TRUE(cp::validate(sample_intent(), {}));
}

TEST(IntentValidate, names_are_unique_and_plain) {
  EXPECT_EQ(error_of(with_port("name: wire0, role: underlay, device: net_null7")),
            "line 4:12: port wire0: name: there are two ports of this name");
  EXPECT_EQ(error_of(with_vtep("name: gw2, kind: local, address: 10.0.0.9, port: wire0")),
            "line 8:12: vtep gw2: name: there are two vteps of this name");
  EXPECT_EQ(error_of(with_network("name: blue, vni: 7")),
            "line 10:12: network blue: name: there are two networks of this name");
  const std::string too_long(32, 'x');
  for (const std::string& name : {std::string("-x"), std::string("a/b"), std::string("\"a b\""),
                                  std::string("\"\""), std::string("ü"), too_long}) {
    EXPECT_NE(error_of(with_network("name: " + name + ", vni: 7")).find("must be a name"),
              std::string::npos)
        << name;
  }
}

TEST(IntentValidate, a_device_is_one_port) {
  EXPECT_EQ(error_of(with_port("name: host1, role: tenant, network: blue, "
                               "device: \"net_tap0,iface=host1\"")),
            "line 4:56: port host1: device: port \"host0\" already has the device \"net_tap0\"");
}

TEST(IntentValidate, an_interface_of_the_kernel_is_under_one_port) {
  for (const std::string device :
       {"net_af_packet3,qpairs=2,iface=wire9", "net_tap7,iface=wire9", "tap:wire9,queues=2",
        "net_virtio_user0,path=/dev/vhost-net,iface=wire9"}) {
    std::string ports =
        "name: host1, role: tenant, network: blue, device: \"xdp:wire9,absent=pass\"}\n  - {"
        "name: host2, role: tenant, network: blue, device: \"";
    ports += device;
    ports += '"';
    EXPECT_EQ(error_of(with_port(ports)),
              "line 5:56: port host2: device: port \"host1\" already stands on the interface "
              "\"wire9\"")
        << device;
  }
  EXPECT_EQ(error_of(with_port("name: host1, role: tenant, network: blue, device: \"xdp:wire9\"}\n"
                               "  - {name: host2, role: tenant, network: blue, device: "
                               "\"net_memif3,iface=wire9\"")),
            "")
      << "not of the kernel";
}

TEST(IntentValidate, fields_of_a_port_fit_its_role) {
  EXPECT_EQ(error_of(with_port("name: host1, role: tenant, device: net_null7")),
            "line 4:5: port host1: network: is missing: a tenant port carries the frames of one "
            "network (nearest: blue)");
  EXPECT_EQ(error_of(with_port("name: wire1, role: underlay, device: net_null7, network: blue")),
            "line 4:63: port wire1: network: only a tenant port has a network; this is an underlay "
            "port");
  EXPECT_EQ(error_of(with_port("name: wire1, role: underlay, device: net_null7, peer: wire0")),
            "line 4:60: port wire1: peer: only a transit or host port has a peer; this is an "
            "underlay port");
  EXPECT_EQ(error_of(with_port("name: host1, role: tenant, device: net_null7, network: bleu")),
            "line 4:61: port host1: network: there is no network \"bleu\" (nearest: blue)");
}

TEST(IntentValidate, vlans_are_ports_of_a_tenant_port) {
  EXPECT_EQ(error_of(with_port("name: host0.100, role: tenant, parent: host0, vlan: 100, "
                               "network: blue}\n"
                               "  - {name: host0.9.7, role: tenant, parent: host0, vlan: 9, "
                               "inner_vlan: 7, network: blue")),
            "");
  EXPECT_EQ(error_of(with_port("name: v, role: tenant, parent: host1, vlan: 100, network: blue")),
            "line 4:37: port v: parent: there is no port \"host1\" (nearest: host0)");
  EXPECT_EQ(error_of(with_port("name: v, role: tenant, parent: wire0, vlan: 100, network: blue")),
            "line 4:37: port v: parent: \"wire0\" is an underlay port; VLANs are of tenant ports "
            "(nearest: host0)");
  EXPECT_EQ(error_of(with_port("name: v, role: tenant, parent: v, vlan: 100, network: blue")),
            "line 4:37: port v: parent: a port cannot be a VLAN of itself (nearest: host0)");
  EXPECT_EQ(
      error_of(with_port("name: v, role: underlay, parent: wire0, vlan: 100")),
      "line 4:39: port v: parent: only a tenant port is a VLAN of another; this is an underlay "
      "port");
  EXPECT_EQ(error_of(with_port("name: v, role: tenant, parent: host0, network: blue")),
            "line 4:5: port v: vlan: is missing: the tag by which the parent knows its frames");
  EXPECT_EQ(
      error_of(with_port("name: v, role: tenant, parent: host0, vlan: 100")),
      "line 4:5: port v: network: is missing: a tenant port carries the frames of one network "
      "(nearest: blue)");
  EXPECT_EQ(error_of(with_port("name: v, role: tenant, parent: host0, vlan: 100, network: blue, "
                               "device: net_null7")),
            "line 4:78: port v: device: a VLAN has its parent's device, and none of its own");
  EXPECT_EQ(error_of(with_port("name: v, role: tenant, parent: host0, vlan: 100, network: blue, "
                               "rx_queues: 2")),
            "line 4:81: port v: rx_queues: belongs to the parent, which has the device");
  EXPECT_EQ(
      error_of(with_port("name: v, role: tenant, parent: host0, vlan: 100, network: blue}\n"
                         "  - {name: w, role: tenant, parent: host0, vlan: 100, network: blue")),
      "line 5:50: port w: vlan: port \"v\" already is VLAN 100 of \"host0\"");
  EXPECT_EQ(error_of(with_port("name: v, role: tenant, parent: host0, vlan: 100, network: blue}\n"
                               "  - {name: w, role: tenant, parent: v, vlan: 7, network: blue")),
            "line 5:37: port w: parent: \"v\" is a VLAN itself; say its parent, and both tags here "
            "(nearest: host0)");
}

TEST(IntentValidate, a_vlan_is_of_an_underlay_port_or_has_a_parent) {
  const auto wire = [](std::string_view fields) {
    return with_port("name: w, role: underlay, device: net_null7, " + std::string(fields));
  };
  EXPECT_EQ(error_of(wire("vlan: 300")), "");
  for (const char* vlan : {"0", "4095", "65536", "-1"}) {
    EXPECT_NE(error_of(wire("vlan: " + std::string(vlan))).find("must be a number 1..4094"),
              std::string::npos);
  }
  EXPECT_NE(error_of(with_port("name: w, role: underlay, device: \"xdp:eth7\", vlan: 300"))
                .find("frames with a tag stay with the kernel"),
            std::string::npos);
  EXPECT_EQ(error_of(wire("vlan: 300, inner_vlan: 7")),
            "line 4:73: port w: inner_vlan: only a VLAN of a tenant port (parent) has two tags");
  EXPECT_EQ(
      error_of(with_port("name: t, role: tenant, device: net_null7, network: blue, vlan: 9")),
      "line 4:69: port t: vlan: a VLAN of a tenant port is a port of its own, with this one as "
      "parent (nearest: {name: t.9, role: tenant, parent: t, vlan: 9, network: …})");
  const std::string transit =
      "name: t0, role: transit, device: net_null7, peer: t1, vlan: 9}\n"
      "  - {name: t1, role: transit, device: net_null8, peer: t0";
  EXPECT_EQ(error_of(with_port(transit)),
            "line 4:66: port t0: vlan: a transit port's frames pass with the tags that they have");
  EXPECT_EQ(error_of(with_port("name: w, role: underlay")),
            "line 4:5: port w: device: is missing; only a VLAN of another port (parent) has none "
            "(nearest: e.g. device: net_tap0,iface=host0)");
}

TEST(IntentValidate, a_port_with_vlans_needs_no_network) {
  EXPECT_EQ(
      error_of(with_port("name: host1, role: tenant, device: net_null7}\n"
                         "  - {name: v, role: tenant, parent: host1, vlan: 9, network: blue")),
      "");
}

TEST(IntentValidate, a_host_port_is_the_one_twin_of_an_underlay_port) {
  const std::string twin = "name: h0, role: host, device: \"tap:h0\"";
  EXPECT_EQ(error_of(with_port(twin + ", peer: wire0")), "");
  EXPECT_EQ(error_of(with_port(twin + ", peer: wire0, mtu: 1500")), "");
  EXPECT_EQ(error_of(with_port(twin)),
            "line 4:5: port h0: peer: is missing: a host port is the twin of an underlay port "
            "(nearest: wire0)");
  EXPECT_EQ(error_of(with_port(twin + ", peer: host0")),
            "line 4:52: port h0: peer: \"host0\" is a tenant port; the peer of a host port is an "
            "underlay port");
  for (const std::string_view shared : {"xdp:eth7", "net_af_packet7,iface=eth7"}) {
    std::string ports = "name: x0, role: underlay, device: \"";
    ports.append(shared).append("\"}\n  - {").append(twin).append(", peer: x0");
    EXPECT_EQ(error_of(with_port(ports)),
              "line 5:52: port h0: peer: \"x0\" stands on an interface by which the kernel gets "
              "its frames already: it needs no twin");
  }
  EXPECT_EQ(error_of(with_port("name: v0, role: underlay, device: net_null7, vlan: 300}\n"
                               "  - {" +
                               twin + ", peer: v0")),
            "");
  EXPECT_EQ(error_of(with_port(twin + ", peer: wire0, vlan: 300")),
            "line 4:65: port h0: vlan: a host port is untagged; its peer has the VLAN, whose tag "
            "Weir gives");
  EXPECT_EQ(error_of(with_port(twin + ", peer: wire0, mtu: 1700")),
            "line 4:64: port h0: mtu: is larger than that of its peer \"wire0\", where it leaves "
            "(nearest: 1600)");
  EXPECT_EQ(
      error_of(with_port(twin + ", peer: wire0}\n"
                                "  - {name: h1, role: host, device: \"tap:h1\", peer: wire0")),
      "line 5:52: port h1: peer: \"wire0\" already has the twin \"h0\"");
}

TEST(IntentValidate, host_rules_are_about_classes_that_there_are) {
  const auto with_rule = [](std::string_view fields) {
    return std::string(sample_yaml) + "host_rules:\n  - {" + std::string(fields) + "}\n";
  };
  EXPECT_EQ(error_of(with_rule("name: icmp, rate: 100, burst: 20")), "");
  EXPECT_EQ(error_of(with_rule("name: other, action: drop")), "");
  const auto ends_with = [](const std::string& text, std::string_view end) {
    EXPECT_TRUE(text.ends_with(end)) << text;
  };
  ends_with(error_of(with_rule("name: imcp, rate: 100")),
            "host-rule imcp: name: there is no class \"imcp\" of traffic for the host (nearest: "
            "icmp)");
  ends_with(
      error_of(with_rule("name: icmp, rate: 0")),
      "host-rule icmp: rate: must be a number 1..10000000 (packets/s), not \"0\" (nearest: 1)");
  ends_with(
      error_of(with_rule("name: icmp, burst: 65536")),
      "host-rule icmp: burst: must be a number 1..65535 (packets), not \"65536\" (nearest: 65535)");
  ends_with(error_of(with_rule("name: icmp, action: drop, rate: 5")),
            "host-rule icmp: rate: says nothing where the action is drop");
  ends_with(error_of(with_rule("name: icmp}\n  - {name: icmp, rate: 5")),
            "host-rule icmp: name: there are two host_rules of this name");
}

TEST(IntentValidate, transit_ports_name_each_other) {
  const std::string pair =
      "name: t0, role: transit, device: net_null7, peer: t1}\n"
      "  - {name: t1, role: transit, device: net_null8, peer: ";
  EXPECT_EQ(error_of(with_port(pair + "t0")), "");
  EXPECT_EQ(error_of(with_port("name: t0, role: transit, device: net_null7")),
            "line 4:5: port t0: peer: is missing: a transit port's frames leave at its peer");
  EXPECT_EQ(error_of(with_port("name: t0, role: transit, device: net_null7, peer: t0")),
            "line 4:56: port t0: peer: a port cannot be its own peer");
  EXPECT_EQ(
      error_of(with_port("name: t0, role: transit, device: net_null7, peer: wire0")),
      "line 4:56: port t0: peer: \"wire0\" is an underlay port; the peer of a transit port is "
      "a transit port");
  const auto three = cp::read_intent(
      with_port(pair + "t2}\n  - {name: t2, role: transit, device: net_null9, peer: t1"),
      cp::Syntax::yaml);
  ASSERT_FALSE(three);
  EXPECT_EQ(to_string(three.error().front()),
            "line 4:56: port t0: peer: port \"t1\" has the peer \"t2\"; peers name each other");
}

TEST(IntentValidate, numbers_are_in_range) {
  const auto port = [](std::string_view field) {
    return with_port("name: w1, role: underlay, device: net_null7, " + std::string(field));
  };
  EXPECT_NE(error_of(port("mtu: 575")).find("576..9978"), std::string::npos);
  EXPECT_NE(error_of(port("mtu: 9979")).find("nearest: 9978"), std::string::npos);
  EXPECT_NE(error_of(port("rx_queues: 0")).find("1..64"), std::string::npos);
  EXPECT_NE(error_of(port("rx_queues: 99999999999999999999")).find("nearest: 64"),
            std::string::npos);
  EXPECT_NE(error_of(port("rx_descriptors: 500")).find("power of two, not 500 (nearest: 256)"),
            std::string::npos);
  EXPECT_NE(error_of(port("tx_descriptors: 32")).find("64..32768"), std::string::npos);
  EXPECT_EQ(error_of(port("mtu: 576, rx_queues: 64, rx_descriptors: 32768")), "");
  EXPECT_NE(error_of(with_network("name: red, vni: 0")).find("1..16777215"), std::string::npos);
  EXPECT_NE(error_of(with_network("name: red, vni: -1")).find("nearest: 1)"), std::string::npos);
  EXPECT_EQ(error_of(with_network("name: red, vni: 16777215")), "");
}

TEST(IntentValidate, ranges_are_checked_without_a_file_too) {
  cp::Intent intent = sample_intent();
  intent.networks[0].vni = 1 << 24;
  intent.ports[1].mtu = 1;
  intent.vteps[0].dscp = cp::Dscp{.pinned = 64};
  intent.vteps[0].ttl = 0;
  intent.ports[0].device.clear();

  const auto valid = cp::validate(intent, {});

  ASSERT_FALSE(valid);
  std::string fields;
  for (const cp::Error& error : valid.error()) fields += error.field + " ";
  EXPECT_EQ(fields, "device mtu ttl dscp vni ");
}

TEST(IntentValidate, a_vtep_has_a_usable_address) {
  const auto vtep = [](std::string_view address) {
    return with_vtep("name: gw3, kind: remote, port: wire0, address: " + std::string(address) +
                     ", next_hop_mac: 02:00:00:00:ff:03");
  };
  EXPECT_EQ(error_of(vtep("198.18.0.3")), "");
  EXPECT_EQ(error_of(vtep("198.18.0.2")),
            "line 8:53: vtep gw3: address: VTEP \"gw2\" already has 198.18.0.2");
  EXPECT_EQ(error_of(vtep("198.18.0.3/24")),
            "line 8:53: vtep gw3: address: must be an IP address like 198.18.0.1, not "
            "\"198.18.0.3/24\" (nearest: 198.18.0.3)");
  for (const char* address : {"0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255", "\"::\"",
                              "\"::1\"", "ff02::1", "ff0e::1:2"}) {
    EXPECT_NE(error_of(vtep(address)).find("unicast address of one host"), std::string::npos)
        << address;
  }
  for (const char* address : {"fe80::1", "febf::ffff"}) {
    EXPECT_NE(error_of(vtep(address)).find("is link-local"), std::string::npos) << address;
  }
}

TEST(IntentValidate, a_vtep_and_its_source_are_of_one_family) {
  const auto dual = [](std::string_view remote, std::string_view more = "") {
    return with_vtep("name: self6, kind: local, address: fd00::1, port: wire0}\n  - {name: gw3, " +
                     std::string("kind: remote, port: wire0, next_hop_mac: 02:00:00:00:ff:03") +
                     ", address: " + std::string(remote) + std::string(more));
  };
  EXPECT_EQ(error_of(dual("fd00::3")), "") << "the only one of its family on the port";
  EXPECT_EQ(error_of(dual("fd00::3, source: self6, udp_checksum: full")), "");
  EXPECT_EQ(error_of(dual("2001:db8::3, ttl: 255")), "");
  EXPECT_NE(error_of(dual("fd00::3, source: self"))
                .find("source: \"self\" has an address of the other family, 198.18.0.1; fd00::3 "
                      "needs an IPv6 source"),
            std::string::npos);
  EXPECT_NE(error_of(dual("198.18.0.3, source: self6")).find("needs an IPv4 source"),
            std::string::npos);
  EXPECT_NE(
      error_of(with_vtep("name: gw3, kind: remote, port: wire0, address: fd00::3, next_hop_mac: "
                         "02:00:00:00:ff:03"))
          .find("is missing, and there is no local IPv6 VTEP on port \"wire0\""),
      std::string::npos);
  EXPECT_NE(error_of(dual("fd00:0:0::1")).find("already has fd00::1"), std::string::npos)
      << "however it is spelled";
  EXPECT_NE(error_of(dual("\"::ffff:198.18.0.2\"")).find("already has 198.18.0.2"),
            std::string::npos)
      << "mapped IPv4 is IPv4";
}

TEST(IntentValidate, a_port_of_an_ipv6_vtep_has_an_ipv6_mtu) {
  const auto intent = [](std::string_view mtu) {
    std::string text = with_vtep("name: self6, kind: local, address: fd00::1, port: wire0");
    return text.replace(text.find("mtu: 1600"), 9, "mtu: " + std::string(mtu));
  };
  EXPECT_EQ(error_of(intent("1280")), "");
  EXPECT_NE(error_of(intent("1279"))
                .find("port: \"wire0\" has an MTU of 1279; IPv6 takes at "
                      "least 1280 (RFC 8200)"),
            std::string::npos);
}

TEST(IntentValidate, a_vtep_stands_on_an_underlay_port) {
  EXPECT_EQ(error_of(with_vtep("name: gw3, kind: local, address: 10.0.0.3, port: wire9")),
            "line 8:55: vtep gw3: port: there is no port \"wire9\" (nearest: wire0)");
  EXPECT_EQ(error_of(with_vtep("name: gw3, kind: local, address: 10.0.0.3, port: host0")),
            "line 8:55: vtep gw3: port: \"host0\" is a tenant port; a VTEP stands on an underlay "
            "port (nearest: wire0)");
}

TEST(IntentValidate, the_source_of_a_remote_vtep_is_a_local_one) {
  EXPECT_EQ(error_of(sample_with(", source: self", "")), "") << "the only local VTEP on the port";
  EXPECT_EQ(error_of(sample_with("source: self", "source: gw2")),
            "line 6:73: vtep gw2: source: \"gw2\" is a remote VTEP; the source is a local one "
            "(nearest: self)");
  EXPECT_EQ(error_of(sample_with("source: self", "source: sefl")),
            "line 6:73: vtep gw2: source: there is no vtep \"sefl\" (nearest: self)");
  const std::string two =
      with_vtep("name: too, kind: local, address: 10.0.0.1, port: wire0")
          .replace(with_vtep("name: too, kind: local, address: 10.0.0.1, port: wire0")
                       .find(", source: self"),
                   14, "");
  EXPECT_EQ(error_of(two),
            "line 6:5: vtep gw2: source: is missing, and port \"wire0\" has 2 local IPv4 VTEPs: "
            "name one");
  EXPECT_EQ(
      error_of("ports: [{name: w, role: underlay, device: net_null0}]\n"
               "vteps: [{name: far, kind: remote, address: 10.0.0.1, port: w, next_hop_mac: "
               "02:00:00:00:ff:03}]\n"),
      "line 2:9: vtep far: source: is missing, and there is no local IPv4 VTEP on port \"w\"");
}

TEST(IntentValidate, a_local_vtep_has_nothing_of_a_remote_one) {
  for (const char* field : {"source: self", "next_hop_mac: 02:00:00:00:00:01", "dscp: 7", "ttl: 3",
                            "udp_checksum: zero"}) {
    EXPECT_NE(error_of(with_vtep("name: too, kind: local, address: 10.0.0.1, port: wire0, " +
                                 std::string(field)))
                  .find("only a remote VTEP has this"),
              std::string::npos)
        << field;
  }
}

TEST(IntentValidate, fields_of_a_remote_vtep_are_in_range) {
  const auto vtep = [](std::string_view field) {
    const bool says_mac = field.find("next_hop_mac") != field.npos;
    return with_vtep("name: gw3, kind: remote, address: 10.0.0.3, port: wire0, " +
                     std::string(says_mac ? "" : "next_hop_mac: 02:00:00:00:ff:03, ") +
                     std::string(field));
  };
  EXPECT_EQ(error_of(vtep("dscp: 0, ttl: 255")), "");
  EXPECT_EQ(error_of(vtep("dscp: copy, ttl: 1")), "");
  EXPECT_NE(error_of(vtep("dscp: 64")).find("must be copy | 0..63, not \"64\" (nearest: 63)"),
            std::string::npos);
  EXPECT_NE(error_of(vtep("dscp: cpoy")).find("nearest: copy"), std::string::npos);
  EXPECT_EQ(error_of(vtep("udp_checksum: zero")), "");
  EXPECT_NE(error_of(vtep("udp_checksum: ful")).find("nearest: full"), std::string::npos);
  EXPECT_NE(error_of(vtep("ttl: 0")).find("1..255"), std::string::npos);
  EXPECT_NE(error_of(vtep("ttl: 256")).find("1..255"), std::string::npos);
  EXPECT_NE(error_of(vtep("next_hop_mac: 01:00:00:00:00:01")).find("group"), std::string::npos);
  EXPECT_NE(error_of(vtep("next_hop_mac: 00:00:00:00:00:00")).find("all zero"), std::string::npos);
}

TEST(IntentValidate, a_network_floods_to_remote_vteps_once_each) {
  EXPECT_EQ(error_of(sample_with("flood: [gw2]", "flood: [gw3]")),
            "line 9:35: network blue: flood: there is no vtep \"gw3\" (nearest: gw2)");
  EXPECT_EQ(
      error_of(sample_with("flood: [gw2]", "flood: [self]")),
      "line 9:35: network blue: flood: \"self\" is a local VTEP; frames are flooded to remote "
      "ones (nearest: gw2)");
  EXPECT_EQ(error_of(sample_with("flood: [gw2]", "flood: [gw2, gw2]")),
            "line 9:35: network blue: flood: names VTEP \"gw2\" twice");
  std::string many = "flood: [";
  for (int i = 0; i < 129; ++i) many += "x" + std::to_string(i) + ",";
  EXPECT_NE(error_of(sample_with("flood: [gw2", many)).find("more than 128 names"),
            std::string::npos);
}

TEST(IntentValidate, a_vni_is_one_network) {
  EXPECT_EQ(error_of(with_network("name: red, vni: 100")),
            "line 10:22: network red: vni: network \"blue\" already has 100");
}

TEST(IntentValidate, an_endpoint_is_in_one_place_of_its_network) {
  const auto endpoint = [](std::string_view fields) {
    return with_endpoint("network: blue, mac: 02:00:00:00:00:07" + std::string(fields));
  };
  EXPECT_EQ(error_of(endpoint(", vtep: gw2")), "");
  EXPECT_EQ(error_of(endpoint("")),
            "line 13:5: endpoint blue/02:00:00:00:00:07: is nowhere: say either vtep or port");
  EXPECT_EQ(
      error_of(endpoint(", vtep: gw2, port: host0")),
      "line 13:62: endpoint blue/02:00:00:00:00:07: port: is in two places: say vtep or port");
  EXPECT_EQ(error_of(endpoint(", vtep: self")),
            "line 13:51: endpoint blue/02:00:00:00:00:07: vtep: \"self\" is a local VTEP; an "
            "endpoint here says the port it is behind (nearest: gw2)");
  EXPECT_EQ(error_of(endpoint(", vtep: gw7")),
            "line 13:51: endpoint blue/02:00:00:00:00:07: vtep: there is no vtep \"gw7\" (nearest: "
            "gw2)");
  EXPECT_EQ(error_of(endpoint(", port: wire0")),
            "line 13:51: endpoint blue/02:00:00:00:00:07: port: \"wire0\" is an underlay port; an "
            "endpoint is behind a tenant port (nearest: host0)");
  EXPECT_EQ(error_of(with_network("name: red, vni: 7")
                         .append("  - {network: red, mac: 02:00:00:00:00:07, port: host0}\n")),
            "line 14:50: endpoint red/02:00:00:00:00:07: port: \"host0\" is a port of network "
            "\"blue\", not of \"red\"");
  EXPECT_EQ(error_of(with_endpoint("network: blu, mac: 02:00:00:00:00:07, vtep: gw2")),
            "line 13:15: endpoint blu/02:00:00:00:00:07: network: there is no network \"blu\" "
            "(nearest: blue)");
}

TEST(IntentValidate, an_endpoints_mac_is_one_hosts_and_unique) {
  const auto endpoint = [](std::string_view mac) {
    return with_endpoint("network: blue, vtep: gw2, mac: " + std::string(mac));
  };
  EXPECT_EQ(error_of(endpoint("02:00:00:00:0A:01")),
            "line 13:37: endpoint blue/02:00:00:00:0a:01: mac: there are two endpoints of this MAC "
            "in network \"blue\"");
  EXPECT_NE(error_of(endpoint("03:00:00:00:00:01")).find("group address"), std::string::npos);
  EXPECT_NE(error_of(endpoint("00:00:00:00:00:00")).find("all zero"), std::string::npos);
}

TEST(IntentValidate, says_what_the_data_plane_has_no_room_for) {
  EXPECT_EQ(error_of(std::string(sample_yaml), {.endpoints = 1}),
            "line 12:5: more than 1 endpoints: the data plane has no room (its option "
            "--endpoints)");

  // No option of the data plane makes room for ports.
  EXPECT_EQ(error_of(std::string(sample_yaml), {.ports = 1}),
            "line 3:5: more than 1 ports: the data plane has no room");

  const auto valid = cp::validate(large_intent(1001), {.endpoints = 1000});

  ASSERT_FALSE(valid);
  EXPECT_EQ(valid.error()[0].code, base::Errc::table_full);
}

TEST(IntentValidate, finds_at_most_twenty_faults) {
  cp::Intent intent = large_intent(1000);
  for (std::size_t i = 0; i < intent.endpoints.size(); ++i) {
    intent.endpoints[i].vtep = intent.endpoints[i].port = {};
  }

  EXPECT_EQ(cp::find_faults(intent, {}).size(), 20u);
}

}  // namespace
