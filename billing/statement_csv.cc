// SPDX-License-Identifier: BSD-3-Clause
#include "billing/statement_csv.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "billing/printable.h"
#include "billing/statement_reading.h"

namespace anabranch::billing {
namespace {

using Read = ReadStatement;

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";  // else spreadsheets guess
constexpr std::string_view kEndOfRow = "\r\n";

// clang-format off
constexpr std::array<std::string_view, 34> kNames{
    "statement", "kind", "issuer", "account", "customer", "from", "to",
    "row", "provider", "item", "passed", "description", "service", "octets", "packets",
    "quantity", "unit", "price", "tiers",
    "of_from", "from_currency", "of_to", "to_currency", "rates", "rates_of",
    "for_statement", "for_from", "for_to",
    "tax_category", "tax_percent", "tax_reason", "taxed", "amount", "currency"};
// clang-format on

// A column by its name, found when this is compiled.
struct Column {
  consteval Column(const char* name) {
    while (kNames.at(index) != name) ++index;
  }
  size_t index = 0;
};

// Whether a spreadsheet may take the text for a formula. Excel passes over spaces before it, and
// takes the wide forms that Japanese keyboards give; tabs and ends of lines may be cut off.
bool computes(std::string_view text) {
  while (!text.empty()) {
    const auto [code, octets] = first_character(text);
    static constexpr std::u32string_view kBegins = U"=+-@\t\r\n\uff1d\uff0b\uff0d\uff20";
    if (kBegins.find(code) != std::u32string_view::npos) return true;
    if (code != ' ' && code != 0xa0 && displayed_width(text.substr(0, octets)) > 0) return false;
    text.remove_prefix(octets);
  }
  return false;
}

std::string text_cell(std::string_view raw) {
  std::string text = printable(raw, Breaks::kept);
  if (computes(text)) text.insert(0, "'");
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

class Table {
 public:
  explicit Table(const Read& s) : out_(kByteOrderMark) {
    for (size_t i = 0; i < kNames.size(); ++i) cells_[i] = kNames[i];
    end_row();
    set("statement", s.number).set("kind", s.adjustment ? "adjustment" : "statement");
    set("issuer", s.issuer.id).set("account", s.account).set("customer", s.customer.id);
    set("from", s.from).set("to", s.to).set("currency", s.currency);
    always_ = cells_;
  }

  Table& set(Column column, std::string_view text) {
    cells_[column.index] = text_cell(text);
    return *this;
  }
  // A decimal or a whole number; one that begins with '-' stays a number.
  Table& number(Column column, std::string_view decimal) {
    cells_[column.index] = decimal;
    return *this;
  }
  Table& number(Column column, std::optional<uint64_t> whole) {
    return number(column, whole ? std::to_string(*whole) : "");
  }
  Table& tax(const Read::Tax& tax) {
    return set("tax_category", tax.category)
        .number("tax_percent", tax.percent)
        .set("tax_reason", tax.reason);
  }
  void end_row() {
    for (size_t i = 0; i < kNames.size(); ++i) {
      if (i > 0) out_ += ',';
      out_ += cells_[i];
    }
    out_ += kEndOfRow;
    cells_ = always_;
  }
  std::string text() && { return std::move(out_); }

 private:
  using Cells = std::array<std::string, kNames.size()>;
  Cells cells_, always_;
  std::string out_;
};

void add_tiers(const Read::Line& line, Table& table) {
  table.set("unit", line.unit);
  if (line.at.size() == 1)
    table.number("quantity", line.at[0].quantity).number("price", line.at[0].price);
  std::string all;
  for (const Read::Tier& tier : line.at)
    all += (all.empty() ? "" : "; ") + tier.quantity + " " + line.unit + " at " + tier.price;
  if (line.at.size() > 1) table.set("tiers", all);
}

void add_line(const Read::Section& section, const Read::Line& line, Table& table) {
  table.set("row", "line").set("provider", section.provider).set("item", line.item);
  table.set("passed", line.passed).set("description", line.description);
  table.number("octets", line.octets).number("packets", line.packets);
  add_tiers(line, table);
  if (const auto& c = line.conversion) {
    table.number("of_from", c->of_from).set("from_currency", c->from);
    table.number("of_to", c->of_to).set("to_currency", c->to);
    table.set("rates", c->rates).set("rates_of", c->date);
  }
  table.set("for_statement", line.corrects).set("for_from", line.period.from);
  table.set("for_to", line.period.to).tax(line.tax).number("amount", line.amount).end_row();
}

void add_credit(const Read::Credit& credit, Table& table) {
  table.set("row", "credit").set("item", credit.promise).set("description", credit.description);
  table.number("service", credit.service).set("for_from", credit.window.from);
  table.set("for_to", credit.window.to).tax(credit.tax).number("amount", credit.amount).end_row();
}

void add_total(std::string_view name, const Read::Decimal& total, Table& table) {
  table.set("row", name).number("amount", total).end_row();
}

void add_balance(const Read::Balance& balance, Table& table) {
  add_total("balance before", balance.before, table);
  for (const Read::Moved& moved : balance.moved) {
    table.set("row", "moved").set("description", moved.what).set("for_from", moved.at);
    table.number("amount", moved.amount).end_row();
  }
  add_total("balance", balance.now, table);
}

}  // namespace

tl::expected<std::string, std::string> statement_csv(const nlohmann::json& document) {
  const auto read = read_statement(document);
  if (!read) return tl::unexpected(read.error());
  Table table(*read);
  for (const Read::Section& section : read->sections) {
    for (const Read::Line& line : section.lines) add_line(section, line, table);
  }
  for (const Read::Credit& credit : read->credits) add_credit(credit, table);
  for (const Read::TaxTotal& t : read->taxes)
    table.set("row", "tax").tax(t.tax).number("taxed", t.net).number("amount", t.due).end_row();
  add_total("net", read->net, table);
  add_total("total tax", read->tax, table);
  add_total("gross", read->gross, table);
  if (read->balance) add_balance(*read->balance, table);
  return std::move(table).text();
}

}  // namespace anabranch::billing
