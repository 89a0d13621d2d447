// SPDX-License-Identifier: BSD-3-Clause
#include "billing/delivery.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <map>

#include "billing/statement_format.h"

namespace anabranch::billing {
namespace {

namespace fs = std::filesystem;
using Status = tl::expected<void, std::string>;

tl::unexpected<std::string> failed(const fs::path& file, const char* what) {
  return tl::unexpected(file.string() + ": " + what + ": " + std::strerror(errno));
}

Status write_whole(const fs::path& file, const std::string& text) {
  const fs::path part = file.string() + ".part";
  const int fd = ::open(part.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
  if (fd < 0) return failed(part, "cannot be made");
  size_t done = 0;
  bool good = true;
  while (good && done < text.size()) {
    const ssize_t written = ::write(fd, text.data() + done, text.size() - done);
    good = written > 0;
    if (good) done += static_cast<size_t>(written);
  }
  good = good && fsync(fd) == 0;
  const int error = errno;
  close(fd);
  errno = error;
  if (!good) return failed(part, "cannot be written");
  if (rename(part.c_str(), file.c_str()) != 0) return failed(file, "cannot be made");
  return {};
}

Status deliver_one(const StoredStatement& s, const std::string& client, Format format,
                   const fs::path& folder, size_t& made) {
  const fs::path place = folder / plain_name(client);
  const fs::path file = place / (plain_name(s.issuer) + "-" + s.name() + extension(format));
  std::error_code error;
  if (fs::exists(file, error)) return {};
  fs::create_directories(place, error);
  if (error) return tl::unexpected(place.string() + ": cannot be made: " + error.message());
  const auto text = render(nlohmann::json::parse(s.document, nullptr, false), format);
  if (!text) return tl::unexpected("statement " + s.name() + ": " + text.error());
  if (auto written = write_whole(file, *text); !written) return written;
  ++made;
  return {};
}

}  // namespace

std::string plain_name(std::string name) {
  for (char& c : name) {
    const bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!good) c = '-';
  }
  return name;
}

tl::expected<size_t, std::string> deliver(const Ledger& ledger, const std::string& folder,
                                          int64_t since_ns) {
  const auto documents = BillingDocuments::read(ledger);
  if (!documents) return tl::unexpected(documents.error());
  const auto statements = ledger.statements_since(since_ns);
  if (!statements) return tl::unexpected(statements.error().text);
  size_t made = 0;
  std::string first_error;
  for (const StoredStatement& s : *statements) {
    const std::string client = Ledger::client_of(s.account);
    if (client.empty()) continue;
    const auto terms = documents->client(client, s.to_ns - 1);
    if (!terms) continue;  // closed by terms that were understood: there is nothing to go by now
    for (const Format format : terms->preferences.delivery) {
      const auto done = deliver_one(s, client, format, folder, made);
      if (!done && first_error.empty()) first_error = done.error();
    }
  }
  if (!first_error.empty()) return tl::unexpected(first_error);
  return made;
}

}  // namespace anabranch::billing
