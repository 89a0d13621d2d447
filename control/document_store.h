// SPDX-License-Identifier: BSD-3-Clause
// Clients, their profiles and agreements, tariffs, and whom we owe and bill: from files at the
// start, or put over the API.
//
// A document that a file defines is changed in the file. All are kept in the ledger, each version
// with the time since when it is in force: periods are closed by them.
// Control thread.
#pragma once

#include <array>
#include <map>
#include <set>
#include <string>

#include "billing/billing_documents.h"
#include "billing/tariff.h"
#include "control/access.h"
#include "control/books.h"
#include "control/documents.h"
#include "control/network_document.h"
#include "control/quota.h"
#include "control/seller_document.h"

namespace anabranch::control {

struct Answer {
  int status = 200;
  nlohmann::json body;  // a problem document (RFC 9457) when status is 400 or more
};
Answer refuse(int status, const std::string& title, const std::string& detail,
              const FieldErrors& errors = {});

class DocumentStore {
 public:
  // Reads <folder>/<kind>/*.json. The error: every mistake, one a line,
  // `file: /pointer: what is wrong`.
  static tl::expected<DocumentStore, std::string> read(const std::string& folder);
  // What is of files, to be stored.
  std::vector<billing::DocumentDraft> drafts() const;
  // Adds what was put over the API earlier, and stores what is of files. Files win.
  tl::expected<void, std::string> add_stored(Books& books);

  const Client* client(const std::string& id) const { return find(clients_, id); }
  const Profile* profile(const std::string& id) const { return find(profiles_, id); }
  const billing::Tariff* tariff(const std::string& id) const { return find(tariffs_, id); }
  // By which we owe a provider; null: none is known.
  const billing::Tariff* tariff_of_provider(const std::string& provider) const;
  // Where the provider sells; null: it does not.
  const Sells* sells(const std::string& provider) const { return find(sells_, provider); }
  bool is_of_file(const std::string& kind, const std::string& id) const {
    return from_file_.contains({kind, id});
  }
  // By the hash of its secret; nullptr: none that is in force.
  const Token* token(const std::string& sha256) const;
  bool has_tokens() const { return !tokens_.empty(); }
  const billing::Agreement* agreement(const std::string& id) const { return find(slas_, id); }
  // What an agreement says a service is to be like; nothing, where there is none.
  const std::vector<Objective>& objectives(const std::string& sla) const;
  const NetworkDocument* network(const std::string& id) const { return find(networks_, id); }
  const UplinkDocument* uplink(const std::string& id) const { return find(uplinks_, id); }
  const std::map<std::string, Quota>& quotas() const { return quotas_; }
  // Another number after each change of one.
  uint64_t quotas_version() const { return quotas_version_; }
  // The tariff for what belongs to no client.
  static constexpr const char* kHouseTariff = "house";

  // What nobody could be charged for: the first uplink without a price, in words; or empty.
  std::string unpriced(const Config& config) const;
  // Becomes `other`. What is another document now, or new: "kind/id".
  std::vector<std::string> replace_by(DocumentStore other);

  // `kind` is one of kDocumentKinds.
  Answer put(Books& books, const std::string& kind, const std::string& id,
             const nlohmann::json& document);
  Answer get(const std::string& kind, const std::string& id) const;
  Answer list(const std::string& kind) const;
  // What is wrong with a document by itself.
  static FieldErrors mistakes(const std::string& kind, const nlohmann::json& document);
  static Answer missing(const std::string& kind, const std::string& id);

 private:
  template <typename T>
  static const T* find(const std::map<std::string, T>& all, const std::string& id) {
    const auto found = all.find(id);
    return found == all.end() ? nullptr : &found->second;
  }
  FieldErrors take(const std::string& kind, const nlohmann::json& document, std::string& id);
  FieldErrors take_sells(const nlohmann::json& provider);
  FieldErrors take_objectives(const nlohmann::json& agreement);

  std::map<std::string, Client> clients_;
  std::map<std::string, Profile> profiles_;
  std::map<std::string, billing::Agreement> slas_;
  std::map<std::string, std::vector<Objective>> objectives_;  // by agreement
  std::map<std::string, billing::Tariff> tariffs_;
  std::map<std::string, billing::ProviderTerms> providers_;
  std::map<std::string, Sells> sells_;
  std::map<std::string, Token> tokens_;
  std::map<std::string, NetworkDocument> networks_;
  std::map<std::string, UplinkDocument> uplinks_;
  std::map<std::string, Quota> quotas_;
  uint64_t quotas_version_ = 0;
  std::map<std::string, std::map<std::string, nlohmann::json>> raw_;  // by kind and id
  std::set<std::pair<std::string, std::string>> from_file_;
};

}  // namespace anabranch::control
