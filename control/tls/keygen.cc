// SPDX-License-Identifier: BSD-3-Clause
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "control/tls/identity.h"

namespace anabranch::control {
namespace {

struct Free {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(FILE* file) const { std::fclose(file); }
};
using Certificate = std::unique_ptr<X509, Free>;
using File = std::unique_ptr<FILE, Free>;

bool add_extension(X509* certificate, int nid, const std::string& value) {
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str());
  const bool added = extension != nullptr && X509_add_ext(certificate, extension, -1) == 1;
  X509_EXTENSION_free(extension);
  return added;
}

Certificate self_signed(EVP_PKEY* key, const std::string& name, int days) {
  constexpr int kVersion3 = 2;
  constexpr long kDay = 24 * 60 * 60;
  Certificate certificate(X509_new());
  X509* x = certificate.get();
  uint64_t serial = 0;
  if (RAND_bytes(reinterpret_cast<uint8_t*>(&serial), sizeof serial) != 1) return nullptr;
  X509_set_version(x, kVersion3);
  ASN1_INTEGER_set_uint64(X509_get_serialNumber(x), serial >> 1);
  X509_gmtime_adj(X509_getm_notBefore(x), -kDay);  // the peer's clock may be behind
  X509_time_adj_ex(X509_getm_notAfter(x), days, 0, nullptr);
  X509_set_pubkey(x, key);
  X509_NAME* subject = X509_get_subject_name(x);
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                             reinterpret_cast<const uint8_t*>(name.c_str()), -1, -1, 0);
  X509_set_issuer_name(x, subject);
  if (!add_extension(x, NID_basic_constraints, "critical,CA:FALSE") ||
      !add_extension(x, NID_subject_alt_name, "DNS:" + name) || X509_sign(x, key, nullptr) == 0) {
    return nullptr;
  }
  return certificate;
}

// A new file only: what is there may be the only copy of a key.
File create(const std::string& name, mode_t mode) {
  const int fd = open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  return File(fd < 0 ? nullptr : fdopen(fd, "w"));
}

tl::unexpected<std::string> cannot_make(const std::string& name) {
  const int error = errno;
  return tl::unexpected(name + ": cannot be made: " + std::strerror(error) +
                        (error == EEXIST ? "; keygen overwrites nothing" : ""));
}

}  // namespace

std::string fingerprint(const X509* certificate) {
  std::array<uint8_t, EVP_MAX_MD_SIZE> digest{};
  unsigned length = 0;
  X509_digest(certificate, EVP_sha256(), digest.data(), &length);
  std::string text = "sha256:";
  for (unsigned i = 0; i < length; ++i) {
    text += "0123456789abcdef"[digest[i] >> 4];
    text += "0123456789abcdef"[digest[i] & 15];
  }
  return text;
}

tl::expected<std::string, std::string> fingerprint_of_file(const std::string& file) {
  const File in(std::fopen(file.c_str(), "re"));
  if (!in) return tl::unexpected(file + ": cannot be read: " + std::strerror(errno));
  const Certificate certificate(PEM_read_X509(in.get(), nullptr, nullptr, nullptr));
  if (!certificate) return tl::unexpected(file + ": is no certificate (PEM)");
  return fingerprint(certificate.get());
}

tl::expected<std::string, std::string> make_identity(const std::string& name,
                                                     const std::string& folder, int days) {
  const bool is_name =
      !name.empty() && name.size() <= 32 &&
      name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string::npos;
  if (!is_name) {
    return tl::unexpected("\"" + name +
                          "\" is no gateway's name: 1 to 32 characters out of a-z, 0-9 and -");
  }
  const std::string base = folder + "/" + name;
  const std::unique_ptr<EVP_PKEY, Free> key(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  const Certificate certificate = key ? self_signed(key.get(), name, days) : nullptr;
  if (!certificate) return tl::unexpected("no key could be made for \"" + name + "\"");
  const File key_file = create(base + ".key", 0600);
  if (!key_file) return cannot_make(base + ".key");
  const File certificate_file = create(base + ".crt", 0644);
  if (!certificate_file) {
    const auto error = cannot_make(base + ".crt");
    unlink((base + ".key").c_str());
    return error;
  }
  const bool written =
      PEM_write_PrivateKey(key_file.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1 &&
      PEM_write_X509(certificate_file.get(), certificate.get()) == 1 &&
      std::fflush(key_file.get()) == 0 && std::fflush(certificate_file.get()) == 0;
  if (written) return fingerprint(certificate.get());
  const int error = errno;
  unlink((base + ".key").c_str());
  unlink((base + ".crt").c_str());
  return tl::unexpected(base + ".key: cannot be written: " + std::strerror(error));
}

}  // namespace anabranch::control
