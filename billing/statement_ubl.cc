// SPDX-License-Identifier: BSD-3-Clause
#include "billing/statement_ubl.h"

#include <libxml/xmlwriter.h>

#include <chrono>
#include <cstdlib>
#include <memory>
#include <string_view>

#include "billing/printable.h"
#include "billing/statement_invoice.h"
#include "billing/statement_words.h"

namespace anabranch::billing {
namespace {

using Read = ReadStatement;

constexpr const char* kSpecification = "urn:cen.eu:en16931:2017";
constexpr const char* kUbl = "urn:oasis:names:specification:ubl:schema:xsd:";
constexpr const char* kInvoiceCode = "380";  // UNTDID 1001
constexpr const char* kCreditNoteCode = "381";
constexpr const char* kEmailScheme = "EM";  // of electronic addresses

bool is_blank(std::string_view text) {
  return text.find_first_not_of(' ') == std::string_view::npos;
}

const xmlChar* chars(const char* text) {
  return reinterpret_cast<const xmlChar*>(text);
}

// Writes to memory, which fails only when there is no memory.
class Xml {
 public:
  Xml()
      : buffer_((prepare(), xmlBufferCreate())), writer_(xmlNewTextWriterMemory(buffer_.get(), 0)) {
    ensure(writer_ != nullptr);
    xmlTextWriterSetIndent(writer_.get(), 1);
    xmlTextWriterSetIndentString(writer_.get(), chars("  "));
    ensure(xmlTextWriterStartDocument(writer_.get(), "1.0", "UTF-8", nullptr) >= 0);
  }

  void open(const char* name) {
    ensure(xmlTextWriterStartElement(writer_.get(), chars(name)) >= 0);
  }
  void close() { ensure(xmlTextWriterEndElement(writer_.get()) >= 0); }
  void attribute(const char* name, const std::string& value) {
    ensure(xmlTextWriterWriteAttribute(writer_.get(), chars(name), chars(value.c_str())) >= 0);
  }
  // Nothing where the text is blank: EN 16931 has no empty elements.
  void text(const char* name, const std::string& text) {
    if (!is_blank(text))
      ensure(xmlTextWriterWriteElement(writer_.get(), chars(name), chars(text.c_str())) >= 0);
  }
  void text(const char* name, const std::string& text, const char* attribute_name,
            const std::string& value) {
    if (is_blank(text)) return;
    open(name);
    attribute(attribute_name, value);
    ensure(xmlTextWriterWriteString(writer_.get(), chars(text.c_str())) >= 0);
    close();
  }
  std::string end() {
    ensure(xmlTextWriterEndDocument(writer_.get()) >= 0);
    writer_.reset();
    const auto* octets = reinterpret_cast<const char*>(xmlBufferContent(buffer_.get()));
    return {octets, static_cast<size_t>(xmlBufferLength(buffer_.get()))};
  }

 private:
  // By one thread, before several write.
  static void prepare() { [[maybe_unused]] static const bool once = (xmlInitParser(), true); }
  static void ensure(bool good) {
    if (!good) std::abort();
  }
  struct Free {
    void operator()(xmlBuffer* buffer) const { xmlBufferFree(buffer); }
    void operator()(xmlTextWriter* writer) const { xmlFreeTextWriter(writer); }
  };
  std::unique_ptr<xmlBuffer, Free> buffer_;
  std::unique_ptr<xmlTextWriter, Free> writer_;
};

std::string day_of_time(const Read::Time& time) {
  return time.substr(0, 10);
}

// The last day before a time: periods end at midnight, unless an account was closed.
std::string last_day(const Read::Time& time) {
  using namespace std::chrono;
  const std::string day = day_of_time(time);
  if (time.substr(11, 8) != "00:00:00") return day;
  const sys_days before = sys_days(year(std::stoi(day.substr(0, 4))) / std::stoi(day.substr(5, 2)) /
                                   std::stoi(day.substr(8, 2))) -
                          days(1);
  const year_month_day date{before};
  std::string text = "0000-00-00";
  const auto put = [&](size_t at, size_t digits, unsigned value) {
    for (size_t i = digits; i-- > 0; value /= 10)
      text[at + i] = static_cast<char>('0' + value % 10);
  };
  put(0, 4, static_cast<unsigned>(static_cast<int>(date.year())));
  put(5, 2, static_cast<unsigned>(date.month()));
  put(8, 2, static_cast<unsigned>(date.day()));
  return text;
}

class UblWriter {
 public:
  UblWriter(const Read& s, const Invoice& invoice) : s_(s), i_(invoice) {}

