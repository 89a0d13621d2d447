// SPDX-License-Identifier: BSD-3-Clause
#include "billing/statement_text.h"

#include <algorithm>

#include "billing/printable.h"
#include "billing/statement_words.h"

namespace anabranch::billing {
namespace {

using Read = ReadStatement;

constexpr size_t kColumns = 78;
constexpr size_t kColumnGap = 2;         // between columns
constexpr size_t kTitleMin = 20;         // where less is left, numbers stand below their title
constexpr size_t kLabel = 11;            // of the header
constexpr size_t kRow = 2, kDetail = 6;  // indents

std::string left(const std::string& text, size_t columns) {
  return text + std::string(columns - std::min(columns, displayed_width(text)), ' ');
}

std::string right(const std::string& text, size_t columns) {
  return std::string(columns - std::min(columns, displayed_width(text)), ' ') + text;
}

// Grouped numbers with ordinary spaces: they are never broken here.
std::string spaced(const std::string& number) {
  return wrapped(number, kColumns)[0];
}

// Rows of a title and two numbers, which end at the same columns on the whole page.
class TextPage {
 public:
  // Columns for what follows: wide enough for what usually is in them, and for what fit() is told.
  void start_columns() { first_ = kFirst, second_ = kSecond; }
  void fit(const std::string& first, const std::string& second) {
    first_ = std::max(first_, displayed_width(first));
    second_ = std::max(second_, displayed_width(second));
  }

  void rule(char c) { out_ += std::string(kColumns, c) + "\n"; }
  void blank() { out_ += "\n"; }

  void paragraph(size_t indent, const std::string& text) {
    for (const std::string& line : wrapped(text, kColumns - indent))
      out_ += std::string(indent, ' ') + line + "\n";
  }
  void label(const std::string& name, const std::string& text) {
    std::string before = left(name, kLabel);
    for (const std::string& line : wrapped(text, kColumns - kRow - kLabel)) {
      out_ += std::string(kRow, ' ') + before + line + "\n";
      before = std::string(kLabel, ' ');
    }
  }
  void row(size_t indent, const std::string& title, const std::string& first,
           const std::string& second) {
    const std::string numbers = right(spaced(first), first_) + std::string(kColumnGap, ' ') +
                                right(spaced(second), second_);
    const size_t taken = indent + kColumnGap + displayed_width(numbers);
    if (taken + kTitleMin > kColumns) return stacked(indent, title, first, second);
    const size_t room = kColumns - taken;
    std::string beside = std::string(kColumnGap, ' ') + numbers;
    for (const std::string& line : wrapped(title, room)) {
      std::string whole = std::string(indent, ' ') + left(line, room) + beside;
      whole.resize(whole.find_last_not_of(' ') + 1);
      out_ += whole + "\n";
      beside.clear();
    }
  }
  std::string text() && { return std::move(out_); }

 private:
  void stacked(size_t indent, const std::string& title, const std::string& first,
               const std::string& second) {
    paragraph(indent, title);
    for (const std::string& number : {first, second}) {
      if (!number.empty()) out_ += right(spaced(number), kColumns) + "\n";
    }
  }

