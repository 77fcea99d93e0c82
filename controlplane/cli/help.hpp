// SPDX-License-Identifier: Apache-2.0
// Explanations made of the tree of commands and of the intent's field descriptions.
#pragma once

#include <string>
#include <string_view>

namespace cp {

// Of everything (both empty), of a noun, or of one command.
std::string help_text(std::string_view noun, std::string_view verb);

// The manual page weir(1) as roff.
std::string manual_page();

}  // namespace cp
