// SPDX-License-Identifier: BSD-3-Clause
// A statement as an invoice by EN 16931: which of its amounts is what there, with which sign. Pure
// functions.
//
// A statement of less than nothing is a credit note, in which all signs are turned. SLA credits are
// allowances on the document, or lines where they are all that is credited.
#pragma once

#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "billing/money.h"
#include "billing/statement_reading.h"

namespace anabranch::billing {

struct InvoiceTax {
  std::string category;  // UNCL 5305
  std::string percent;   // "19"; empty with O, which has none
};

struct InvoiceLine {
  std::string name;  // printable, not empty
  std::vector<std::string> details;
  std::string provider;  // empty: the issuer
  Amount quantity;
  const char* unit = "C62";  // UN/ECE recommendation 20; C62 is "one"
  Amount amount;
  Amount price;  // for `base` units, not negative: quantity × price / base is the amount
  Amount base;   // zero: one
  InvoiceTax tax;
};

struct InvoiceAllowance {
  bool charge = false;  // it is owed, instead of given
  Amount amount;        // not negative
  std::string reason;   // printable, not empty
  InvoiceTax tax;
};

struct InvoiceTaxTotal {
  InvoiceTax tax;
  std::string reason;  // why none is due; printable
  Amount net, due;
};

struct Invoice {
  bool credit_note = false;
  std::vector<InvoiceLine> lines;  // at least one
  std::vector<InvoiceAllowance> allowances;
  std::vector<InvoiceTaxTotal> taxes;  // one a category and percentage
  Amount lines_total, allowances_total, charges_total, net, tax, gross;
  Amount prepaid;    // of the gross, by what the account had to its credit
  std::string note;  // who else pays, or how the account stands; printable, may be empty
};

// The error: what the statement lacks or has that an invoice by EN 16931 cannot be made of, and in
// which document it is to be mended.
tl::expected<Invoice, std::string> make_invoice(const ReadStatement& s);

// What issuer and client have yet to say of themselves, one a sentence; empty: nothing. Their
// documents can be mended until the statement is issued.
std::vector<std::string> missing_for_invoice(const ReadStatement& s);

}  // namespace anabranch::billing