  static constexpr size_t kFirst = 17, kSecond = 13;
  size_t first_ = kFirst, second_ = kSecond;
  std::string out_;
};

void fit_charges(const Read& s, TextPage& page) {
  for (const Read::Section& section : s.sections) {
    page.fit(octets_words(section), grouped(section.subtotal));
    for (const Read::Line& line : section.lines) page.fit(octets_words(line), grouped(line.amount));
  }
  for (const Read::Credit& credit : s.credits) page.fit("", grouped(credit.amount));
  page.fit("", grouped(s.gross));
  if (!s.balance) return;
  page.fit("", grouped(s.balance->before));
  page.fit("", grouped(s.balance->now));
  for (const Read::Moved& moved : s.balance->moved) page.fit("", grouped(moved.amount));
}

void add_header(const Read& s, TextPage& page) {
  page.paragraph(0, title(s));
  page.rule('=');
  page.label("issuer", party_words(s.issuer));
  page.label("customer", party_words(s.customer));
  if (s.payer) page.label("paid by", party_words(*s.payer));
  page.label("account", printable(s.account));
  page.label("period",
             time_words(s.from) + " until " + time_words(s.to) + ", " + printable(s.zone));
  page.label("issued", time_words(s.issued));
  page.label(
      "tariff",
      printable(s.tariff + (s.tariff_version.empty() ? "" : ", version " + s.tariff_version)));
  std::string corrects;
  for (const std::string& number : s.corrects)
    corrects += (corrects.empty() ? "" : ", ") + printable(number);
  if (!corrects.empty()) page.label("corrects", corrects);
  page.blank();
  page.paragraph(kRow, "Amounts in " + printable(s.currency) +
                           ". Octets are those of outer IP packets; 1 GB = 10^9 octets.");
  page.blank();
}

void add_section(const Read& s, const Read::Section& section, TextPage& page) {
  page.row(0, title(s, section), "octets", "amount");
  page.rule('-');
  for (const Read::Line& line : section.lines) {
    page.row(kRow, title(line), octets_words(line), grouped(line.amount));
    for (const std::string& detail : details(s, line)) page.paragraph(kDetail, detail);
  }
  page.row(kRow, "subtotal", octets_words(section), grouped(section.subtotal));
  page.blank();
}

void add_credits(const Read& s, TextPage& page) {
  if (s.credits.empty()) return;
  page.row(0, "Credits", "", "amount");
  page.rule('-');
  for (const Read::Credit& credit : s.credits) {
    page.row(kRow, printable(credit.description), "", grouped(credit.amount));
    for (const std::string& detail : details(s, credit)) page.paragraph(kDetail, detail);
  }
  page.blank();
}

void add_totals(const Read& s, TextPage& page) {
  page.rule('=');
  page.row(kRow, "net", "", grouped(s.net));
  for (const Read::TaxTotal& tax : s.taxes) page.row(kRow, title(tax), "", grouped(tax.due));
  if (s.taxes.size() != 1) page.row(kRow, "tax", "", grouped(s.tax));
  page.row(kRow, "gross, " + printable(s.currency), "", grouped(s.gross));
  page.blank();
}

void add_balance(const Read& s, TextPage& page) {
  if (!s.balance) return;
  page.row(0, "Account", "", "amount");
  page.rule('-');
  page.row(kRow, "balance before", "", grouped(s.balance->before));
  for (const Read::Moved& moved : s.balance->moved)
    page.row(kRow, title(moved), "", grouped(moved.amount));
  page.row(kRow, "this statement", "", grouped(s.gross));
  page.row(kRow, title(s, *s.balance), "", grouped(s.balance->now));
  page.blank();
}

void add_usage(const Read& s, TextPage& page) {
  if (s.usage.empty()) return;
  page.start_columns();
  const UsageTotal total = usage_total(s);  // none is wider
  page.fit(grouped(total.octets), grouped(total.packets));
  page.row(0, "Usage", "octets", "packets");
  page.rule('-');
  for (const auto& path : by_path(s)) {
    page.paragraph(kRow, title(path[0]));
    for (const Read::Usage& used : path) {
      page.row(kDetail, printable(used.direction + ", " + used.kind), grouped(used.octets),
               grouped(used.packets));
    }
  }
  page.row(kRow, "total", grouped(total.octets), grouped(total.packets));
}

}  // namespace

tl::expected<std::string, std::string> statement_text(const nlohmann::json& statement) {
  const auto read = read_statement(statement);
  if (!read) return tl::unexpected(read.error());
  TextPage page;
  add_header(*read, page);
  fit_charges(*read, page);
  for (const Read::Section& section : read->sections) add_section(*read, section, page);
  add_credits(*read, page);
  add_totals(*read, page);
  add_balance(*read, page);
  add_usage(*read, page);
  return std::move(page).text();
}

}  // namespace anabranch::billing
