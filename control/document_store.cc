// SPDX-License-Identifier: BSD-3-Clause
#include "control/document_store.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "billing/card_number.h"
#include "billing/guide_price.h"
#include "control/json_reader.h"

namespace anabranch::control {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

std::vector<fs::path> files_of(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(folder, none)) {
    if (entry.path().extension() == ".json") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

Answer refuse(int status, const std::string& title, const std::string& detail,
              const FieldErrors& errors) {
  return {status, problem(status, title, detail, errors)};
}

FieldErrors DocumentStore::take(const std::string& kind, const json& document, std::string& id) {
  const auto check = [&](const auto& parsed) -> FieldErrors {
    if (!parsed) {
      FieldErrors errors;
      for (const auto& e : parsed.error()) errors.push_back({e.pointer, e.detail});
      return errors;
    }
    id = parsed->id;
    raw_[kind][id] = document;
    return {};
  };
  const auto store = [&](auto parsed, auto& map) {
    FieldErrors errors = check(parsed);
    if (errors.empty()) map.insert_or_assign(id, std::move(*parsed));
    return errors;
  };
  if (kind == "clients") return store(parse_client(document), clients_);
  if (kind == "profiles") return store(parse_profile(document), profiles_);
  if (kind == "slas") {
    if (FieldErrors errors = take_objectives(document); !errors.empty()) return errors;
    return store(billing::parse_agreement(document), slas_);
  }
  if (kind == "providers") {
    if (FieldErrors errors = take_sells(document); !errors.empty()) return errors;
    return store(billing::parse_provider(document), providers_);
  }
  if (kind == "quotas") return store(parse_quota(document), quotas_);
  if (kind == "networks") return store(parse_network(document), networks_);
  if (kind == "uplinks") return store(parse_uplink(document), uplinks_);
  if (kind == "tokens") return store(parse_token(document), tokens_);
  if (kind == "rates") return check(billing::parse_rates(document));
  if (kind == "issuers") return check(billing::parse_issuer(document));
  return store(billing::parse_tariff(document), tariffs_);
}

FieldErrors DocumentStore::take_sells(const json& provider) {
  auto sells = parse_sells(provider);
  if (!sells) return sells.error();
  const json id = provider.is_object() ? provider.value("id", json()) : json();
  if (!id.is_string()) return {};  // the other half says so
  if (*sells)
    sells_.insert_or_assign(id, std::move(**sells));
  else
    sells_.erase(id);
  return {};
}

FieldErrors DocumentStore::take_objectives(const json& agreement) {
  auto objectives = parse_objectives(agreement);
  if (!objectives) return objectives.error();
  const json id = agreement.is_object() ? agreement.value("id", json()) : json();
  if (id.is_string()) objectives_.insert_or_assign(id, std::move(*objectives));
  return {};  // the other half says what else is wrong
}

const std::vector<Objective>& DocumentStore::objectives(const std::string& sla) const {
  static const std::vector<Objective> kNone;
  const auto* found = find(objectives_, sla);
  return found == nullptr ? kNone : *found;
}

FieldErrors DocumentStore::mistakes(const std::string& kind, const json& document) {
  DocumentStore nothing;
  std::string id;
  return nothing.take(kind, document, id);
}

tl::expected<DocumentStore, std::string> DocumentStore::read(const std::string& folder) {
  DocumentStore store;
  std::string errors;
  if (!fs::is_directory(folder)) {
    return tl::unexpected(
        folder +
        ": no such folder; expected the folder of clients/, profiles/, tariffs/ and others");
  }
  for (const std::string kind : kDocumentKinds) {
    for (const fs::path& file : files_of(fs::path(folder) / kind)) {
      std::ifstream in(file);
      std::ostringstream text;
      text << in.rdbuf();
      const auto document = parse_json(text.str());
      if (!document) {
        errors += file.string() + ": " + document.error() + "\n";
        continue;
      }
      if (const auto at = card_number_in(*document)) {
        errors += file.string() + ": " + *at + ": " + billing::kCardNumberRefused + "\n";
        continue;
      }
      std::string id;
      for (const FieldError& e : store.take(kind, *document, id)) {
        errors += file.string() + ": " + e.pointer + ": " + e.detail + "\n";
      }
      if (!id.empty() && !store.from_file_.insert({kind, id}).second) {
        errors += file.string() + ": /id: \"" + id + "\" is defined by another file too\n";
      }
    }
  }
  if (store.tariff(kHouseTariff) == nullptr) {
    errors +=
        folder + "/tariffs: no tariff has the id \"house\"; it prices what belongs to no client\n";
  }
  if (!errors.empty()) {
    errors.pop_back();
    return tl::unexpected(errors);
  }
  return store;
}

tl::expected<void, std::string> DocumentStore::add_stored(Books& books) {
  for (const std::string kind : kDocumentKinds) {
    const auto stored = books.documents(kind);
    if (!stored) return tl::unexpected(stored.error());
    for (const auto& [id, text] : *stored) {
      std::string taken;
      if (!from_file_.contains({kind, id})) take(kind, json::parse(text, nullptr, false), taken);
    }
  }
  return books.put_documents(drafts());
}

std::vector<billing::DocumentDraft> DocumentStore::drafts() const {
  std::vector<billing::DocumentDraft> all;
  for (const auto& [kind, id] : from_file_) all.push_back({kind, id, raw_.at(kind).at(id).dump()});
  return all;
}

const billing::Tariff* DocumentStore::tariff_of_provider(const std::string& provider) const {
  const billing::ProviderTerms* terms = find(providers_, provider);
  return terms == nullptr ? nullptr : tariff(terms->tariff);
}

const Token* DocumentStore::token(const std::string& sha256) const {
  for (const auto& [id, token] : tokens_) {
    if (token.sha256 == sha256 && !token.revoked) return &token;
  }
  return nullptr;
}

Answer DocumentStore::put(Books& books, const std::string& kind, const std::string& id,
                          const json& document) {
  if (from_file_.contains({kind, id})) {
    return refuse(
        409, "Defined by a file",
        kind + "/" + id + " is defined by a file of the gateway; change it there, and reload");
  }
  if (!document.is_object() || document.value("id", json()) != id) {
    return refuse(400, "Wrong document", "the document's id differs from the one in the address",
                  {{"/id", "expected \"" + id + "\""}});
  }
  // Parsed into a copy first: what is refused or cannot be stored changes nothing.
  DocumentStore next = *this;
  std::string taken;
  if (const FieldErrors errors = next.take(kind, document, taken); !errors.empty()) {
    return refuse(400, "Wrong document", std::to_string(errors.size()) + " field(s) are wrong",
                  errors);
  }
  if (const auto stored = books.put_document(kind, id, document.dump()); !stored) {
    return refuse(500, "Not stored", stored.error());
  }
  *this = std::move(next);
  if (kind == "quotas") ++quotas_version_;
  return {200, document};
}

std::string DocumentStore::unpriced(const Config& config) const {
  for (const UplinkConfig& uplink : config.uplinks) {
    if (billing::guide_price(*tariff(kHouseTariff), uplink.provider, uplink.network, uplink.name,
                             tariff_of_provider(uplink.provider)))
      continue;
    return config.documents_dir + "/tariffs: tariff \"house\" has no price for provider \"" +
           uplink.provider + "\" of uplink \"" + uplink.name + "\"";
  }
  return {};
}

std::vector<std::string> DocumentStore::replace_by(DocumentStore other) {
  std::vector<std::string> changed;
  for (const auto& [kind, documents] : other.raw_) {
    for (const auto& [id, document] : documents) {
      const auto all = raw_.find(kind);
      if (all == raw_.end() || !all->second.contains(id) || all->second.at(id) != document)
        changed.push_back(kind + "/" + id);
    }
  }
  other.quotas_version_ = quotas_version_ + (other.raw_["quotas"] == raw_["quotas"] ? 0 : 1);
  *this = std::move(other);
  return changed;
}

Answer DocumentStore::get(const std::string& kind, const std::string& id) const {
  const auto all = raw_.find(kind);
  if (all == raw_.end() || !all->second.contains(id)) return missing(kind, id);
  return {200, all->second.at(id)};
}

Answer DocumentStore::missing(const std::string& kind, const std::string& id) {
  return refuse(404, "Not found", "there is no " + kind + "/" + id);
}

Answer DocumentStore::list(const std::string& kind) const {
  json result = json::array();
  if (const auto all = raw_.find(kind); all != raw_.end()) {
    for (const auto& [id, document] : all->second) result.push_back(document);
  }
  return {200, result};
}

}  // namespace anabranch::control
