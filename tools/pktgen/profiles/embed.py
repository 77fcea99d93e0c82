#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Profiles as C++ text, so that the program brings them along: embed.py OUTPUT PROFILE…"""

import pathlib
import sys

HEAD = """// Made of tools/pktgen/profiles by embed.py.
#include "tools/pktgen/profile/read.hpp"

namespace pktgen {

std::span<const ShippedProfile> shipped_profiles() noexcept {
  static constexpr ShippedProfile all[] = {
"""
TAIL = """  };
  return all;
}

}  // namespace pktgen
"""


def main():
    output, *profiles = map(pathlib.Path, sys.argv[1:])
    entries = (f'    {{"{path.stem}", R"yaml({path.read_text()})yaml"}},\n' for path in profiles)
    output.write_text(HEAD + "".join(entries) + TAIL)


main()
