// SPDX-License-Identifier: BSD-3-Clause
// Gateways that meter, journals on a disk, a ledger with documents: what periods are closed of.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "billing/closing.h"
#include "billing/journal.h"
#include "tests/billing/ledger_fixture.h"

namespace anabranch::billing {

inline constexpr int64_t kHour = 3600LL * 1'000'000'000;
inline constexpr uint64_t kGb = 1'000'000'000;  // octets
inline const Zone kBerlin = Zone::find("Europe/Berlin").value();

// A local day of 2026.
inline int64_t day(unsigned month, unsigned day, int year = 2026) {
  return kBerlin.begin_ns({year, month, day});
}

// A gateway's meters and its journal.
class MeteringGateway {
 public:
  MeteringGateway(const std::string& folder, const std::string& name, uint64_t region);

  void path(uint16_t id, const std::string& name, const std::string& provider);
  void service(uint64_t id, const std::string& client);
  // So many octets more, used in the time up to then.
  MeteringGateway& used(int64_t at_ns, uint64_t service, uint16_t path, uint64_t octets,
                        int64_t over_ns = kHour / 60, Direction direction = Direction::sent,
                        Kind kind = Kind::first);

  const std::string& folder() const { return folder_; }
  uint64_t octets() const;

 private:
  void journal(int64_t at_ns);

  std::string folder_;
  uint64_t region_;
  Catalogue catalogue_;
  std::map<MeterKey, Reading> readings_;
  std::unique_ptr<Journal> journal_;
};

class ClosingTest : public LedgerTest {
 protected:
  void SetUp() override;

  // In force from then on.
  void put(const std::string& kind, const nlohmann::json& document, int64_t from_ns = day(9, 1));
  // A service that is in the ledger and in the gateway's journal.
  uint64_t open_service(const std::string& gateway, const std::string& client, int64_t at_ns,
                        const nlohmann::json& request = nlohmann::json::object());
  MeteringGateway& gateway(const std::string& name) { return *gateways_.at(name); }
  void add_gateway(const std::string& name);

  Closer closer(std::vector<std::string> journals = {}, Ledger* ledger = nullptr);
  ClosingReport close(int64_t now_ns);
  // Each statement's document of an account, in the order of issue.
  std::vector<nlohmann::json> statements(const std::string& account);
  // "airmobile mobile 2.00" for each line of a statement.
  static std::string told(const nlohmann::json& statement);
  Amount gross(const std::string& account);
  // All octets of all statements, and of what the journals have.
  uint64_t octets_stated();
  uint64_t octets_used() const;

  std::optional<Ledger> ledger_;
  std::map<std::string, std::unique_ptr<MeteringGateway>> gateways_;
};

}  // namespace anabranch::billing
