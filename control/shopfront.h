// SPDX-License-Identifier: BSD-3-Clause
// The gateway as a provider (negotiation/shop.h), as a client meets it: what is for sale is what
// the client would be given by its own profile and tariff, up to [shop] bandwidth for all; an
// order is a service of the client's for the ordered window. Control thread.
#pragma once

#include <map>
#include <string>

#include "control/books.h"
#include "control/document_store.h"
#include "control/negotiation/shop.h"
#include "control/services.h"

namespace anabranch::control {

class Shopfront {
 public:
  Shopfront(const Config& config, const DocumentStore& documents, Books& books, Services& services);

  // After a restart: what is quoted and ordered goes on.
  tl::expected<void, std::string> reopen();
  bool is_open() const { return config_.shop_bps != 0; }
  // The answer comes when what it says is stored.
  negotiation::Reply handle(const negotiation::Asked& asked);
  // Every second: orders become services, and cancelled ones end.
  void tick();

 private:
  std::optional<negotiation::Spare> spare() const;
  void serve(const negotiation::Shop::Sold& sold);
  nlohmann::json request_of(const negotiation::Shop::Sold& sold) const;
  std::string document_id() const { return config_.name; }

  const Config& config_;
  const DocumentStore& documents_;
  Books& books_;
  Services& services_;
  std::string buyer_;  // who is being answered
  negotiation::Shop shop_;
  std::map<std::string, int64_t> tried_ns_;  // orders that are no service yet, by id
};

}  // namespace anabranch::control
