// SPDX-License-Identifier: Apache-2.0
// TLS as both ends of the API use it: version 1.3 and nothing older, a certificate at either end,
// and no way to resume a session, so that each connection shows its certificate.
#pragma once

#include <boost/asio/ssl/context.hpp>
#include <boost/system/error_code.hpp>

#include <cstdint>
#include <expected>
#include <string>
#include <vector>

namespace cp {

// Paths of PEM files.
struct TlsFiles {
  std::string certificate;  // Its own, with those between it and the CA.
  std::string key;          // Without a password.
  std::string ca;           // Who signs those of the other end; several are as good as one.
};

enum class TlsSide : std::uint8_t { server, client };

// Reads them once. The error names the file and what is wrong with it.
std::expected<boost::asio::ssl::context, std::string> make_tls_context(TlsSide side,
                                                                       const TlsFiles& files);

// The end of its own certificate's time: "2027-11-30T12:00:00Z".
std::string valid_until(boost::asio::ssl::context& context);

// As a name resolves or an address is written: the certificate has to be for it.
void expect_server(SSL* tls, const std::string& host);

// Of the other end, as its CA has signed it.
struct CertificateName {
  std::string common_name;         // CN in UTF-8, control characters as '?'; may be empty.
  std::vector<std::string> units;  // OU, likewise.
};
CertificateName read_peer_name(const SSL* tls);

// Why a handshake failed: what is wrong with the other end's certificate, else what `error` says.
std::string handshake_reason(const SSL* tls, const boost::system::error_code& error);

// Keepalives find out within two minutes that nobody is there any more, and small answers go at
// once. For TCP.
void prepare_tcp(int socket) noexcept;

}  // namespace cp
