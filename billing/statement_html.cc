// SPDX-License-Identifier: BSD-3-Clause
#include "billing/statement_html.h"

#include <fmt/format.h>

#include "billing/html_text.h"
#include "billing/statement_graph.h"
#include "billing/statement_style.h"
#include "billing/statement_words.h"

namespace anabranch::billing {
namespace {

using Read = ReadStatement;

// A number for people, with the exact one for programs.
std::string number(const std::string& exact, std::string words) {
  if (words.starts_with('-')) words.replace(0, 1, "\xe2\x88\x92");  // U+2212, as wide as a digit
  return "<data value=\"" + exact + "\">" + words + "</data>";
}

std::string amount(const Read::Decimal& decimal) {
  return number(decimal, grouped(decimal));
}

template <class Charged>  // a line or a section
std::string octets(uint64_t whole, const Charged& charged) {
  const std::string words = octets_words(charged);
  return words.empty() ? "" : number(std::to_string(whole), words);
}

std::string count(Uint128 whole) {
  return number(decimal(whole), grouped(whole));
}

std::string time(const Read::Time& time) {
  return "<time datetime=\"" + time + "\">" + time_words(time) + "</time>";
}

std::string cell(const std::string& content) {
  return "<td class=\"n\">" + content + "</td>";
}

std::string row(const std::string& title, const std::string& cells) {
  return "<tr><th scope=\"row\">" + title + "</th>" + cells + "</tr>\n";
}

// A row of one cell below the row that it explains, so that a telephone has room for it.
std::string explained(const std::string& title, const std::string& cells, size_t columns,
                      const std::vector<std::string>& details) {
  if (details.empty()) return row(title, cells);
  std::string out = "<tr class=\"explained\"><th scope=\"row\">" + title + "</th>" + cells +
                    "</tr>\n<tr>" + fmt::format("<td colspan=\"{}\">", columns) +
                    "<ul class=\"details\">";
  for (const std::string& detail : details) out += "<li>" + html_isolated(detail) + "</li>";
  return out + "</ul></td></tr>\n";
}

// A table's beginning: its caption and columns, of which all but the first are numbers.
std::string table(const std::string& caption, std::initializer_list<const char*> columns) {
  std::string out =
      "<div class=\"scroll\"><table>\n<caption>" + caption + "</caption>\n<thead><tr>";
  const char* numeric = "";
  for (const char* column : columns) {
    out += fmt::format("<th scope=\"col\"{}>{}</th>", numeric, column);
    numeric = " class=\"n\"";
  }
  return out + "</tr></thead>\n";
}

constexpr const char* kTableEnd = "</table></div>\n";

std::string head(const Read& s) {
  return "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
         // A last line of defence, should a text ever pass unescaped: nothing runs or is loaded.
         "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
         "style-src 'unsafe-inline'\">\n"
         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>" +
         html_escaped(title(s) + ", " + party_words(s.customer)) + "</title>\n<style>" +
         kStatementStyle + "</style>\n</head>\n";
}

std::string entry(const char* name, const std::string& content) {
  return fmt::format("<dt>{}</dt><dd>{}</dd>\n", name, content);
}

std::string header(const Read& s) {
  std::string out = "<header>\n<h1>" + html_isolated(title(s)) + "</h1>\n<p class=\"due\">Gross " +
                    amount(s.gross) + " " + html_isolated(s.currency) + "</p>\n<dl>\n";
  out += entry("Issuer", html_isolated(party_words(s.issuer)));
  out += entry("Customer", html_isolated(party_words(s.customer)));
  if (s.payer) out += entry("Paid by", html_isolated(party_words(*s.payer)));
  out += entry("Account", html_isolated(s.account));
  out += entry("Period", time(s.from) + " until " + time(s.to) + ", " + html_isolated(s.zone));
  out += entry("Issued", time(s.issued));
  std::string tariff = html_isolated(s.tariff);
  if (!s.tariff_version.empty()) tariff += ", version " + html_isolated(s.tariff_version);
  out += entry("Tariff", tariff);
  std::string corrects;
  for (const std::string& statement : s.corrects)
    corrects += (corrects.empty() ? "" : ", ") + html_isolated(statement);
  if (!corrects.empty()) out += entry("Corrects", corrects);
  return out + "</dl>\n<p class=\"note\">Amounts are in " + html_isolated(s.currency) +
         ". Octets are those of outer IP packets; 1 GB is 10<sup>9</sup> octets.</p>\n</header>\n";
}

std::string section(const Read& s, const Read::Section& section) {
  std::string out = table(html_isolated(title(s, section)), {"Charge", "Octets", "Amount"});
  out += "<tbody>\n";
  for (const Read::Line& line : section.lines)
    out += explained(html_isolated(title(line)),
                     cell(octets(line.octets.value_or(0), line)) + cell(amount(line.amount)), 3,
                     details(s, line));
  return out + "</tbody>\n<tfoot>" +
         row("Subtotal", cell(octets(section.octets, section)) + cell(amount(section.subtotal))) +
         "</tfoot>\n" + kTableEnd;
}

std::string credits(const Read& s) {
  if (s.credits.empty()) return {};
  std::string out = table("Credits", {"Promise", "Amount"}) + "<tbody>\n";
  for (const Read::Credit& credit : s.credits)
    out += explained(html_isolated(credit.description), cell(amount(credit.amount)), 2,
                     details(s, credit));
  return out + "</tbody>\n" + kTableEnd;
}

std::string totals(const Read& s) {
  std::string out = table("Total", {"Sum", "Amount"});
  out += "<tbody>\n" + row("Net", cell(amount(s.net)));
  for (const Read::TaxTotal& tax : s.taxes)
    out += row(html_isolated("T" + title(tax).substr(1)), cell(amount(tax.due)));
  if (s.taxes.size() != 1) out += row("Tax", cell(amount(s.tax)));
  return out + "</tbody>\n<tfoot>" +
         row("Gross, " + html_isolated(s.currency), cell(amount(s.gross))) + "</tfoot>\n" +
         kTableEnd;
}

std::string balance(const Read& s) {
  if (!s.balance) return {};
  std::string out = table("Account", {"Movement", "Amount"}) + "<tbody>\n";
  out += row("Balance before", cell(amount(s.balance->before)));
  for (const Read::Moved& moved : s.balance->moved)
    out += row(html_isolated(title(moved)), cell(amount(moved.amount)));
  out += row("This statement", cell(amount(s.gross)));
  return out + "</tbody>\n<tfoot>" +
         row(html_isolated("B" + title(s, *s.balance).substr(1)), cell(amount(s.balance->now))) +
         "</tfoot>\n" + kTableEnd;
}

std::string usage(const Read& s) {
  const std::string figure = usage_figure(s);
  if (s.usage.empty() && figure.empty()) return {};
  std::string out = "<section>\n<h2>Usage</h2>\n" + figure;
  if (s.usage.empty()) return out + "</section>\n";
  out += table("Usage by path, direction and kind", {"Path", "Octets", "Packets"});
  for (const auto& path : by_path(s)) {
    out += "<tbody>\n<tr><th scope=\"rowgroup\" colspan=\"3\" class=\"path\">" +
           html_isolated(title(path[0])) + "</th></tr>\n";
    for (const Read::Usage& used : path)
      out += row(html_isolated(used.direction + ", " + used.kind),
                 cell(count(used.octets)) + cell(count(used.packets)));
    out += "</tbody>\n";
  }
  const UsageTotal total = usage_total(s);
  return out + "<tfoot>" + row("Total", cell(count(total.octets)) + cell(count(total.packets))) +
         "</tfoot>\n" + kTableEnd + "</section>\n";
}

}  // namespace

tl::expected<std::string, std::string> statement_html(const nlohmann::json& statement) {
  const auto read = read_statement(statement);
  if (!read) return tl::unexpected(read.error());
  std::string out = head(*read) + "<body>\n<main>\n" + header(*read);
  out += "<section>\n<h2>Charges</h2>\n";
  for (const Read::Section& s : read->sections) out += section(*read, s);
  out += credits(*read) + totals(*read) + balance(*read) + "</section>\n" + usage(*read);
  return out + "</main>\n</body>\n</html>\n";
}

}  // namespace anabranch::billing
