// SPDX-License-Identifier: Apache-2.0
#include "controlplane/cli/refusal.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/beast/core/error.hpp>

#include <grp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <sys/stat.h>

namespace cp {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

// Whom it takes to use that socket: "membership in its group netops".
std::string whom_it_takes(const std::string& path) {
  struct stat socket{};
  if (::stat(path.c_str(), &socket) != 0) return "a folder that lets you pass";
  const group* found = ::getgrgid(socket.st_gid);
  return "membership in its group " +
         (found != nullptr ? std::string(found->gr_name) : std::to_string(socket.st_gid));
}

// What we have found out about the server's certificate.
std::string distrust(const Target& target, long verified) {
  const std::string subject = "the certificate of " + target.server;
  switch (verified) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return subject +
             " has expired: it needs a new one (--tls-cert there), or one of the clocks "
             "is wrong";
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return subject + " is not valid yet: one of the clocks is wrong";
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return subject +
             " is for another name: say --server with a name that it has, or make one "
             "with this (subjectAltName)";
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
      return subject + " is not signed by the CA of " + target.files.ca +
             ": name with --ca the one that signed it, if you trust it";
    default: return subject + " is refused: " + X509_verify_cert_error_string(verified);
  }
}

// What the server says of us; TLS tells that by an alert.
std::string rejection(const Target& target, const error_code& error) {
  const std::string ours = "our certificate (" + target.files.certificate + ")";
  switch (ERR_GET_REASON(static_cast<unsigned long>(error.value()))) {
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
      return target.server + " says that " + ours + " has expired: get a new one";
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
      return target.server + " does not know who signed " + ours +
             ": it takes those of its --tls-client-ca";
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
    case SSL_R_UNSUPPORTED_PROTOCOL: return target.server + " speaks no TLS 1.3";
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_HTTP_REQUEST:
      return target.server + " speaks no TLS: say the port of weir-controlplane's --listen";
    default:
      return "TLS with " + target.server + " ended: " + error.message() + "; its log says more (" +
             ours + ")";
  }
}

}  // namespace

ClientError cannot_connect(const std::string& socket, const error_code& error) {
  std::string message = "cannot connect to " + socket + ": " + error.message() + "; ";
  if (error == asio::error::access_denied) {
    message += "it takes " + whom_it_takes(socket) + ", or root";
  } else {
    message += "start weir-controlplane, or name its socket with -s or WEIR_SOCKET";
  }
  return {ExitCode::cannot_connect, std::move(message)};
}

ClientError cannot_reach(const std::string& server, const error_code& error) {
  if (error == boost::beast::error::timeout) {
    return {ExitCode::timed_out, server + " did not answer in time"};
  }
  std::string message = "cannot connect to " + server + ": " + error.message();
  if (error == asio::error::connection_refused) {
    message += "; does weir-controlplane run there with --listen, at that port?";
  }
  return {ExitCode::cannot_connect, std::move(message)};
}

ClientError refused(const Target& target, const SSL* tls, const error_code& error) {
  const long verified = SSL_get_verify_result(tls);
  if (verified != X509_V_OK) return {ExitCode::cannot_connect, distrust(target, verified)};
  if (error.category() == asio::error::get_ssl_category()) {
    return {ExitCode::cannot_connect, rejection(target, error)};
  }
  return {ExitCode::cannot_connect, target.server + " ended the connection: " + error.message()};
}

}  // namespace cp
