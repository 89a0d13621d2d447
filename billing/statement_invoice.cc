// SPDX-License-Identifier: BSD-3-Clause
#include "billing/statement_invoice.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "billing/exact.h"
#include "billing/printable.h"
#include "billing/statement_words.h"

namespace anabranch::billing {
namespace {

using Read = ReadStatement;

constexpr int kInvoiceDecimals = 2;  // BR-DEC-*: of all amounts but prices
constexpr Int128 kCentAttos = kAttosPerUnit / 100;
constexpr const char* kNotSubject = "O";
constexpr std::string_view kNothingCharged = "nothing is charged";

// By UN/ECE recommendation 20.
constexpr std::array<std::pair<std::string_view, const char*>, 2> kUnitCodes{
    {{"GB", "E34"}, {"Mbit/s", "E20"}}};

const char* unit_code(std::string_view unit) {
  for (const auto& [name, code] : kUnitCodes) {
    if (name == unit) return code;
  }
  return "C62";
}

Amount one_unit() {
  return Amount::from_attos(kAttosPerUnit);
}

Amount magnitude(Amount amount) {
  return amount < Amount() ? -amount : amount;
}

// Texts of lines become no element where they are blank: EN 16931 has no empty elements.
std::string words_or(const std::string& text, std::string_view otherwise) {
  std::string words = printable(text);
  return words.find_first_not_of(' ') == std::string::npos ? std::string(otherwise) : words;
}

std::string balance_words(const Read& s, const Read::Balance& balance) {
  std::string words = "; balance before " + balance.before;
  for (const Read::Moved& moved : balance.moved) words += "; " + title(moved) + ": " + moved.amount;
  return words + "; " + title(s, balance) + ": " + balance.now;
}

class InvoiceMaker {
 public:
  explicit InvoiceMaker(const Read& s) : s_(s) {}

  tl::expected<Invoice, std::string> make() && {
    if (!minor_digits(s_.currency))
      wrong("\"" + printable(s_.currency) + "\" is no currency known");
    made_.gross = amount(s_.gross);
    made_.credit_note = made_.gross < Amount();
    add_lines();
    add_credits();
    if (made_.lines.empty()) add_nothing();
    add_totals();
    add_taxes();
    check_sums();
    if (s_.payer) made_.note = "; paid by " + party_words(*s_.payer);
    if (s_.balance) add_balance(*s_.balance);
    if (!mistake_.empty())
      return tl::unexpected("statement " + printable(s_.number) + ": " + mistake_);
    return std::move(made_);
  }

 private:
  void wrong(const std::string& what) {
    if (mistake_.empty()) mistake_ = what;
  }

  Amount amount(const Read::Decimal& text) {
    const auto read = parse_amount(text);
    if (!read) wrong(text + " is more than an invoice can hold");
    if (read && read->attos() % kCentAttos != 0)
      wrong(text + " " + printable(s_.currency) + ": amounts of EN 16931 have two decimals");
    return read.value_or(Amount());
  }
  Amount turned(Amount amount) const { return made_.credit_note ? -amount : amount; }

  InvoiceTax tax(const Read::Tax& tax) {
    if (tax.category.empty())
      wrong("a charge has no tax category, which EN 16931 wants; say \"tax\" in the tariff");
    const bool none = tax.category == kNotSubject;
    return {printable(tax.category), none ? "" : tax.percent.empty() ? "0" : tax.percent};
  }

  void add_lines() {
    for (const Read::Section& section : s_.sections) {
      for (const Read::Line& line : section.lines) add_line(section, line);
    }
  }

  void add_line(const Read::Section& section, const Read::Line& line) {
    InvoiceLine made{.name = words_or(title(line), "charge"),
                     .details = details(s_, line),
                     .provider = words_or(section.provider, ""),
                     .amount = turned(amount(line.amount)),
                     .tax = tax(line.tax)};
    price(line, made);
    made_.lines.push_back(std::move(made));
  }

  // One price of the tariff where that gives the amount; else what the whole quantity came to (by
  // tiers, exchanged, or less what an allowance is of); else the amount, once.
  void price(const Read::Line& line, InvoiceLine& made) const {
    Amount quantity;
    for (const Read::Tier& tier : line.at) {
      const auto part = parse_amount(tier.quantity);
      if (!part || *part < Amount()) return once(made);
      quantity += *part;
    }
    if (quantity == Amount()) return once(made);
    made.unit = unit_code(line.unit);
    made.quantity = made.amount < Amount() ? -quantity : quantity;
    const auto own = parse_amount(line.at[0].price);
    if (line.at.size() == 1 && !line.conversion && own && *own >= Amount()) {
      const auto product = Exact(quantity).times(*own).cut_off();
      const int digits = minor_digits(s_.currency).value_or(kInvoiceDecimals);
      made.price = *own;
      if (product && round_to_minor(*product, digits) == magnitude(made.amount)) return;
    }
    made.price = magnitude(made.amount);
    made.base = quantity;
  }
  static void once(InvoiceLine& made) {
    made.quantity = made.amount < Amount() ? -one_unit() : one_unit();
    made.price = magnitude(made.amount);
  }

  void add_credits() {
    const bool as_lines = made_.credit_note || made_.lines.empty();
    for (const Read::Credit& credit : s_.credits) {
      const std::string why = words_or(credit.description, "credit");
      const Amount given = turned(amount(credit.amount));
      if (as_lines) {
        InvoiceLine line{
            .name = why, .details = details(s_, credit), .amount = given, .tax = tax(credit.tax)};
        once(line);
        made_.lines.push_back(std::move(line));
      } else {
        made_.allowances.push_back({given > Amount(), magnitude(given), why, tax(credit.tax)});
      }
    }
  }

