// SPDX-License-Identifier: BSD-3-Clause
#include "billing/statement_pdf.h"

#include <algorithm>
#include <array>

#include "billing/pdf_page.h"
#include "billing/printable.h"
#include "billing/statement_words.h"
#include "billing/usage_graph.h"

namespace anabranch::billing {
namespace {

using Read = ReadStatement;

constexpr double kColumnSpace = 16;     // between columns
constexpr double kTitleWidthMin = 150;  // where less is left, numbers stand below their title
constexpr double kLabelWidth = 62;      // of the header
constexpr double kNameHeight = 9.5;  // of a column's name, with the depth of the caption's letters
constexpr double kBlockGap = 14, kRowGap = 3.5, kDetailIndent = 10;
// As in statement_style.h, on white.
constexpr std::array<uint32_t, kGraphColours> kColours{0x1f6fb4, 0xc46a00, 0x1b8a5a, 0x8e4ec6,
                                                       0xc8374a, 0x0e8a94, 0x8a5a2b, 0x6b7280};
constexpr PdfColour kGrid{0.82, 0.85, 0.88}, kAxis{0.35, 0.39, 0.43};

// With a minus as wide as a digit.
std::string number_words(std::string grouped) {
  if (grouped.starts_with('-')) grouped.replace(0, 1, "\xe2\x88\x92");
  return grouped;
}

// Two columns of numbers that end at the same places in all tables of a kind.
struct Columns {
  double first = 60, second = 60;
  double title() const { return PdfPages::kWidth - first - second - 2 * kColumnSpace; }
};

class PdfStatement {
 public:
  explicit PdfStatement(const Read& s) : s_(s) {}

  std::string make() && {
    header();
    const Columns columns = columns_of_charges();
    for (const Read::Section& section : s_.sections) add_section(section, columns);
    credits(columns);
    totals(columns);
    balance(columns);
    graphs();
    usage();
    const std::string footer = title(s_) + ", " + party_words(s_.issuer);
    return std::move(pages_).finish({.title = title(s_) + ", " + party_words(s_.customer),
                                     .author = party_words(s_.issuer),
                                     .subject = printable(s_.number),
                                     .created = s_.issued},
                                    footer);
  }

 private:
  void fit(double& column, const std::string& number) {
    if (!number.empty())
      column = std::max(column, pages_.text(number_words(number), PdfStyle::strong).width());
  }

  // Only the longest can be the widest, or nearly: digits are of one width.
  Columns columns_of_charges() {
    std::string first, second;
    const auto longer = [](std::string& longest, std::string other) {
      if (other.size() > longest.size()) longest = std::move(other);
    };
    for (const Read::Section& section : s_.sections) {
      longer(first, octets_words(section));
      longer(second, grouped(section.subtotal));
      for (const Read::Line& line : section.lines) {
        longer(first, octets_words(line));
        longer(second, grouped(line.amount));
      }
    }
    for (const Read::Credit& credit : s_.credits) longer(second, grouped(credit.amount));
    for (const Read::TaxTotal& tax : s_.taxes) longer(second, grouped(tax.due));
    for (const Read::Decimal* sum : {&s_.net, &s_.tax, &s_.gross}) longer(second, grouped(*sum));
    if (s_.balance) {
      longer(second, grouped(s_.balance->before));
      longer(second, grouped(s_.balance->now));
      for (const Read::Moved& moved : s_.balance->moved) longer(second, grouped(moved.amount));
    }
    Columns columns;
    fit(columns.first, first);
    fit(columns.second, second);
    return columns;
  }

  // A title, numbers to its right (or below it), and what explains it.
  PdfRow row(const std::string& title, const std::string& first, const std::string& second,
             const Columns& columns, PdfStyle style = PdfStyle::body,
             const std::vector<std::string>& details = {}, double indent = 0) {
    PdfRow row;
    const bool beside = columns.title() - indent >= kTitleWidthMin;
    const double room = (beside ? columns.title() : PdfPages::kWidth) - indent;
    row.add(indent, kRowGap, pages_.text(title, style, room));
    double y = beside ? kRowGap : row.height;
    for (const auto& [number, column] :
         {std::pair(&first, columns.second + kColumnSpace), std::pair(&second, 0.0)}) {
      if (number->empty()) continue;
      PdfText text = pages_.text(number_words(*number), style);
      const double end = PdfPages::kWidth - (beside ? column : 0), x = end - text.width();
      const double below = text.height();
      row.add(x, y, std::move(text));
      if (!beside) y += below;
    }
    for (const std::string& detail : details) {
      PdfText text = pages_.text(detail, PdfStyle::faint, room - kDetailIndent);
      row.add(indent + kDetailIndent, row.height + 0.5, std::move(text));
    }
    row.height += kRowGap;
    return row;
  }

