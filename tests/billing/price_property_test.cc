// SPDX-License-Identifier: BSD-3-Clause
// What holds for all months: drawn at random, by seed.
#include <gtest/gtest.h>

#include <random>

#include "tests/billing/month.h"

namespace anabranch::billing {
namespace {

using nlohmann::json;
using Random = std::mt19937_64;

constexpr const char* kProviders[] = {"airmobile", "coppertel", "northfibre"};

std::string decimal(Random& random, uint64_t units, int decimals) {
  std::string digits = std::to_string(random() % 1'000'000'000);
  digits.insert(0, 9 - digits.size(), '0');
  return std::to_string(random() % units) + "." + digits.substr(0, static_cast<size_t>(decimals));
}

json tiers(Random& random, bool rising) {
  json list = json::array();
  uint64_t end = 0, price = 0;
  for (uint64_t n = random() % 4; n > 0; --n) {
    price = rising ? price + random() % 1000 : random() % 1000;
    list.push_back(
        {{"up_to_gb", "0." + std::to_string(100'000'000 + (end += 1 + random() % 90'000'000))},
         {"per_gb", "0." + std::to_string(100'000 + price)}});
  }
  list.push_back({{"per_gb", "0." + std::to_string(100'000 + price + random() % 1000)}});
  return list;
}

json model(Random& random, bool passing) {
  switch (random() % (passing ? 8 : 7)) {
    case 0:
      return {{"per_gb", decimal(random, 5, 9)}};
    case 1:
      return {{"graduated", tiers(random, false)}};
    case 2:
      return {{"volume", tiers(random, false)}};
    case 3:
      return {{"allowance", {{"gb", decimal(random, 2, 9)}, {"per_gb", decimal(random, 5, 9)}}}};
    case 4:
      return {{"percentile",
               {{"percent", 99},
                {"of", random() % 2 ? "sum" : "higher"},
                {"per_mbps", decimal(random, 9, 9)}}}};
    case 5:
      return {{"per_octet", "0.000000000" + std::to_string(100'000'000 + random() % 900'000'000)}};
    case 6:
      return {{"free", true}};
    default:
      return {{"pass_through", {{"margin_percent", decimal(random, 20, 9)}}}};
  }
}

json random_tariff(Random& random, bool passing) {
  std::vector<json> items;
  for (uint64_t n = 1 + random() % 3; n > 0; --n) {
    json item = model(random, passing);
    item["id"] = "item" + std::to_string(n);
    if (n > 1 && random() % 2) item["providers"] = {kProviders[random() % 3]};
    if (n > 1 && random() % 3 == 0) item["kinds"] = {"first", "copy"};
    if (n > 1 && random() % 3 == 0) item["times"] = {{{"from", "20:00"}, {"to", "07:30"}}};
    items.push_back(std::move(item));
  }
  if (random() % 2) items.push_back({{"id", "line"}, {"flat", decimal(random, 50, 2)}});
  if (random() % 3 == 0) items.push_back({{"id", "least"}, {"commit", decimal(random, 100, 2)}});
  if (random() % 2) items[0]["tax"] = {{"category", "Z"}};
  json tariff = tariff_of(items);
  if (random() % 2)
    tariff["tax"] = {{"category", "S"}, {"percent", std::to_string(1 + random() % 25) + ".5"}};
  return tariff;
}

std::shared_ptr<const PriceList> random_prices(Random& random) {
  Documents providers;
  for (const char* provider : kProviders) providers[provider] = random_tariff(random, false);
  BilledPeriod period = month_of(2026, 1 + random() % 12);
  if (random() % 3 == 0)
    period.part.to_ns -=
        static_cast<int64_t>(random() % static_cast<uint64_t>(period.part.length_ns()));
  return price_list(period, random_tariff(random, true), providers);
}

struct Record {
  Place place;
  uint64_t service = 0;
  Direction direction = Direction::sent;
  Kind kind = Kind::first;
  Count count;
  Period time;
};

std::vector<Record> random_records(Random& random, const Period& part, size_t most) {
  std::vector<Record> records(random() % most);
  for (Record& r : records) {
    const size_t path = random() % 3;
    r.place = {kProviders[path], "net", "path" + std::to_string(path),
               random() % 2 ? "site-a" : "site-b"};
    r.service = 1 + random() % 3;
    r.direction = static_cast<Direction>(random() % 2);
    r.kind = static_cast<Kind>(random() % kKindNames.size());
    r.count = {random() % 3'000'000'000, random() % 3'000'000};
    const auto length = static_cast<uint64_t>(part.length_ns());
    r.time.from_ns = part.from_ns + static_cast<int64_t>(random() % length);
    r.time.to_ns =
        r.time.from_ns + static_cast<int64_t>(random() % (random() % 4 ? 2'000'000'000 : length));
  }
  return records;
}

void add(PeriodUsage& usage, const Record& r) {
  usage.add(usage.place(r.place), r.service, r.direction, r.kind, r.count, r.time);
}

PeriodUsage counted(std::shared_ptr<const PriceList> prices, const std::vector<Record>& records) {
  PeriodUsage usage(std::move(prices));
  for (const Record& r : records) add(usage, r);
  return usage;
}

TEST(AllMonths, OneStatementComesToWhatThoseOfEachProviderDo) {
  Random random(1);
  size_t lines = 0;
  for (int month = 0; month < 10'000; ++month) {
    const auto prices = random_prices(random);
    const auto charges = price(counted(prices, random_records(random, prices->part(), 20))).value();
    Amount net, exact;
    size_t separate = 0;
    const auto statements = by_provider(charges).value();
    for (const PeriodCharges& of : statements) {
      net += of.net;
      separate += of.lines.size();
      ASSERT_EQ(of.gross, of.net + of.tax);
      for (const ChargeLine& line : of.lines) {
        ASSERT_EQ(line.provider, of.lines[0].provider);
        exact += line.amount;
      }
    }
    ASSERT_EQ(net, charges.net) << "month " << month;
    ASSERT_EQ(exact, charges.net);
    ASSERT_EQ(separate, charges.lines.size());
    ASSERT_EQ(charges.gross, charges.net + charges.tax);
    lines += separate;
  }
  EXPECT_GT(lines, 20'000u);
}

TEST(AllMonths, NoChargeIsNegativeAndEveryOctetIsOnALine) {
  Random random(2);
  for (int month = 0; month < 1000; ++month) {
    const auto prices = random_prices(random);
    const PeriodUsage usage = counted(prices, random_records(random, prices->part(), 60));
    Count used, charged;
    for (const PeriodUsage::Line& line : usage.lines())
      used = {used.octets + line.count.octets, used.packets + line.count.packets};
    const auto charges = price(usage).value();
    for (const ChargeLine& line : charges.lines) {
      ASSERT_GE(line.amount, Amount());
      ASSERT_GE(line.exact, Amount());
      ASSERT_EQ(line.amount, round_to_minor(line.exact, 2));
      charged = {charged.octets + line.count.octets, charged.packets + line.count.packets};
    }
    ASSERT_EQ(charged, used) << "month " << month;
  }
}

TEST(AllMonths, TheOrderOfRecordsChangesNothing) {
  Random random(3);
  for (int month = 0; month < 500; ++month) {
    const auto prices = random_prices(random);
    auto records = random_records(random, prices->part(), 60);
    const PeriodUsage before = counted(prices, records);
    std::shuffle(records.begin(), records.end(), random);
    const PeriodUsage after = counted(prices, records);
    ASSERT_TRUE(before == after);
    ASSERT_EQ(price(before).value(), price(after).value());
  }
}

// However records are spread over several usages, and in whatever order these are added up.
TEST(AllMonths, AdditionIsAssociativeAndCommutative) {
  Random random(4);
  for (int month = 0; month < 500; ++month) {
    const auto prices = random_prices(random);
    const auto records = random_records(random, prices->part(), 60);
    PeriodUsage a(prices), b(prices), c(prices);
    for (const Record& r : records) add(random() % 3 == 0 ? a : random() % 2 ? b : c, r);
    PeriodUsage ab_c = a, bc = b, cba = c;
    (ab_c += b) += c;
    bc += c;
    PeriodUsage a_bc = a;
    a_bc += bc;
    (cba += b) += a;
    ASSERT_TRUE(ab_c == a_bc && a_bc == cba && cba == counted(prices, records));
    ASSERT_EQ(price(ab_c).value(), price(cba).value());
  }
}

// As a compacted journal does the other way round: cut where five-minute slots meet, or the period
// ends, and anywhere and anyhow in between.
TEST(AllMonths, CuttingRecordsInPiecesChangesNothing) {
  constexpr int64_t kSlot = 300 * kSecondNs;
  Random random(5);
  for (int month = 0; month < 100; ++month) {
    const auto prices = random_prices(random);
    const Period& part = prices->part();
    const auto records = random_records(random, part, 20);
    PeriodUsage pieces(prices);
    for (const Record& r : records) {
      Count done;
      for (Record piece = r; piece.time.from_ns < r.time.to_ns;) {
        int64_t cut = std::min((piece.time.from_ns / kSlot + 1) * kSlot, r.time.to_ns);
        for (const int64_t edge : {part.from_ns, part.to_ns})
          if (edge > piece.time.from_ns) cut = std::min(cut, edge);
        const Count through = before(r.count, r.time, cut);
        const Count all = through - done;
        const int64_t middle = piece.time.from_ns + (cut - piece.time.from_ns) / 3;
        piece.count = {random() % (all.octets + 1), random() % (all.packets + 1)};
        piece.time.to_ns = middle;
        add(pieces, piece);
        piece.count = all - piece.count;
        piece.time = {middle, cut};
        add(pieces, piece);
        piece.time.from_ns = cut;
        done = through;
      }
      if (r.time.length_ns() == 0) add(pieces, r);
    }
    const PeriodUsage whole = counted(prices, records);
    ASSERT_TRUE(whole == pieces) << "month " << month;
    ASSERT_EQ(price(whole).value(), price(pieces).value());
  }
}

TEST(AllMonths, PeriodsThatMeetShareARecordWithoutALoss) {
  Random random(6);
  const BilledPeriod whole = june();
  for (int i = 0; i < 2000; ++i) {
    const auto length = static_cast<uint64_t>(whole.part.length_ns());
    BilledPeriod first = whole, second = whole;
    first.part.to_ns = second.part.from_ns =
        whole.part.from_ns + 1 + static_cast<int64_t>(random() % (length - 1));
    const json tariff = random_tariff(random, false);
    PeriodUsage a(price_list(first, tariff)), b(price_list(second, tariff));
    Record r;
    r.count = {random() % 1'000'000, random() % 1000};
    r.time.from_ns = whole.part.from_ns + static_cast<int64_t>(random() % length);
    r.time.to_ns =
        r.time.from_ns +
        static_cast<int64_t>(random() % static_cast<uint64_t>(whole.part.to_ns - r.time.from_ns));
    const auto in = [&](PeriodUsage& usage) {
      return usage.add(usage.place({"airmobile", "n", "p", "g"}), 1, r.direction, r.kind, r.count,
                       r.time);
    };
    const Count early = in(a), late = in(b);
    ASSERT_EQ(early.octets + late.octets, r.count.octets);
    ASSERT_EQ(early.packets + late.packets, r.count.packets);
  }
}

// One provider, so that what is compared is not how it is divided.
TEST(AllMonths, MoreUsageNeverCostsLess) {
  Random random(7);
  for (int month = 0; month < 2000; ++month) {
    json item{{"id", "x"}};
    switch (random() % 5) {
      case 0:
        item["graduated"] = tiers(random, false);
        break;
      case 1:
        item["volume"] = tiers(random, true);
        break;
      case 2:
        item["allowance"] = {{"gb", "0.1"}, {"per_gb", "3.333333333"}};
        break;
      case 3:
        item["percentile"] = {{"percent", 1 + random() % 100}, {"per_mbps", "7.7"}};
        break;
      default:
        item["per_gb"] = decimal(random, 5, 9);
    }
    BilledPeriod day = june();
    day.part.to_ns = day.part.from_ns + 24 * kHourNs;
    Month m(tariff_of({item, {{"id", "least"}, {"commit", "0.10"}}}), {}, day);
    Amount net = m.charges().net, exact;
    for (int step = 0; step < 30; ++step) {
      m.used("a", random() % 60'000'000, static_cast<int64_t>(random() % 24) * kHourNs);
      const auto charges = m.charges();
      ASSERT_GE(charges.net, net) << item;
      Amount now;
      for (const ChargeLine& line : charges.lines) now += line.item == "x" ? line.exact : Amount();
      ASSERT_GE(now, exact) << item;
      net = charges.net;
      exact = now;
    }
  }
}

TEST(AllMonths, TheSameInputsGiveTheSameMoney) {
  for (uint64_t seed = 0; seed < 300; ++seed) {
    const auto charges = [&] {
      Random random(seed);
      const auto prices = random_prices(random);
      return to_json(price(counted(prices, random_records(random, prices->part(), 60))).value());
    };
    ASSERT_EQ(charges(), charges());
  }
}

}  // namespace
}  // namespace anabranch::billing
