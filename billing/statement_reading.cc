// SPDX-License-Identifier: BSD-3-Clause
#include "billing/statement_reading.h"

#include <algorithm>
#include <string_view>

#include "billing/document_reader.h"

namespace anabranch::billing {
namespace {

using nlohmann::json;

constexpr size_t kWholeDigitsMax = 21;  // of an Amount: 1.7 × 10^20
constexpr size_t kDecimalsMax = 18;
constexpr std::string_view kDay = "dddd-dd-dd";
constexpr std::string_view kTime = "dddd-dd-ddTdd:dd:dd";
constexpr std::string_view kOffset = "dd:dd";

bool all_digits(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// In a pattern 'd' stands for a digit.
bool has_form(std::string_view text, std::string_view pattern) {
  return std::equal(text.begin(), text.end(), pattern.begin(), pattern.end(),
                    [](char c, char p) { return p == 'd' ? c >= '0' && c <= '9' : c == p; });
}

bool is_decimal(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  const size_t point = std::min(text.find('.'), text.size());
  const std::string_view whole = text.substr(0, point);
  if (whole.empty() || whole.size() > kWholeDigitsMax || !all_digits(whole)) return false;
  if (point == text.size()) return true;
  const std::string_view decimals = text.substr(point + 1);
  return !decimals.empty() && decimals.size() <= kDecimalsMax && all_digits(decimals);
}

bool is_time(std::string_view text) {
  if (!has_form(text.substr(0, kTime.size()), kTime)) return false;
  text.remove_prefix(kTime.size());
  if (text == "Z") return true;
  return (text.starts_with('+') || text.starts_with('-')) && has_form(text.substr(1), kOffset);
}

enum class Must : bool { no, yes };

// The members of one object. Only the first mistake is kept: after it, what is read is not used.
class Members {
 public:
  Members(const json& object, std::string at, std::string& mistake)
      : object_(object), at_(std::move(at)), mistake_(mistake) {
    if (!object.is_object()) wrong("", shown(object) + " is no JSON object");
  }

  std::string text(const char* name, Must must = Must::yes) const {
    const json* value = member(name, must, "a text");
    if (value == nullptr) return {};
    if (value->is_string()) return value->get_ref<const std::string&>();
    wrong(name, shown(*value) + " is no text");
    return {};
  }
  std::string decimal(const char* name, Must must = Must::yes) const {
    return text_that(name, must, is_decimal, "a decimal number as a text, such as \"-4.90\"");
  }
  std::string time(const char* name, Must must = Must::yes) const {
    return text_that(name, must, is_time, "a time such as \"2026-10-01T00:00:00+02:00\"");
  }
  std::string day(const char* name) const {
    const auto is_day = [](std::string_view text) { return has_form(text, kDay); };
    return text_that(name, Must::yes, is_day, "a day such as \"2026-10-01\"");
  }
  std::optional<uint64_t> whole(const char* name, Must must = Must::yes) const {
    const json* value = member(name, must, "a whole number");
    if (value == nullptr) return std::nullopt;
    // Not `*value >= 0`: the library compares with an int as signed.
    if (value->is_number_unsigned() || (value->is_number_integer() && value->get<int64_t>() >= 0))
      return value->get<uint64_t>();
    wrong(name, shown(*value) + "; expected a whole number, not negative");
    return std::nullopt;
  }
  uint64_t count(const char* name) const { return whole(name).value_or(0); }
  // Whether one of a few texts is the wanted one.
  bool choice(const char* name, std::initializer_list<std::string_view> names,
              std::string_view wanted) const {
    const std::string value = text(name);
    if (std::find(names.begin(), names.end(), value) == names.end())
      wrong(name, shown(value) + "; expected " + listed({names.begin(), names.size()}));
    return value == wanted;
  }

  // Calls `read` with the Members of an object; absent, not at all.
  template <class Read>
  void inner(const char* name, Must must, Read read) const {
    const json* value = member(name, must, "an object");
    if (value != nullptr) read(Members(*value, at(name), mistake_));
  }
  // Calls `read` with each element of a list and with its JSON pointer.
  template <class Read>
  void elements(const char* name, Must must, Read read) const {
    const json* value = member(name, must, "a list");
    if (value == nullptr) return;
    if (!value->is_array()) wrong(name, shown(*value) + " is no list");
    if (!value->is_array()) return;
    for (size_t i = 0; i < value->size(); ++i)
      read((*value)[i], at(name) + "/" + std::to_string(i));
  }
  template <class Read>
  void objects(const char* name, Must must, Read read) const {
    elements(name, must, [&](const json& element, const std::string& at) {
      read(Members(element, at, mistake_));
    });
  }
  void wrong(const std::string& name, const std::string& what) const {
    if (mistake_.empty()) mistake_ = "statement: " + at(name) + ": " + what;
  }

 private:
  std::string at(const std::string& name) const { return name.empty() ? at_ : at_ + "/" + name; }
  const json* member(const char* name, Must must, const char* expected) const {
    const auto found = object_.find(name);  // the end, where it is no object
    if (found != object_.end() && !found->is_null()) return &*found;
    if (must == Must::yes) wrong(name, std::string("is missing; expected ") + expected);
    return nullptr;
  }
  template <class Check>
  std::string text_that(const char* name, Must must, Check check, const char* expected) const {
    const json* value = member(name, must, expected);
    if (value == nullptr) return {};
    if (value->is_string() && check(value->get_ref<const std::string&>())) return *value;
    wrong(name, shown(*value) + "; expected " + expected);
    return {};
  }

  const json& object_;
  std::string at_;
  std::string& mistake_;
};

std::optional<ReadStatement::Party> party(const Members& m, const char* name, Must must) {
  std::optional<ReadStatement::Party> read;
  m.inner(name, must, [&](const Members& p) {
    ReadStatement::Party& party = read.emplace();
    party.id = p.text("id");
    party.name = p.text("name");
    party.vat_id = p.text("vat_id", Must::no);
    party.email = p.text("email", Must::no);
    p.inner("address", Must::no, [&](const Members& a) {
      party.street = a.text("street", Must::no);
      party.postcode = a.text("postcode", Must::no);
      party.city = a.text("city", Must::no);
      party.country = a.text("country", Must::no);
    });
  });
  return read;
}

ReadStatement::Tax tax(const Members& m) {
  return {m.text("category"), m.text("reason", Must::no), m.decimal("percent", Must::no)};
}

ReadStatement::Tax tax_of(const Members& m) {
  ReadStatement::Tax read;
  m.inner("tax", Must::no, [&](const Members& t) { read = tax(t); });
  return read;
}

ReadStatement::Line line(const Members& m) {
  ReadStatement::Line line{.item = m.text("item"),
                           .description = m.text("description"),
                           .passed = m.text("passed", Must::no),
                           .unit = m.text("unit", Must::no),
                           .octets = m.whole("octets", Must::no),
                           .packets = m.whole("packets", Must::no),
                           .amount = m.decimal("amount"),
                           .tax = tax_of(m)};
  m.objects("at", Must::no, [&](const Members& t) {
    line.at.push_back({t.decimal("quantity"), t.decimal("price")});
  });
  m.inner("conversion", Must::no, [&](const Members& c) {
    line.conversion = {c.text("from"), c.text("to"),         c.text("rates"),
                       c.text("date"), c.decimal("of_from"), c.decimal("of_to")};
  });
  m.inner("period", Must::no, [&](const Members& p) {
    line.corrects = p.text("statement", Must::no);
    line.period = {p.time("from"), p.time("to")};
  });
  return line;
}

ReadStatement::Section section(const Members& m) {
  ReadStatement::Section section{.provider = m.text("provider"),
                                 .octets = m.count("octets"),
                                 .subtotal = m.decimal("subtotal")};
  m.objects("lines", Must::yes, [&](const Members& l) { section.lines.push_back(line(l)); });
  return section;
}

ReadStatement::Credit credit(const Members& m) {
  ReadStatement::Credit credit{.description = m.text("description"),
                               .promise = m.text("promise", Must::no),
                               .promised = m.text("promised", Must::no),
                               .measured = m.text("measured", Must::no),
                               .service = m.whole("service", Must::no),
                               .samples = m.whole("samples", Must::no),
                               .missed = m.whole("missed", Must::no),
                               .amount = m.decimal("amount"),
                               .tax = tax_of(m)};
  m.inner("window", Must::no, [&](const Members& w) {
    credit.window = {w.time("from"), w.time("to")};
  });
  return credit;
}

ReadStatement::Balance balance(const Members& m) {
  ReadStatement::Balance balance{
      .before = m.decimal("before"), .moved = {}, .now = m.decimal("now")};
  m.objects("moved", Must::yes, [&](const Members& e) {
    balance.moved.push_back({e.time("at"), e.text("what"), e.decimal("amount")});
  });
  return balance;
}

ReadStatement::Usage usage(const Members& m) {
  return {m.text("provider"),  m.text("network"), m.text("path"),    m.text("gateway"),
          m.text("direction"), m.text("kind"),    m.count("octets"), m.count("packets")};
}

void read_header(const Members& m, ReadStatement& s) {
  s.number = m.text("number");
  s.adjustment = m.choice("kind", {"statement", "adjustment", "preview"}, "adjustment");
  m.elements("corrects", Must::no, [&](const json& number, const std::string&) {
    if (number.is_string())
      s.corrects.push_back(number);
    else
      m.wrong("corrects", shown(number) + " is no text");
  });
  s.issuer = party(m, "issuer", Must::yes).value_or(ReadStatement::Party());
  s.payment_terms = m.text("payment_terms", Must::no);
  s.account = m.text("account");
  s.customer = party(m, "customer", Must::yes).value_or(ReadStatement::Party());
  s.payer = party(m, "payer", Must::no);
  s.zone = m.text("zone");
  s.from = m.time("from");
  s.to = m.time("to");
  s.issued = m.time("issued");
  s.currency = m.text("currency");
  m.inner("tariff", Must::yes, [&](const Members& t) {
    s.tariff = t.text("id");
    s.tariff_version = t.text("version", Must::no);
  });
  s.itemised = m.choice("provider_charges", {"itemised", "summarised", "separate"}, "itemised");
}

}  // namespace

tl::expected<ReadStatement, std::string> read_statement(const json& document) {
  std::string mistake;
  ReadStatement s;
  const Members m(document, "", mistake);
  read_header(m, s);
  m.objects("sections", Must::yes, [&](const Members& e) { s.sections.push_back(section(e)); });
  m.objects("credits", Must::no, [&](const Members& e) { s.credits.push_back(credit(e)); });
  m.objects("taxes", Must::yes, [&](const Members& e) {
    s.taxes.push_back({tax(e), e.decimal("net"), e.decimal("tax")});
  });
  s.net = m.decimal("net");
  s.tax = m.decimal("tax");
  s.gross = m.decimal("gross");
  m.inner("balance", Must::no, [&](const Members& b) { s.balance = balance(b); });
  m.objects("usage", Must::no, [&](const Members& e) { s.usage.push_back(usage(e)); });
  m.objects("days", Must::no, [&](const Members& e) {
    s.days.push_back({e.day("day"), e.text("provider"), e.count("sent"), e.count("received")});
  });
  if (!mistake.empty()) return tl::unexpected(mistake);
  return s;
}

}  // namespace anabranch::billing
