// SPDX-License-Identifier: Apache-2.0
#include "dataplane/base/manual.hpp"

#include "dataplane/base/roff.hpp"

#include <algorithm>
#include <cctype>

namespace base {
namespace {

// "left|right", "NUMBER", "NAME".
std::string value_of(const CLI::Option& option) {
  std::string words = choices_of(option);
  std::ranges::replace(words, ' ', '|');
  if (!words.empty()) return words;
  const std::string type = option.get_type_name();
  if (type.starts_with("UINT") || type.starts_with("INT")) return "NUMBER";
  return type == "TEXT" ? "PATH" : type;
}

// "1 to 8", where the values have bounds.
std::string range_of(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  const std::size_t open = type.find(" in [");
  if (open == std::string::npos) return "";
  std::string range = type.substr(open + 5, type.find(']', open) - open - 5);
  if (const std::size_t dash = range.find(" - "); dash != std::string::npos) {
    range.replace(dash, 3, " to ");
  }
  return range;
}

std::string option_row(const CLI::Option& option) {
  std::string left = option.get_name(false, true);
  std::string right = option.get_description();
  if (takes_value(option)) {
    left += " " + value_of(option);
    std::string facts = option.get_default_str();
    if (facts == "[]") facts.clear();  // CLI11's empty list.
    if (const std::string range = range_of(option); !range.empty()) {
      facts += (facts.empty() ? "" : "; ") + range;
    }
    if (!facts.empty()) right += " (" + facts + ")";
  }
  return roff_row(left, right + ".");
}

std::string upper(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(),
                         [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return result;
}

}  // namespace

std::string choices_of(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  const std::size_t open = type.find('{');
  if (open == std::string::npos) return "";
  std::string words = type.substr(open + 1, type.find('}') - open - 1);
  std::ranges::replace(words, ',', ' ');
  return words;
}

bool takes_value(const CLI::Option& option) {
  return option.get_items_expected_max() > 0;
}

std::string manual_page(const CLI::App& app, const Manual& manual) {
  const std::string section = std::to_string(manual.section);
  const std::string name = roff(manual.program);
  std::string text = ".\\\" Made by `" + std::string(manual.program) +
                     " --man` from its options; do not edit.\n.TH " + upper(manual.program) + " " +
                     section + " \"\" \"Weir " WEIR_VERSION "\" \"" +
                     (manual.section == 8 ? "System Administration" : "User Commands") + "\"\n" +
                     ".SH NAME\n" + name + " \\- " + roff(manual.summary) + "\n.SH SYNOPSIS\n\\fB" +
                     name + "\\fR " + std::string(manual.synopsis) + "\n.SH DESCRIPTION\n" +
                     roff(app.get_description()) + "\n.SH OPTIONS\n";
  for (const CLI::Option* option : app.get_options()) text += option_row(*option);
  for (const ManualSection& more : manual.more) {
    text += ".SH \"" + std::string(more.title) + "\"\n" + more.text;
  }
  return text;
}

void add_manual_option(CLI::App& app, const Manual& manual) {
  app.add_flag_callback(
      "--man",
      [&app, &manual] {
        std::string text = manual_page(app, manual);
        text.pop_back();  // CLI11 adds the last line's end.
        throw CLI::CallForVersion(std::move(text), CLI::ExitCodes::Success);
      },
      "Print the manual page (roff)");
}

}  // namespace base
