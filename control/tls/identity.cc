// SPDX-License-Identifier: BSD-3-Clause
#include "control/tls/identity.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "control/tls/tls_stream.h"

namespace anabranch::control {
namespace {

std::string reason() {
  const unsigned long error = ERR_get_error();
  ERR_clear_error();
  const char* text = ERR_reason_error_string(error);
  return text == nullptr ? "unknown" : text;
}

std::string cannot_use(const std::string& file, const char* what) {
  return file + ": " + what + " cannot be read: " + reason();
}

// What others could read is no secret any more.
std::string exposed(const std::string& file) {
  struct stat s {};
  if (stat(file.c_str(), &s) != 0) return file + ": cannot be read: " + std::strerror(errno);
  if ((s.st_mode & 077) == 0) return {};
  return file +
         ": the key can be read by others than its owner; if none of them may have, run: "
         "chmod 600 " +
         file;
}

// Instead of the library's verification: pinned certificates have no chain.
int verify(X509_STORE_CTX* chain, void* identity) {
  const auto* ssl =
      static_cast<SSL*>(X509_STORE_CTX_get_ex_data(chain, SSL_get_ex_data_X509_STORE_CTX_idx()));
  const std::string objection = static_cast<Identity*>(identity)->objection(chain);
  if (objection.empty()) return 1;
  static_cast<TlsStream*>(SSL_get_app_data(ssl))->object(objection);
  X509_STORE_CTX_set_error(chain, X509_V_ERR_CERT_REJECTED);
  return 0;
}

std::string name_of(const X509* certificate) {
  char name[256] = "?";
  X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name, sizeof name);
  return name;
}

std::string date_of(const ASN1_TIME* time) {
  tm date{};
  char text[32] = "?";
  if (ASN1_TIME_to_tm(time, &date) == 1) strftime(text, sizeof text, "%Y-%m-%d", &date);
  return text;
}

}  // namespace

tl::expected<std::unique_ptr<Identity>, std::string> Identity::open(const IdentityFiles& files) {
  if (const std::string why = exposed(files.key); !why.empty()) return tl::unexpected(why);
  std::unique_ptr<Identity> identity(new Identity);
  identity->peer_name_ = files.peer_name;
  identity->peer_fingerprint_ = files.peer_fingerprint;
  identity->context_.reset(SSL_CTX_new(TLS_method()));
  SSL_CTX* c = identity->context_.get();
  SSL_CTX_set_min_proto_version(c, TLS1_3_VERSION);
  SSL_CTX_set_max_proto_version(c, TLS1_3_VERSION);
  // Each key phase is a handshake of its own: nothing is resumed.
  SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(c, 0);
  SSL_CTX_set_verify(c, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  SSL_CTX_set_cert_verify_callback(c, verify, identity.get());
  SSL_CTX_set_mode(c, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_max_cert_list(c, 16 * 1024);
  if (SSL_CTX_use_certificate_chain_file(c, files.certificate.c_str()) != 1)
    return tl::unexpected(cannot_use(files.certificate, "the certificate"));
  if (SSL_CTX_use_PrivateKey_file(c, files.key.c_str(), SSL_FILETYPE_PEM) != 1) {
    const bool other = ERR_GET_REASON(ERR_peek_error()) == X509_R_KEY_VALUES_MISMATCH;
    if (!other) return tl::unexpected(cannot_use(files.key, "the key"));
    ERR_clear_error();
    return tl::unexpected(files.key + ": is not the key of " + files.certificate);
  }
  if (!files.ca.empty() && SSL_CTX_load_verify_file(c, files.ca.c_str()) != 1)
    return tl::unexpected(cannot_use(files.ca, "the CA file"));
  return identity;
}

std::string Identity::objection(X509_STORE_CTX* chain) const {
  X509* leaf = X509_STORE_CTX_get0_cert(chain);
  if (leaf == nullptr) return "the peer showed no certificate";
  const std::string whose = "the certificate shown, of \"" + name_of(leaf) + "\", ";
  if (!peer_fingerprint_.empty()) {
    if (const std::string shown = fingerprint(leaf); shown != peer_fingerprint_)
      return whose + "has the fingerprint " + shown + ", which is not peer.fingerprint";
  }
  if (X509_cmp_current_time(X509_get0_notBefore(leaf)) > 0)
    return whose + "is valid only from " + date_of(X509_get0_notBefore(leaf)) + " on";
  if (X509_cmp_current_time(X509_get0_notAfter(leaf)) < 0)
    return whose + "expired on " + date_of(X509_get0_notAfter(leaf));
  if (!peer_fingerprint_.empty()) return {};
  if (X509_verify_cert(chain) != 1) {
    return whose + "is not vouched for by peer.ca: " +
           X509_verify_cert_error_string(X509_STORE_CTX_get_error(chain));
  }
  if (X509_check_host(leaf, peer_name_.data(), peer_name_.size(), 0, nullptr) != 1)
    return whose + "is not for \"" + peer_name_ + "\" (peer.name)";
  return {};
}

}  // namespace anabranch::control