  std::string write() {
    const std::string root = i_.credit_note ? "CreditNote" : "Invoice";
    xml_.open(root.c_str());
    xml_.attribute("xmlns", kUbl + root + "-2");
    xml_.attribute("xmlns:cac", std::string(kUbl) + "CommonAggregateComponents-2");
    xml_.attribute("xmlns:cbc", std::string(kUbl) + "CommonBasicComponents-2");
    head();
    party("cac:AccountingSupplierParty", s_.issuer, true);
    party("cac:AccountingCustomerParty", s_.customer, false);
    delivery();
    if (!s_.payment_terms.empty()) {
      xml_.open("cac:PaymentTerms");
      xml_.text("cbc:Note", printable(s_.payment_terms));
      xml_.close();
    }
    for (const InvoiceAllowance& a : i_.allowances) allowance(a);
    taxes();
    totals();
    for (size_t n = 0; n < i_.lines.size(); ++n) line(i_.lines[n], n + 1);
    xml_.close();
    return xml_.end();
  }

 private:
  void amount(const char* name, Amount amount) {
    xml_.text(name, to_text(amount), "currencyID", s_.currency);
  }

  void head() {
    xml_.text("cbc:CustomizationID", kSpecification);
    xml_.text("cbc:ID", printable(s_.number));
    xml_.text("cbc:IssueDate", day_of_time(s_.issued));
    if (i_.credit_note)
      xml_.text("cbc:CreditNoteTypeCode", kCreditNoteCode);
    else
      xml_.text("cbc:InvoiceTypeCode", kInvoiceCode);
    xml_.text("cbc:Note", title(s_) + ", account " + printable(s_.account) + i_.note);
    xml_.text("cbc:DocumentCurrencyCode", s_.currency);
    period(s_.from, s_.to);
    for (const std::string& number : s_.corrects) {
      xml_.open("cac:BillingReference");
      xml_.open("cac:InvoiceDocumentReference");
      xml_.text("cbc:ID", printable(number));
      xml_.close();
      xml_.close();
    }
  }

  void period(const Read::Time& from, const Read::Time& to) {
    if (from.empty() || to.empty()) return;
    const std::string first = day_of_time(from);
    xml_.open("cac:InvoicePeriod");
    xml_.text("cbc:StartDate", first);
    xml_.text("cbc:EndDate", std::max(first, last_day(to)));
    xml_.close();
  }

  // BR-O-02: who is not subject to a tax has no number of it there.
  bool shows_vat_ids() const { return i_.taxes.empty() || i_.taxes.front().tax.category != "O"; }

  void party(const char* role, const Read::Party& party, bool seller) {
    const std::string name = printable(is_blank(printable(party.name)) ? party.id : party.name);
    xml_.open(role);
    xml_.open("cac:Party");
    xml_.text("cbc:EndpointID", party.email, "schemeID", kEmailScheme);
    if (seller || !party.id.empty()) {
      xml_.open("cac:PartyIdentification");
      xml_.text("cbc:ID", printable(party.id));
      xml_.close();
    }
    xml_.open("cac:PostalAddress");
    xml_.text("cbc:StreetName", printable(party.street));
    xml_.text("cbc:CityName", printable(party.city));
    xml_.text("cbc:PostalZone", printable(party.postcode));
    country(party);
    xml_.close();
    if (!party.vat_id.empty() && shows_vat_ids()) {
      xml_.open("cac:PartyTaxScheme");
      xml_.text("cbc:CompanyID", printable(party.vat_id));
      tax_scheme();
      xml_.close();
    }
    xml_.open("cac:PartyLegalEntity");
    xml_.text("cbc:RegistrationName", name);
    xml_.close();
    xml_.close();
    xml_.close();
  }

  void country(const Read::Party& party) {
    xml_.open("cac:Country");
    xml_.text("cbc:IdentificationCode", printable(party.country));
    xml_.close();
  }

