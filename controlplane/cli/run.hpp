// SPDX-License-Identifier: Apache-2.0
// The functions that the tree of commands names: each does one command and prints its answer.
#pragma once

#include "controlplane/cli/tree.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace cp {

// About the whole intent.
ExitCode run_apply(const Client& client, const Invocation& invocation);
ExitCode run_check(const Client& client, const Invocation& invocation);
ExitCode run_diff(const Client& client, const Invocation& invocation);
ExitCode run_intent_show(const Client& client, const Invocation& invocation);
ExitCode run_patch(const Client& client, const Invocation& invocation);
// -f FILE|-
ExitCode run_batch(const Client& client, const std::string& file, const Invocation& invocation);

// About changes.
ExitCode run_confirm(const Client& client, const Invocation& invocation);
ExitCode run_rollback(const Client& client, const Invocation& invocation);
ExitCode run_history(const Client& client, const Invocation& invocation);
ExitCode run_save(const Client& client, const Invocation& invocation);

// About ports, VTEPs, networks, endpoints.
ExitCode run_object_show(const Client& client, const Invocation& invocation);
ExitCode run_object_edit(const Client& client, const Invocation& invocation);

ExitCode run_queue_show(const Client& client, const Invocation& invocation);
ExitCode run_queue_watch(const Client& client, const Invocation& invocation);

// What is going on.
ExitCode run_status(const Client& client, const Invocation& invocation);
ExitCode run_stats_show(const Client& client, const Invocation& invocation);
ExitCode run_host_show(const Client& client, const Invocation& invocation);
ExitCode run_drop_show(const Client& client, const Invocation& invocation);
ExitCode run_pipeline_show(const Client& client, const Invocation& invocation);
ExitCode run_neighbour_show(const Client& client, const Invocation& invocation);
ExitCode run_worker_show(const Client& client, const Invocation& invocation);
ExitCode run_event_watch(const Client& client, const Invocation& invocation);
ExitCode run_trace_add(const Client& client, const Invocation& invocation);
ExitCode run_trace_show(const Client& client, const Invocation& invocation);
ExitCode run_trace_delete(const Client& client, const Invocation& invocation);

// Without the server.
ExitCode run_completion(const Client& client, const Invocation& invocation);

}  // namespace cp
