// SPDX-License-Identifier: BSD-3-Clause
// Who this gateway is, and whom it believes: a certificate with its key, and either the fingerprint
// of the peer's certificate or a CA file (then the certificate has to be for the peer's name).
// Either way a certificate counts only between its dates.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>

#include <tl/expected.hpp>

namespace anabranch::control {

struct IdentityFiles {
  std::string certificate, key;  // PEM
  std::string peer_name;
  std::string peer_fingerprint;  // "sha256:…", or
  std::string ca;                // PEM: certificates of CAs
};

class Identity {
 public:
  // The error: which file cannot be used, why, and what to do. Keys that others can read are
  // refused.
  static tl::expected<std::unique_ptr<Identity>, std::string> open(const IdentityFiles& files);
  Identity(const Identity&) = delete;
  Identity& operator=(const Identity&) = delete;

  SSL_CTX* context() const { return context_.get(); }
  const std::string& peer_name() const { return peer_name_; }

  // Why a certificate chain is not the peer's, as a sentence; empty: it is.
  std::string objection(X509_STORE_CTX* chain) const;

 private:
  struct Free {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  };
  Identity() = default;

  std::unique_ptr<SSL_CTX, Free> context_;
  std::string peer_name_, peer_fingerprint_;
};

// "sha256:" and the hexadecimal SHA-256 of a certificate's DER form.
std::string fingerprint(const X509* certificate);
// The same of a PEM file.
tl::expected<std::string, std::string> fingerprint_of_file(const std::string& file);

// Makes an Ed25519 key and a certificate for `name`, signed by itself, in `folder`: NAME.key, which
// only its owner can read, and NAME.crt. Overwrites nothing. Returns the fingerprint.
tl::expected<std::string, std::string> make_identity(const std::string& name,
                                                     const std::string& folder, int days);

}  // namespace anabranch::control
