// SPDX-License-Identifier: BSD-3-Clause
#include "billing/relations.h"

namespace anabranch::billing {
namespace {

constexpr int kMarginDecimals = 4;

Reseller read_reseller(const nlohmann::json& document, DocumentErrors& errors) {
  DocumentReader r(document, "/reseller", "a reseller", {"id", "margin_percent"}, errors);
  Reseller reseller;
  if (!document.is_object()) return reseller;
  reseller.id = r.text("id", "the reseller's name, as in \"payable:shopnet\" of the ledger");
  const auto percent = r.decimal("margin_percent", kMarginDecimals,
                                 "what of the net is the reseller's, such as \"12.5\"");
  if (percent && *percent > Amount::from_attos(100 * kAttosPerUnit))
    r.wrong("margin_percent", "is more than \"100\"");
  reseller.margin_percent = percent.value_or(Amount());
  return reseller;
}

}  // namespace

Relations read_relations(const nlohmann::json& client, DocumentErrors& errors) {
  DocumentReader r(client, "", "a client", errors);
  Relations relations;
  if (!client.is_object()) return relations;
  if (const auto* reseller = r.member("reseller"))
    relations.reseller = read_reseller(*reseller, errors);
  relations.paid_by = r.text("paid_by", "the id of the client who pays for it", false);
  if (!relations.paid_by.empty() && r.has("id") && *r.member("id") == relations.paid_by)
    r.wrong("paid_by", "is the client itself; leave it out");
  return relations;
}

}  // namespace anabranch::billing
