// SPDX-License-Identifier: Apache-2.0
#include "controlplane/connection/tls.hpp"

#include <boost/asio/ip/address.hpp>

#include <ctime>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <system_error>

namespace cp {

namespace ssl = boost::asio::ssl;

namespace {

// The first thing that went wrong is the cause of the others.
std::string take_cause() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  if (ERR_SYSTEM_ERROR(code)) return std::generic_category().message(ERR_GET_REASON(code));
  const char* reason = ERR_reason_error_string(code);
  return reason != nullptr ? reason : "unknown error " + std::to_string(code);
}

// Else OpenSSL asks at the terminal.
int no_password(char* /*room*/, int /*size*/, int /*writing*/, void* /*unused*/) {
  return 0;
}

std::string text_of(const X509_NAME_ENTRY* entry) {
  unsigned char* bytes = nullptr;
  const int size = ASN1_STRING_to_UTF8(&bytes, X509_NAME_ENTRY_get_data(entry));
  if (size < 0) return {};
  std::string text(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
  OPENSSL_free(bytes);
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') c = '?';
  }
  return text;
}

std::vector<std::string> texts_of(const X509_NAME* name, int kind) {
  std::vector<std::string> texts;
  for (int at = X509_NAME_get_index_by_NID(name, kind, -1); at >= 0;
       at = X509_NAME_get_index_by_NID(name, kind, at)) {
    texts.push_back(text_of(X509_NAME_get_entry(name, at)));
  }
  return texts;
}

// The other end is told whose certificates are taken.
bool announce_ca(SSL_CTX* tls, const std::string& path) {
  STACK_OF(X509_NAME)* names = SSL_load_client_CA_file(path.c_str());
  if (names == nullptr) return false;
  SSL_CTX_set_client_CA_list(tls, names);  // Owns them now.
  return true;
}

}  // namespace

std::expected<ssl::context, std::string> make_tls_context(TlsSide side, const TlsFiles& files) {
  ssl::context context(side == TlsSide::server ? ssl::context::tls_server
                                               : ssl::context::tls_client);
  SSL_CTX* const tls = context.native_handle();
  ERR_clear_error();
  SSL_CTX_set_min_proto_version(tls, TLS1_3_VERSION);
  SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(tls, 0);
  SSL_CTX_set_verify(tls, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  SSL_CTX_set_default_passwd_cb(tls, no_password);
  if (SSL_CTX_use_certificate_chain_file(tls, files.certificate.c_str()) != 1) {
    return std::unexpected(files.certificate + ": no certificate in it: " + take_cause());
  }
  if (SSL_CTX_use_PrivateKey_file(tls, files.key.c_str(), SSL_FILETYPE_PEM) != 1) {
    return std::unexpected(files.key + ": not the key, without a password, of " +
                           files.certificate + ": " + take_cause());
  }
  if (SSL_CTX_load_verify_file(tls, files.ca.c_str()) != 1 ||
      (side == TlsSide::server && !announce_ca(tls, files.ca))) {
    return std::unexpected(files.ca + ": no certificate of a CA in it: " + take_cause());
  }
  return context;
}

std::string valid_until(ssl::context& context) {
  std::tm time{};
  char text[sizeof "2027-11-30T12:00:00Z"] = "";
  const X509* certificate = SSL_CTX_get0_certificate(context.native_handle());
  if (certificate != nullptr && ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &time) == 1) {
    (void)std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &time);
  }
  return text;
}

void expect_server(SSL* tls, const std::string& host) {
  boost::system::error_code is_name;
  (void)boost::asio::ip::make_address(host, is_name);
  if (!is_name) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls), host.c_str());
    return;
  }
  SSL_set1_host(tls, host.c_str());
  SSL_set_tlsext_host_name(tls, host.c_str());
}

CertificateName read_peer_name(const SSL* tls) {
  CertificateName result;
  const X509* certificate = SSL_get0_peer_certificate(tls);
  if (certificate == nullptr) return result;
  const X509_NAME* name = X509_get_subject_name(certificate);
  std::vector<std::string> common_names = texts_of(name, NID_commonName);
  // Several would leave open who it is.
  if (common_names.size() == 1) result.common_name = std::move(common_names.front());
  result.units = texts_of(name, NID_organizationalUnitName);
  return result;
}

std::string handshake_reason(const SSL* tls, const boost::system::error_code& error) {
  const long verified = SSL_get_verify_result(tls);
  if (verified != X509_V_OK) return X509_verify_cert_error_string(verified);
  return error.message();
}

void prepare_tcp(int socket) noexcept {
  const auto set = [socket](int level, int option, int value) {
    (void)::setsockopt(socket, level, option, &value, sizeof value);  // It works without, too.
  };
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, 60);
  set(IPPROTO_TCP, TCP_KEEPINTVL, 15);
  set(IPPROTO_TCP, TCP_KEEPCNT, 4);
  set(IPPROTO_TCP, TCP_NODELAY, 1);
}

}  // namespace cp
