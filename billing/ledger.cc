// SPDX-License-Identifier: BSD-3-Clause
// The ledger's catalogue: paths, services, tariffs, documents.
#include "billing/ledger.h"

#include <algorithm>
#include <filesystem>
#include <random>

#include "billing/ledger_rows.h"
#include "billing/ledger_schema.h"

namespace anabranch::billing {
namespace {

using Status = Ledger::Status;
using Mode = Store::Mode;

ServiceEntry read_service(const Row& r) {
  ServiceEntry entry{r.bits(0), r.text(1), r.text(2), r.text(3), r.text(4), r.integer(5), {}};
  if (!r.is_null(6)) entry.closed_ns = r.integer(6);
  return entry;
}
const std::string kServiceColumns =
    "SELECT id, client, tariff, tariff_version, request, opened_ns, closed_ns FROM services ";

// Tells a service that is being opened from others, whatever becomes of the connection meanwhile.
std::string new_token() {
  std::random_device random;
  std::string token;
  for (int i = 0; i < 4; ++i) token += std::to_string(random()) + "-";
  return token;
}

DocumentVersion read_version(const Row& r) {
  return {r.integer(0), r.integer(1), r.text(2)};
}

}  // namespace

std::string sentence(const StoreError& error) {
  return error.text;
}

tl::expected<Ledger, std::string> Ledger::open(const std::string& where,
                                               const std::string& gateway) {
  auto store = Store::open(where);
  if (!store) return tl::unexpected(sentence(store.error()));
  return open(std::move(*store), gateway);
}

tl::expected<Ledger, std::string> Ledger::open(std::unique_ptr<Store> store,
                                               const std::string& gateway) {
  if (auto migrated = migrate(*store, gateway); !migrated)
    return tl::unexpected(sentence(migrated.error()));
  return Ledger(std::move(store), gateway);
}

tl::expected<Ledger, std::string> Ledger::open_existing(const std::string& where) {
  if (!Store::is_url(where) && !std::filesystem::exists(where))
    return tl::unexpected("ledger " + where + ": there is no such file");
  auto store = Store::open(where);
  if (!store) return tl::unexpected(sentence(store.error()));
  if (auto right = check_version(**store); !right) return tl::unexpected(sentence(right.error()));
  return Ledger(std::move(*store), "");
}

tl::expected<uint16_t, std::string> Ledger::path_id(const std::string& name,
                                                    const std::string& provider,
                                                    const std::string& network) {
  int64_t id = 0;
  const auto known = [&]() -> Stored<bool> {
    const auto rows = store_->query(
        "SELECT id FROM paths WHERE gateway = $1 AND name = $2 AND provider = $3 AND network = $4",
        gateway_, name, provider, network);
    if (!rows) return tl::unexpected(rows.error());
    if (!rows->empty()) id = rows->front().integer(0);
    return !rows->empty();
  };
  return store_
      ->transact(Mode::write,
                 [&]() -> Stored<void> {
                   const auto found = known();
                   if (!found) return tl::unexpected(found.error());
                   if (*found) return {};
                   const auto last = store_->query(
                       "SELECT coalesce(max(id), 0) FROM paths WHERE gateway = $1", gateway_);
                   if (!last) return tl::unexpected(last.error());
                   id = last->front().integer(0) + 1;
                   if (id > UINT16_MAX)
                     return refused("ledger: more than 65535 paths were ever used");
                   return store_->run("INSERT INTO paths VALUES($1, $2, $3, $4, $5)", gateway_, id,
                                      name, provider, network);
                 })
      .map([&] { return static_cast<uint16_t>(id); })
      .map_error(sentence);
}

Status Ledger::keep_path(uint16_t id, const PathEntry& path) {
  return store_
      ->transact(Mode::write,
                 [&] {
                   return store_->run(
                       "INSERT INTO paths VALUES($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
                       gateway_, id, path.name, path.provider, path.network);
                 })
      .map_error(sentence);
}

std::optional<PathEntry> Ledger::path(uint16_t id) const {
  const auto rows = store_->read(
      "SELECT name, provider, network FROM paths WHERE gateway = $1 AND id = $2", gateway_, id);
  if (!rows || rows->empty()) return std::nullopt;
  const Row& r = rows->front();
  return PathEntry{r.text(0), r.text(1), r.text(2)};
}

tl::expected<std::map<uint16_t, PathEntry>, std::string> Ledger::paths() const {
  const auto rows =
      store_->read("SELECT id, name, provider, network FROM paths WHERE gateway = $1", gateway_);
  if (!rows) return tl::unexpected(sentence(rows.error()));
  std::map<uint16_t, PathEntry> all;
  for (const Row& r : *rows)
    all[static_cast<uint16_t>(r.integer(0))] = {r.text(1), r.text(2), r.text(3)};
  return all;
}

Stored<std::map<std::pair<std::string, uint16_t>, PathEntry>> Ledger::all_paths() const {
  const auto rows = store_->read("SELECT gateway, id, name, provider, network FROM paths");
  if (!rows) return tl::unexpected(rows.error());
  std::map<std::pair<std::string, uint16_t>, PathEntry> all;
  for (const Row& r : *rows)
    all[{r.text(0), static_cast<uint16_t>(r.integer(1))}] = {r.text(2), r.text(3), r.text(4)};
  return all;
}

tl::expected<uint64_t, std::string> Ledger::open_service(const std::string& client,
                                                         const Tariff& tariff,
                                                         const std::string& request,
                                                         int64_t wall_ns) {
  const std::string token = new_token();
  uint64_t id = 0;
  return store_
      ->transact(
          Mode::write,
          [&]() -> Stored<void> {
            const auto known = store_->query("SELECT id FROM services WHERE token = $1", token);
            if (!known) return tl::unexpected(known.error());
            if (!known->empty()) {
              id = known->front().bits(0);
              return {};
            }
            if (auto put = put_tariff_here(tariff); !put) return put;
            const auto last = store_->query(
                "SELECT coalesce(max(id), 0) FROM services WHERE gateway = $1", gateway_);
            if (!last) return tl::unexpected(last.error());
            const auto reserved =
                store_->query("SELECT value FROM state WHERE name = $1", "services:" + gateway_);
            if (!reserved) return tl::unexpected(reserved.error());
            id =
                std::max(last->front().bits(0), reserved->empty() ? 0 : reserved->front().bits(0)) +
                1;
            return store_->run("INSERT INTO services VALUES($1, $2, $3, $4, $5, $6, $7, $8, NULL)",
                               gateway_, id, token, client, tariff.id, tariff.version, request,
                               wall_ns);
          })
      .map([&] { return id; })
      .map_error(sentence);
}

Status Ledger::reserve_service_ids(uint64_t through) {
  return store_
      ->transact(Mode::write,
                 [&] {
                   return store_->run(
                       "INSERT INTO state VALUES($1, $2) ON CONFLICT(name) DO UPDATE SET value = "
                       "excluded.value WHERE excluded.value > state.value",
                       "services:" + gateway_, through);
                 })
      .map_error(sentence);
}

Status Ledger::close_service(uint64_t id, int64_t wall_ns) {
  return store_
      ->transact(Mode::write,
                 [&] {
                   return store_->run(
                       "UPDATE services SET closed_ns = $1 WHERE gateway = $2 AND id = $3 AND "
                       "closed_ns IS NULL",
                       wall_ns, gateway_, id);
                 })
      .map_error(sentence);
}

Status Ledger::change_request(uint64_t id, const std::string& request) {
  return store_
      ->transact(Mode::write,
                 [&] {
                   return store_->run(
                       "UPDATE services SET request = $1 WHERE gateway = $2 AND id = $3 AND "
                       "closed_ns IS NULL",
                       request, gateway_, id);
                 })
      .map_error(sentence);
}

tl::expected<std::vector<ServiceEntry>, std::string> Ledger::services() const {
  const auto rows = store_->read(kServiceColumns + "WHERE gateway = $1 ORDER BY id", gateway_);
  if (!rows) return tl::unexpected(sentence(rows.error()));
  std::vector<ServiceEntry> all;
  for (const Row& r : *rows) all.push_back(read_service(r));
  return all;
}

std::optional<ServiceEntry> Ledger::service(uint64_t id) const {
  const auto rows = store_->read(kServiceColumns + "WHERE gateway = $1 AND id = $2", gateway_, id);
  if (!rows || rows->empty()) return std::nullopt;
  return read_service(rows->front());
}

Stored<std::vector<ClientService>> Ledger::client_services() const {
  const auto rows = store_->read(
      "SELECT gateway, id, client, opened_ns, closed_ns, request FROM services "
      "ORDER BY gateway, id");
  if (!rows) return tl::unexpected(rows.error());
  std::vector<ClientService> all;
  for (const Row& r : *rows) {
    all.push_back({r.text(0), r.bits(1), r.text(2), r.integer(3),
                   r.is_null(4) ? std::nullopt : std::optional(r.integer(4)), r.text(5)});
  }
  return all;
}

Stored<std::set<std::string>> Ledger::gateways() const {
  const auto rows = store_->read("SELECT DISTINCT gateway FROM paths");
  if (!rows) return tl::unexpected(rows.error());
  std::set<std::string> all;
  for (const Row& r : *rows) all.insert(r.text(0));
  return all;
}

Stored<void> Ledger::put_tariff_here(const Tariff& tariff) {
  return store_->run("INSERT INTO tariffs VALUES($1, $2, $3) ON CONFLICT DO NOTHING", tariff.id,
                     tariff.version, tariff.text);
}

Status Ledger::put_tariff(const Tariff& tariff) {
  return store_->transact(Mode::write, [&] { return put_tariff_here(tariff); }).map_error(sentence);
}

std::optional<Tariff> Ledger::tariff(const std::string& id, const std::string& version) const {
  const auto rows =
      store_->read("SELECT text FROM tariffs WHERE id = $1 AND version = $2", id, version);
  if (!rows || rows->empty()) return std::nullopt;
  auto parsed = parse_tariff(nlohmann::json::parse(rows->front().text(0), nullptr, false));
  if (!parsed) return std::nullopt;
  return std::move(*parsed);
}

Stored<void> Ledger::put_document_here(const DocumentDraft& draft) {
  const auto last = store_->query(
      "SELECT number, valid_from_ns, text FROM documents WHERE kind = $1 AND id = $2 ORDER BY "
      "number DESC LIMIT 1",
      draft.kind, draft.id);
  if (!last) return tl::unexpected(last.error());
  int64_t number = 1;
  if (!last->empty()) {
    const DocumentVersion newest = read_version(last->front());
    if (newest.text == draft.text && newest.valid_from_ns <= draft.valid_from_ns) return {};
    number = newest.number + 1;
  }
  return store_->run("INSERT INTO documents VALUES($1, $2, $3, $4, $5)", draft.kind, draft.id,
                     number, draft.valid_from_ns, draft.text);
}

Status Ledger::put_document(const std::string& kind, const std::string& id, const std::string& text,
                            int64_t valid_from_ns) {
  return store_
      ->transact(Mode::write,
                 [&] {
                   return put_document_here({kind, id, text, valid_from_ns});
                 })
      .map_error(sentence);
}

Status Ledger::put_documents(std::span<const DocumentDraft> documents) {
  return store_
      ->transact(Mode::write,
                 [&]() -> Stored<void> {
                   for (const DocumentDraft& d : documents) {
                     if (auto put = put_document_here(d); !put) return put;
                   }
                   return {};
                 })
      .map_error(sentence);
}

tl::expected<std::vector<std::pair<std::string, std::string>>, std::string> Ledger::documents(
    const std::string& kind) const {
  const auto rows = store_->read(
      "SELECT d.id, d.text FROM documents d WHERE d.kind = $1 AND d.number = (SELECT "
      "max(number) FROM documents WHERE kind = d.kind AND id = d.id)",
      kind);
  if (!rows) return tl::unexpected(sentence(rows.error()));
  std::vector<std::pair<std::string, std::string>> all;
  for (const Row& r : *rows) all.emplace_back(r.text(0), r.text(1));
  std::sort(all.begin(), all.end());
  return all;
}

// Of two that are in force since the same time, the one that was stored later.
Stored<std::optional<DocumentVersion>> Ledger::document(const std::string& kind,
                                                        const std::string& id,
                                                        int64_t at_ns) const {
  const auto rows = store_->read(
      "SELECT number, valid_from_ns, text FROM documents WHERE kind = $1 AND id = $2 AND "
      "valid_from_ns <= $3 ORDER BY valid_from_ns DESC, number DESC LIMIT 1",
      kind, id, at_ns);
  if (!rows) return tl::unexpected(rows.error());
  if (rows->empty()) return std::nullopt;
  return read_version(rows->front());
}

Stored<std::vector<DocumentVersion>> Ledger::document_versions(const std::string& kind,
                                                               const std::string& id) const {
  const auto rows = store_->read(
      "SELECT number, valid_from_ns, text FROM documents WHERE kind = $1 AND id = $2 ORDER BY "
      "number",
      kind, id);
  if (!rows) return tl::unexpected(rows.error());
  std::vector<DocumentVersion> all;
  for (const Row& r : *rows) all.push_back(read_version(r));
  return all;
}

Stored<std::map<std::string, std::vector<DocumentVersion>>> Ledger::document_history(
    const std::string& kind) const {
  const auto rows = store_->read(
      "SELECT number, valid_from_ns, text, id FROM documents WHERE kind = $1 ORDER BY "
      "valid_from_ns, number",
      kind);
  if (!rows) return tl::unexpected(rows.error());
  std::map<std::string, std::vector<DocumentVersion>> all;
  for (const Row& r : *rows) all[r.text(3)].push_back(read_version(r));
  return all;
}

}  // namespace anabranch::billing
