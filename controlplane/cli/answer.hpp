// SPDX-License-Identifier: Apache-2.0
// From the server's answers to what stands on the terminal.
#pragma once

#include "controlplane/cli/client.hpp"
#include "controlplane/cli/tree.hpp"

#include <boost/json/value.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace cp {

// "weir: what" on standard error.
ExitCode complain(ExitCode code, const std::string& message);
// An error answer, each of its errors with file, line, field, reason and suggestion.
ExitCode complain(const ClientAnswer& answer, const std::string& file = {});

// Sends, and on success calls `print` with the document; -j prints the body as it came.
ExitCode ask(const Client& client, const Invocation& invocation, const std::string& method,
             const std::string& target, const std::string& body,
             const std::function<void(const boost::json::value&)>& print,
             const std::string& file = {});

// What a change answers: a line for each object up to a screen of them, then the sum. Of what is
// only planned as many as the server tells.
void print_change(const boost::json::value& answer);
void print_plan(const boost::json::value& answer);
// "/v1/batch?dry_run=true&confirm_within=120s": what the options of a change say to the server.
std::string change_target(std::string_view path, const Invocation& invocation);

// That a change waits for its confirmation, as the document's member says; or nothing.
std::string unconfirmed_text(const boost::json::value& document, std::string_view path);

// What changed between two looks, for rates.
struct Look {
  const boost::json::value& now;
  const boost::json::value* before;  // nullptr at the first.
  double seconds;                    // Between them.
};

// GET once, or with --watch for ever.
ExitCode show(const Client& client, const Invocation& invocation, const std::string& target,
              const std::function<std::string(const Look&)>& render);

// A JSON number that counts; nullopt for anything else. What a parser reads is signed.
std::optional<std::uint64_t> count_of(const boost::json::value& value);
// Members by path ("totals.rx"); what is missing is 0 or "".
std::uint64_t number_at(const boost::json::value& document, std::string_view path);
double real_at(const boost::json::value& document, std::string_view path);
std::string text_at(const boost::json::value& document, std::string_view path);
const boost::json::value* find_at(const boost::json::value& document, std::string_view path);

// The element of a list whose `member` is `name`; nullptr where there is none.
const boost::json::value* find_named(const boost::json::value* list, std::string_view member,
                                     std::string_view name);

void print(std::string_view text);  // On standard output.
bool can_print() noexcept;          // False once something could not be written there.

}  // namespace cp
