// SPDX-License-Identifier: BSD-3-Clause
#include "billing/preferences.h"

#include <algorithm>

#include "billing/period.h"

namespace anabranch::billing {
namespace {

void read_presentation(DocumentReader& r, Preferences& preferences) {
  if (const auto i = r.choice("statements", kStatementsNames, false))
    preferences.statements = static_cast<Statements>(*i);
  if (const auto i = r.choice("provider_charges", kProviderChargesNames, false))
    preferences.provider_charges = static_cast<ProviderCharges>(*i);
  preferences.currency = r.text("currency", "an ISO 4217 code such as \"EUR\"", false);
  if (!preferences.currency.empty() && !minor_digits(preferences.currency))
    r.wrong("currency", "\"" + preferences.currency +
                            "\" is no currency known; expected an ISO "
                            "4217 code such as EUR");
  for (const size_t i : r.choices("delivery", kFormatNames))
    preferences.delivery.push_back(static_cast<Format>(i));
  for (const size_t i : r.choices("mail", kFormatNames))
    preferences.mail.push_back(static_cast<Format>(i));
}

std::string preference_name(auto value, const auto& names) {
  return std::string(names[static_cast<size_t>(value)]);
}

}  // namespace

Preferences Preferences::over(const Preferences& others) const {
  Preferences both = *this;
  if (!both.statements) both.statements = others.statements;
  if (!both.provider_charges) both.provider_charges = others.provider_charges;
  if (both.currency.empty()) both.currency = others.currency;
  if (!both.cycle_day) both.cycle_day = others.cycle_day;
  if (both.zone.empty()) both.zone = others.zone;
  if (both.delivery.empty()) both.delivery = others.delivery;
  if (both.mail.empty()) both.mail = others.mail;
  if (!both.payment) both.payment = others.payment;
  return both;
}

std::string Preferences::against(const Preferences& wish) const {
  const Preferences both = over(wish);
  if (wish.statements && both.statements != wish.statements) return "statements";
  if (wish.provider_charges && both.provider_charges != wish.provider_charges)
    return "provider_charges";
  if (!wish.currency.empty() && both.currency != wish.currency) return "currency";
  if (!wish.delivery.empty() && both.delivery != wish.delivery) return "delivery";
  if (!wish.mail.empty() && both.mail != wish.mail) return "mail";
  if (wish.payment && both.payment != wish.payment) return "payment";
  return {};
}

bool Preferences::wants(Format format) const {
  const auto has = [&](const std::vector<Format>& all) {
    return std::find(all.begin(), all.end(), format) != all.end();
  };
  return has(delivery) || has(mail);
}

Preferences read_preferences(const nlohmann::json& document, const std::string& at,
                             DocumentErrors& errors) {
  DocumentReader r(document, at, "billing preferences",
                   {"statements", "provider_charges", "currency", "cycle_day", "zone", "delivery",
                    "mail", "payment"},
                   errors);
  Preferences preferences;
  if (!document.is_object()) return preferences;
  read_presentation(r, preferences);
  if (r.has("cycle_day")) {
    if (const auto day = r.whole("cycle_day", 1, 31))
      preferences.cycle_day = static_cast<unsigned>(*day);
  }
  preferences.zone = r.text("zone", "a time zone such as \"Europe/Berlin\"", false);
  if (!preferences.zone.empty()) {
    if (const auto zone = Zone::find(preferences.zone); !zone) r.wrong("zone", zone.error());
  }
  if (const auto* payment = r.member("payment"))
    preferences.payment = read_payment_terms(*payment, r.at("payment"), errors);
  return preferences;
}

Preferences read_wish(const nlohmann::json& document, const std::string& at,
                      DocumentErrors& errors) {
  DocumentReader r(document, at, "what a request may ask for of billing",
                   {"statements", "provider_charges", "currency", "delivery", "mail", "payment"},
                   errors);
  Preferences wish;
  if (!document.is_object()) return wish;
  read_presentation(r, wish);
  if (const auto* payment = r.member("payment"))
    wish.payment = read_payment_wish(*payment, r.at("payment"), errors);
  return wish;
}

nlohmann::json to_json(const Preferences& p) {
  nlohmann::json out = nlohmann::json::object();
  if (p.statements) out["statements"] = preference_name(*p.statements, kStatementsNames);
  if (p.provider_charges)
    out["provider_charges"] = preference_name(*p.provider_charges, kProviderChargesNames);
  if (!p.currency.empty()) out["currency"] = p.currency;
  if (p.cycle_day) out["cycle_day"] = *p.cycle_day;
  if (!p.zone.empty()) out["zone"] = p.zone;
  for (const Format format : p.delivery)
    out["delivery"].push_back(preference_name(format, kFormatNames));
  for (const Format format : p.mail) out["mail"].push_back(preference_name(format, kFormatNames));
  if (p.payment) out["payment"] = to_json(*p.payment);
  return out;
}

}  // namespace anabranch::billing
