// SPDX-License-Identifier: Apache-2.0
// Why there is no connection to a control plane, and what to do about it.
#pragma once

#include "controlplane/cli/client.hpp"

#include <boost/system/error_code.hpp>

namespace cp {

// To a socket of this machine.
ClientError cannot_connect(const std::string& socket, const boost::system::error_code& error);

// To HOST:PORT, before TLS had begun.
ClientError cannot_reach(const std::string& server, const boost::system::error_code& error);

// By the other end, or of it by us: `error` has ended the TLS connection.
ClientError refused(const Target& target, const SSL* tls, const boost::system::error_code& error);

}  // namespace cp
