// SPDX-License-Identifier: BSD-3-Clause
#include "billing/statement_graph.h"

#include <fmt/format.h>

#include "billing/html_text.h"
#include "billing/statement_words.h"
#include "billing/usage_graph.h"

namespace anabranch::billing {
namespace {

using Read = ReadStatement;

std::string axes(const UsageGraphs& g) {
  std::string out;
  const char* kind = "axis";
  for (const auto& [y, label] : g.ticks) {
    out += fmt::format(
        "<path class=\"{}\" d=\"M{} {}H{}\"/><text x=\"{}\" y=\"{}\" "
        "text-anchor=\"end\">{}</text>\n",
        kind, kPlotLeft, y, kPlotRight, kPlotLeft - 60, y + 40, label);
    kind = "grid";
  }
  out += fmt::format("<text x=\"0\" y=\"110\">{}</text>\n", g.unit);
  for (const auto& [x, text] : g.days)
    out += fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n", x,
                       kPlotBottom + 150, text);
  return out + fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">day</text>\n",
                           (kPlotLeft + kPlotRight) / 2, kGraphHeight - 50);
}

std::string bars(const UsageGraphs& g, const UsageGraph& graph) {
  std::string out;
  for (const UsageGraph::Bar& b : graph.bars)
    out += fmt::format(
        "<rect class=\"c{}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"><title>{}, {}: {} "
        "octets</title></rect>\n",
        b.colour, b.x, b.y, b.width, b.height, b.day, html_escaped(g.names[b.colour]), b.octets);
  return out;
}

std::string graph(const UsageGraphs& g, const UsageGraph& one) {
  return fmt::format(
             "<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"Octets {} a day, by provider; "
             "the table below has the figures\">\n"
             "<text class=\"name\" x=\"{}\" y=\"110\" text-anchor=\"middle\">{}</text>\n",
             kGraphWidth, kGraphHeight, one.name, (kPlotLeft + kPlotRight) / 2, one.name) +
         axes(g) + bars(g, one) + "</svg>\n";
}

std::string legend(const UsageGraphs& g) {
  std::string out = "<ul class=\"legend\">\n";
  for (size_t colour = 0; colour < g.names.size(); ++colour)
    out += fmt::format(
        "<li><svg viewBox=\"0 0 10 10\" aria-hidden=\"true\"><rect class=\"c{}\" width=\"10\" "
        "height=\"10\"/></svg> {}</li>\n",
        colour, html_isolated(g.names[colour]));
  return out + "</ul>\n";
}

std::string table(const Read& s) {
  std::string out =
      "<details>\n<summary>Octets a day as a table</summary>\n<div class=\"scroll\"><table>\n"
      "<caption>Octets a day, by provider</caption>\n<thead><tr><th scope=\"col\">Day</th>"
      "<th scope=\"col\">Provider</th><th scope=\"col\" class=\"n\">Sent</th>"
      "<th scope=\"col\" class=\"n\">Received</th></tr></thead>\n<tbody>\n";
  for (const Read::Day& d : s.days)
    out += fmt::format(
        "<tr><th scope=\"row\" class=\"day\">{}</th><td>{}</td><td class=\"n\">{}</td>"
        "<td class=\"n\">{}</td></tr>\n",
        d.day, html_isolated(d.provider), grouped(d.sent), grouped(d.received));
  return out + "</tbody>\n</table></div>\n</details>\n";
}

}  // namespace

std::string usage_figure(const Read& s) {
  const auto g = usage_graphs(s);
  if (!g) return {};
  return "<figure>\n<figcaption>Octets a day, by provider</figcaption>\n<div class=\"graphs\">\n" +
         graph(*g, g->sent) + graph(*g, g->received) + "</div>\n" + legend(*g) + table(s) +
         "</figure>\n";
}

}  // namespace anabranch::billing
