// SPDX-License-Identifier: BSD-3-Clause
// Statements of 200 lines into PDF and UBL: CPU time of one, by which 10 000 on two cores are told.
//
// A line is of octets at a price, as most are. What is read is the document, as the ledger has it.
#include <benchmark/benchmark.h>

#include <string>

#include "billing/statement_format.h"

namespace anabranch::bench {
namespace {

using namespace billing;
using nlohmann::json;

constexpr int kLines = 200, kProviders = 4;

json line_of(int number) {
  const std::string quantity = std::to_string(number + 1) + ".123456789";
  return {{"item", "mobile-" + std::to_string(number)},
          {"description", "data of card " + std::to_string(100'000 + number)},
          {"octets", 1'123'456'789LL + number},
          {"packets", 1'000'000},
          {"unit", "GB"},
          {"at", {{{"quantity", quantity}, {"price", "0.35"}}}},
          {"amount", "1.00"},
          {"tax", {{"category", "S"}, {"percent", "19"}}}};
}

json party_of(const char* id, const char* country) {
  return {{"id", id},
          {"name", std::string(id) + " Ltd"},
          {"address", {{"street", "1 High Street"}, {"city", "Town"}, {"country", country}}},
          {"vat_id", std::string(country) + "123456789"}};
}

json statement() {
  json document = json::parse(R"(
    {"number": "2026-000001", "kind": "statement", "account": "client:acme",
     "zone": "Europe/Berlin", "from": "2026-10-01T00:00:00+02:00",
     "to": "2026-11-01T00:00:00+01:00", "issued": "2026-11-02T00:00:00+01:00",
     "currency": "EUR", "tariff": {"id": "business"}, "provider_charges": "itemised",
     "payment_terms": "within 14 days",
     "taxes": [{"category": "S", "percent": "19", "reason": "", "net": "200.00", "tax": "38.00"}],
     "net": "200.00", "tax": "38.00", "gross": "238.00", "sections": [], "usage": [], "days": []})");
  document["issuer"] = party_of("anabranch", "DE");
  document["customer"] = party_of("acme", "IE");
  for (int provider = 0; provider < kProviders; ++provider) {
    const std::string name = "provider-" + std::to_string(provider);
    json lines = json::array();
    for (int n = 0; n < kLines / kProviders; ++n) lines.push_back(line_of(n));
    document["sections"].push_back(
        {{"provider", name}, {"octets", 0}, {"subtotal", "50.00"}, {"lines", lines}});
    for (const char* direction : {"sent", "received"})
      document["usage"].push_back({{"provider", name},
                                   {"network", "net"},
                                   {"path", name},
                                   {"gateway", "site-a"},
                                   {"direction", direction},
                                   {"kind", "first"},
                                   {"octets", 1'000'000'000},
                                   {"packets", 1'000'000}});
    for (int day = 10; day < 31; ++day)
      document["days"].push_back({{"day", "2026-10-" + std::to_string(day)},
                                  {"provider", name},
                                  {"sent", 1'000'000'000LL * day},
                                  {"received", 2'000'000'000LL * day}});
  }
  return document;
}

void present(benchmark::State& state, std::initializer_list<Format> formats) {
  const std::string text = statement().dump();
  size_t octets = 0;
  for (auto _ : state) {
    const json document = json::parse(text);
    for (const Format format : formats) {
      const auto made = render(document, format);
      if (!made) return state.SkipWithError(made.error().c_str());
      octets += made->size();
    }
  }
  state.counters["octets"] =
      benchmark::Counter(static_cast<double>(octets), benchmark::Counter::kAvgIterations);
  // Seconds of two cores.
  state.counters["s_of_10000"] = benchmark::Counter(
      2.0 / 10'000, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

void statement_pdf(benchmark::State& state) {
  present(state, {Format::pdf});
}
void statement_ubl(benchmark::State& state) {
  present(state, {Format::ubl});
}
void statement_pdf_and_ubl(benchmark::State& state) {
  present(state, {Format::pdf, Format::ubl});
}
BENCHMARK(statement_pdf)->Unit(benchmark::kMillisecond);
BENCHMARK(statement_ubl)->Unit(benchmark::kMillisecond);
BENCHMARK(statement_pdf_and_ubl)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace anabranch::bench

BENCHMARK_MAIN();