  // Names of the columns at the foot of the caption, or below it, where the numbers are.
  PdfRow head(const std::string& caption, bool again, const std::string& first,
              const std::string& second, const Columns& columns) {
    const bool beside = columns.title() >= kTitleWidthMin;
    PdfRow made;
    made.add(0, kRowGap,
             pages_.text(caption + (again ? " (continued)" : ""), PdfStyle::heading,
                         beside ? columns.title() : PdfPages::kWidth));
    const auto name = [&](const std::string& words, double from_right, double y) {
      if (words.empty()) return;
      PdfText text = pages_.text(words, PdfStyle::faint);
      const double x = PdfPages::kWidth - from_right - text.width();
      made.add(x, y, std::move(text));
    };
    const double y = beside ? made.height - kNameHeight : made.height;
    if (beside) name(first, columns.second + kColumnSpace, y);
    name(beside || first.empty() ? second : first + ", " + second, 0, y);
    made.height += 2 * kRowGap;
    made.ruled = true;
    return made;
  }

  void label(const char* name, const std::string& text) {
    if (text.empty()) return;
    PdfRow made;
    made.add(0, 1, pages_.text(name, PdfStyle::faint));
    made.add(kLabelWidth, 0, pages_.text(text, PdfStyle::body, PdfPages::kWidth - kLabelWidth));
    made.height += 2;
    pages_.place(std::move(made));
  }

  static std::string address_words(const Read::Party& party) {
    std::string words;
    const auto add = [&](const std::string& part, const char* before) {
      if (!part.empty()) words += (words.empty() ? "" : before) + printable(part);
    };
    add(party.street, "");
    add(party.postcode, ", ");
    add(party.city, party.postcode.empty() ? ", " : " ");
    add(party.country, ", ");
    add(party.vat_id, ", VAT ");
    add(party.email, ", ");
    return words;
  }

  void header() {
    PdfRow top;
    top.add(0, 0, pages_.text(title(s_), PdfStyle::title));
    top.height += 10;
    pages_.place(std::move(top));
    label("issuer", party_words(s_.issuer));
    label("", address_words(s_.issuer));
    label("customer", party_words(s_.customer));
    label("", address_words(s_.customer));
    if (s_.payer) label("paid by", party_words(*s_.payer));
    label("account", printable(s_.account));
    label("period",
          time_words(s_.from) + " until " + time_words(s_.to) + ", " + printable(s_.zone));
    label("issued", time_words(s_.issued));
    label("tariff", printable(s_.tariff +
                              (s_.tariff_version.empty() ? "" : ", version " + s_.tariff_version)));
    std::string corrects;
    for (const std::string& number : s_.corrects)
      corrects += (corrects.empty() ? "" : ", ") + printable(number);
    label("corrects", corrects);
    label("to be paid", printable(s_.payment_terms));
    pages_.skip(4);
    PdfRow note;
    note.add(0, 0,
             pages_.text("Amounts in " + printable(s_.currency) +
                             ". Octets are those of outer IP packets; 1 GB = 10^9 octets.",
                         PdfStyle::faint));
    pages_.place(std::move(note));
  }

  void add_section(const Read::Section& section, const Columns& columns) {
    pages_.skip(kBlockGap);
    std::vector<PdfRow> rows;
    for (const Read::Line& line : section.lines)
      rows.push_back(row(title(line), octets_words(line), grouped(line.amount), columns,
                         PdfStyle::body, details(s_, line)));
    if (!rows.empty()) rows.back().ruled = true;
    pages_.table(
        [&](bool again) { return head(title(s_, section), again, "octets", "amount", columns); },
        std::move(rows),
        row("Subtotal", octets_words(section), grouped(section.subtotal), columns,
            PdfStyle::strong));
  }

  void credits(const Columns& columns) {
    if (s_.credits.empty()) return;
    pages_.skip(kBlockGap);
    std::vector<PdfRow> rows;
    for (const Read::Credit& credit : s_.credits)
      rows.push_back(row(printable(credit.description), "", grouped(credit.amount), columns,
                         PdfStyle::body, details(s_, credit)));
    pages_.table([&](bool again) { return head("Credits", again, "", "amount", columns); },
                 std::move(rows), {});
  }

  // On one page, if it fits on any.
  void totals(const Columns& columns) {
    std::vector<PdfRow> rows;
    rows.push_back(row("Net", "", grouped(s_.net), columns));
    for (const Read::TaxTotal& tax : s_.taxes)
      rows.push_back(row("T" + title(tax).substr(1), "", grouped(tax.due), columns));
    if (s_.taxes.size() != 1) rows.push_back(row("Tax", "", grouped(s_.tax), columns));
    rows.back().ruled = true;
    rows.push_back(
        row("Gross, " + printable(s_.currency), "", grouped(s_.gross), columns, PdfStyle::heading));
    PdfRow first = head("Total", false, "", "amount", columns);
    double height = first.height;
    for (const PdfRow& r : rows) height += r.height;
    pages_.skip(kBlockGap);
    pages_.need(height);
    pages_.place(std::move(first));
    for (PdfRow& r : rows) pages_.place(std::move(r));
  }