  // BR-16 wants a line of a month without any.
  void add_nothing() {
    InvoiceLine line{.name = std::string(kNothingCharged), .tax = {kNotSubject, ""}};
    once(line);
    made_.lines.push_back(std::move(line));
  }

  void add_totals() {
    for (const InvoiceLine& l : made_.lines) made_.lines_total += l.amount;
    for (const InvoiceAllowance& a : made_.allowances)
      (a.charge ? made_.charges_total : made_.allowances_total) += a.amount;
    made_.net = turned(amount(s_.net));
    made_.tax = turned(amount(s_.tax));
    made_.gross = turned(made_.gross);
  }

  // With S and Z there must be none.
  static std::string reason(const Read::Tax& tax) {
    if (tax.category == "S" || tax.category == "Z") return {};
    return words_or(tax.reason, "tax category " + printable(tax.category));
  }

  void add_taxes() {
    for (const Read::TaxTotal& t : s_.taxes)
      made_.taxes.push_back(
          {tax(t.tax), reason(t.tax), turned(amount(t.net)), turned(amount(t.due))});
    if (made_.taxes.empty() && made_.lines.size() == 1 && made_.lines[0].name == kNothingCharged)
      made_.taxes.push_back({{kNotSubject, ""}, std::string(kNothingCharged), {}, {}});
    for (const InvoiceTaxTotal& t : made_.taxes) {
      if (t.tax.category == kNotSubject && made_.taxes.size() > 1)
        wrong(
            "what is not subject to tax (category O) and what is cannot be on one invoice of "
            "EN 16931; let the account have statements by provider, or another tax");
    }
  }

  // What is to the account's credit pays for what is charged; a debt is no part of this invoice.
  void add_balance(const Read::Balance& balance) {
    made_.note = balance_words(s_, balance);
    const auto now = parse_amount(balance.now);
    if (!now) wrong(balance.now + " is more than an invoice can hold");
    if (!now || made_.credit_note) return;
    const Amount paid = std::clamp(made_.gross + -*now, Amount(), made_.gross);
    made_.prepaid = Amount::from_attos(paid.attos() - paid.attos() % kCentAttos);
  }

  // That an invoice adds up is for us to say, not for whoever receives it.
  void check_sums() {
    std::map<std::pair<std::string, std::string>, Amount> nets;
    for (const InvoiceLine& l : made_.lines) nets[{l.tax.category, l.tax.percent}] += l.amount;
    for (const InvoiceAllowance& a : made_.allowances)
      nets[{a.tax.category, a.tax.percent}] += a.charge ? a.amount : -a.amount;
    Amount due;
    for (const InvoiceTaxTotal& t : made_.taxes) {
      due += t.due;
      const auto found = nets.find({t.tax.category, t.tax.percent});
      if (found == nets.end() || found->second != t.net)
        wrong("lines taxed by " + t.tax.category + " " + t.tax.percent + " do not add up to " +
              to_text(turned(t.net)));
      if (found != nets.end()) nets.erase(found);
    }
    if (!nets.empty())
      wrong("the tax of lines of category " + nets.begin()->first.first + " is not stated");
    if (made_.lines_total + -made_.allowances_total + made_.charges_total != made_.net)
      wrong("lines and credits do not add up to the net " + s_.net);
    if (due != made_.tax) wrong("taxes do not add up to " + s_.tax);
    if (made_.net + made_.tax != made_.gross)
      wrong("net and tax do not add up to the gross " + s_.gross);
  }

  const Read& s_;
  Invoice made_;
  std::string mistake_;
};

bool has_category(const Read& s, std::initializer_list<std::string_view> categories) {
  return std::any_of(s.taxes.begin(), s.taxes.end(), [&](const Read::TaxTotal& t) {
    return std::find(categories.begin(), categories.end(), t.tax.category) != categories.end();
  });
}

}  // namespace

std::vector<std::string> missing_for_invoice(const Read& s) {
  std::vector<std::string> missing;
  const auto want = [&](bool there, const char* whose, const std::string& id, const char* what) {
    if (!there)
      missing.push_back("an invoice by EN 16931 needs " + std::string(what) + " of the " + whose +
                        "; add it to the document of " + printable(id));
  };
  want(!s.issuer.country.empty(), "issuer", s.issuer.id, "the address");
  want(!s.customer.country.empty(), "client", s.customer.id, "the address");
  const bool taxed = has_category(s, {"S", "Z", "E", "AE", "K", "G"});
  want(!taxed || !s.issuer.vat_id.empty(), "issuer", s.issuer.id, "the vat_id");
  const bool client_accounts = has_category(s, {"AE", "K"});
  want(!client_accounts || !s.customer.vat_id.empty(), "client", s.customer.id, "the vat_id");
  const auto gross = parse_amount(s.gross);
  want(!gross || *gross <= Amount() || !s.payment_terms.empty(), "issuer", s.issuer.id,
       "the payment_terms");
  return missing;
}

tl::expected<Invoice, std::string> make_invoice(const Read& s) {
  const auto missing = missing_for_invoice(s);
  if (!missing.empty())
    return tl::unexpected("statement " + printable(s.number) + ": " + missing.front());
  return InvoiceMaker(s).make();
}

}  // namespace anabranch::billing
