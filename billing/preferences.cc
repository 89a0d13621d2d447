// SPDX-License-Identifier: BSD-3-Clause
#include "billing/preferences.h"

#include <algorithm>

#include "billing/period.h"

namespace anabranch::billing {

Preferences Preferences::over(const Preferences& others) const {
  Preferences both = *this;
  if (!both.statements) both.statements = others.statements;
  if (!both.provider_charges) both.provider_charges = others.provider_charges;
  if (both.currency.empty()) both.currency = others.currency;
  if (!both.cycle_day) both.cycle_day = others.cycle_day;
  if (both.zone.empty()) both.zone = others.zone;
  if (both.delivery.empty()) both.delivery = others.delivery;
  if (both.mail.empty()) both.mail = others.mail;
  return both;
}

bool Preferences::wants(Format format) const {
  const auto has = [&](const std::vector<Format>& all) {
    return std::find(all.begin(), all.end(), format) != all.end();
  };
  return has(delivery) || has(mail);
}

Preferences read_preferences(const nlohmann::json& document, const std::string& at,
                             DocumentErrors& errors) {
  DocumentReader r(
      document, at, "billing preferences",
      {"statements", "provider_charges", "currency", "cycle_day", "zone", "delivery", "mail"},
      errors);
  Preferences preferences;
  if (!document.is_object()) return preferences;
  if (const auto i = r.choice("statements", kStatementsNames, false))
    preferences.statements = static_cast<Statements>(*i);
  if (const auto i = r.choice("provider_charges", kProviderChargesNames, false))
    preferences.provider_charges = static_cast<ProviderCharges>(*i);
  preferences.currency = r.text("currency", "an ISO 4217 code such as \"EUR\"", false);
  if (!preferences.currency.empty() && !minor_digits(preferences.currency))
    r.wrong("currency", "\"" + preferences.currency +
                            "\" is no currency known; expected an ISO "
                            "4217 code such as EUR");
  if (r.has("cycle_day")) {
    if (const auto day = r.whole("cycle_day", 1, 31))
      preferences.cycle_day = static_cast<unsigned>(*day);
  }
  preferences.zone = r.text("zone", "a time zone such as \"Europe/Berlin\"", false);
  if (!preferences.zone.empty()) {
    if (const auto zone = Zone::find(preferences.zone); !zone) r.wrong("zone", zone.error());
  }
  for (const size_t i : r.choices("delivery", kFormatNames))
    preferences.delivery.push_back(static_cast<Format>(i));
  for (const size_t i : r.choices("mail", kFormatNames))
    preferences.mail.push_back(static_cast<Format>(i));
  return preferences;
}

}  // namespace anabranch::billing