  void balance(const Columns& columns) {
    if (!s_.balance) return;
    std::vector<PdfRow> rows;
    rows.push_back(row("Balance before", "", grouped(s_.balance->before), columns));
    for (const Read::Moved& moved : s_.balance->moved)
      rows.push_back(row(title(moved), "", grouped(moved.amount), columns));
    rows.push_back(row("This statement", "", grouped(s_.gross), columns));
    rows.back().ruled = true;
    pages_.skip(kBlockGap);
    pages_.table([&](bool again) { return head("Account", again, "", "amount", columns); },
                 std::move(rows),
                 row("B" + title(s_, *s_.balance).substr(1), "", grouped(s_.balance->now), columns,
                     PdfStyle::strong));
  }

  void graphs() {
    const auto g = usage_graphs(s_);
    if (!g) return;
    const double width = (PdfPages::kWidth - kColumnSpace) / 2, scale = width / kGraphWidth;
    PdfRow legend = legend_of(*g);
    PdfRow caption;
    caption.add(0, 0, pages_.text("Octets a day, by provider", PdfStyle::heading));
    caption.height += kRowGap;
    const double height = kGraphHeight * scale;
    pages_.skip(2 * kBlockGap);
    pages_.need(caption.height + height + legend.height);
    pages_.place(std::move(caption));
    draw_graph(*g, g->sent, 0, scale);
    draw_graph(*g, g->received, width + kColumnSpace, scale);
    pages_.skip(height);
    pages_.place(std::move(legend));
  }

  PdfRow legend_of(const UsageGraphs& g) {
    PdfRow legend;
    double x = 0, y = 0;
    for (size_t colour = 0; colour < g.names.size(); ++colour) {
      PdfText name =
          pages_.text(printable(g.names[colour]), PdfStyle::faint, PdfPages::kWidth - 12);
      const double width = 12 + name.width() + kColumnSpace;
      if (x > 0 && x + width > PdfPages::kWidth) x = 0, y = legend.height + 2;
      legend.add(x + 12, y, std::move(name));
      legend.boxes.push_back({x, y + 1, 7, 7, pdf_colour(kColours[colour])});
      x += width;
    }
    return legend;
  }

  void draw_graph(const UsageGraphs& g, const UsageGraph& graph, double left, double scale) {
    const auto at = [&](int64_t x) { return left + static_cast<double>(x) * scale; };
    const auto tall = [&](int64_t y) { return static_cast<double>(y) * scale; };
    const auto label = [&](const std::string& words, double x, double y, double anchor) {
      PdfText text = pages_.text(words, PdfStyle::faint);
      const double from = x - anchor * text.width(), top = y - text.height() / 2;
      pages_.draw(from, top, std::move(text));
    };
    label(g.unit, left, 5, 0);
    label(graph.name, at((kPlotLeft + kPlotRight) / 2), 5, 0.5);
    for (size_t i = 0; i < g.ticks.size(); ++i) {
      const double y = tall(g.ticks[i].y);
      pages_.box(
          {at(kPlotLeft), y - 0.25, at(kPlotRight) - at(kPlotLeft), 0.5, i == 0 ? kAxis : kGrid});
      label(g.ticks[i].label, at(kPlotLeft) - 5, y, 1);
    }
    for (const UsageGraph::Bar& b : graph.bars)
      pages_.box({at(b.x), tall(b.y), static_cast<double>(b.width) * scale, tall(b.height),
                  pdf_colour(kColours[b.colour])});
    for (const auto& [x, text] : g.days) label(text, at(x), tall(kPlotBottom) + 7, 0.5);
  }

  void usage() {
    if (s_.usage.empty()) return;
    const UsageTotal total = usage_total(s_);  // none is wider
    Columns columns;
    fit(columns.first, grouped(total.octets));
    fit(columns.second, grouped(total.packets));
    std::vector<PdfRow> rows;
    for (const auto& path : by_path(s_)) {
      PdfRow name = row(title(path[0]), "", "", columns);
      for (const Read::Usage& used : path) {
        PdfRow next = row(printable(used.direction + ", " + used.kind), grouped(used.octets),
                          grouped(used.packets), columns, PdfStyle::body, {}, kDetailIndent);
        if (!name.parts.empty()) next = joined(std::move(name), std::move(next));
        name = PdfRow();
        rows.push_back(std::move(next));
      }
    }
    rows.back().ruled = true;
    pages_.skip(2 * kBlockGap);
    pages_.table(
        [&](bool again) { return head("Usage", again, "octets", "packets", columns); },
        std::move(rows),
        row("Total", grouped(total.octets), grouped(total.packets), columns, PdfStyle::strong));
  }

  // So that a path's name stands never alone at the foot of a page.
  static PdfRow joined(PdfRow above, PdfRow below) {
    const double y = above.height;
    for (PdfRow::Part& part : below.parts) above.add(part.x, part.y + y, std::move(part.text));
    above.height = y + below.height;
    return above;
  }

  const Read& s_;
  PdfPages pages_;
};

}  // namespace

tl::expected<std::string, std::string> statement_pdf(const nlohmann::json& statement) {
  const auto read = read_statement(statement);
  if (!read) return tl::unexpected(read.error());
  return PdfStatement(*read).make();
}

}  // namespace anabranch::billing