  // BR-IC-12: where a supply within the community went to.
  void delivery() {
    bool within = false;
    for (const InvoiceTaxTotal& t : i_.taxes) within |= t.tax.category == "K";
    if (!within) return;
    xml_.open("cac:Delivery");
    xml_.open("cac:DeliveryLocation");
    xml_.open("cac:Address");
    country(s_.customer);
    xml_.close();
    xml_.close();
    xml_.close();
  }

  void tax_scheme() {
    xml_.open("cac:TaxScheme");
    xml_.text("cbc:ID", "VAT");
    xml_.close();
  }

  void tax_category(const char* name, const InvoiceTax& tax, const std::string& reason = "") {
    xml_.open(name);
    xml_.text("cbc:ID", tax.category);
    xml_.text("cbc:Percent", tax.percent);
    xml_.text("cbc:TaxExemptionReason", reason);
    tax_scheme();
    xml_.close();
  }

  void allowance(const InvoiceAllowance& a) {
    xml_.open("cac:AllowanceCharge");
    xml_.text("cbc:ChargeIndicator", a.charge ? "true" : "false");
    xml_.text("cbc:AllowanceChargeReason", a.reason);
    amount("cbc:Amount", a.amount);
    tax_category("cac:TaxCategory", a.tax);
    xml_.close();
  }

  void taxes() {
    xml_.open("cac:TaxTotal");
    amount("cbc:TaxAmount", i_.tax);
    for (const InvoiceTaxTotal& t : i_.taxes) {
      xml_.open("cac:TaxSubtotal");
      amount("cbc:TaxableAmount", t.net);
      amount("cbc:TaxAmount", t.due);
      tax_category("cac:TaxCategory", t.tax, t.reason);
      xml_.close();
    }
    xml_.close();
  }

  void totals() {
    xml_.open("cac:LegalMonetaryTotal");
    amount("cbc:LineExtensionAmount", i_.lines_total);
    amount("cbc:TaxExclusiveAmount", i_.net);
    amount("cbc:TaxInclusiveAmount", i_.gross);
    if (i_.allowances_total != Amount()) amount("cbc:AllowanceTotalAmount", i_.allowances_total);
    if (i_.charges_total != Amount()) amount("cbc:ChargeTotalAmount", i_.charges_total);
    if (i_.prepaid != Amount()) amount("cbc:PrepaidAmount", i_.prepaid);
    amount("cbc:PayableAmount", i_.gross + -i_.prepaid);
    xml_.close();
  }

  void line(const InvoiceLine& l, size_t number) {
    xml_.open(i_.credit_note ? "cac:CreditNoteLine" : "cac:InvoiceLine");
    xml_.text("cbc:ID", std::to_string(number));
    xml_.text(i_.credit_note ? "cbc:CreditedQuantity" : "cbc:InvoicedQuantity",
              to_text(l.quantity, 0), "unitCode", l.unit);
    amount("cbc:LineExtensionAmount", l.amount);
    item(l);
    xml_.open("cac:Price");
    amount("cbc:PriceAmount", l.price);
    if (l.base != Amount()) xml_.text("cbc:BaseQuantity", to_text(l.base, 0), "unitCode", l.unit);
    xml_.close();
    xml_.close();
  }

  void item(const InvoiceLine& l) {
    std::string description;
    for (const std::string& detail : l.details)
      description += (description.empty() ? "" : "; ") + detail;
    xml_.open("cac:Item");
    xml_.text("cbc:Description", description);
    xml_.text("cbc:Name", l.name);
    tax_category("cac:ClassifiedTaxCategory", l.tax);
    if (!l.provider.empty()) {
      xml_.open("cac:AdditionalItemProperty");
      xml_.text("cbc:Name", "provider");
      xml_.text("cbc:Value", l.provider);
      xml_.close();
    }
    xml_.close();
  }

  const Read& s_;
  const Invoice& i_;
  Xml xml_;
};

}  // namespace

tl::expected<std::string, std::string> statement_ubl(const nlohmann::json& statement) {
  const auto read = read_statement(statement);
  if (!read) return tl::unexpected(read.error());
  const auto invoice = make_invoice(*read);
  if (!invoice) return tl::unexpected(invoice.error());
  return UblWriter(*read, *invoice).write();
}

}  // namespace anabranch::billing
