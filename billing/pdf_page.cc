// SPDX-License-Identifier: BSD-3-Clause
#include "billing/pdf_page.h"

#include <cairo-pdf.h>
#include <fmt/format.h>
#include <pango/pangocairo.h>

#include <algorithm>
#include <array>
#include <climits>
#include <cstdlib>
#include <optional>

namespace anabranch::billing {
namespace {

constexpr double kPaperWidth = 595.28, kPaperHeight = 841.89;  // A4
constexpr double kLeft = (kPaperWidth - PdfPages::kWidth) / 2, kTop = 48;
constexpr double kBody = 726;  // height between the margins
constexpr double kFooterY = 796;
constexpr double kRule = 0.5;
constexpr PdfColour kRuleColour{0.82, 0.85, 0.88};

struct StyleFont {
  const char* description;
  PdfColour colour;
};
// Of kPdfStyle, in its order. DejaVu has Latin, Greek, Cyrillic, Hebrew and Arabic; what it has
// not, fontconfig finds in other fonts.
constexpr PdfColour kInk{0.106, 0.122, 0.141}, kFaint{0.349, 0.388, 0.431};
constexpr std::array<StyleFont, 5> kStyles{{{"DejaVu Sans 8.5", kInk},
                                            {"DejaVu Sans Bold 8.5", kInk},
                                            {"DejaVu Sans 7", kFaint},
                                            {"DejaVu Sans Bold 10.5", kInk},
                                            {"DejaVu Sans Bold 17", kInk}}};

void set_colour(cairo_t* cairo, const PdfColour& colour) {
  cairo_set_source_rgb(cairo, colour.red, colour.green, colour.blue);
}

struct FreeObject {
  void operator()(void* object) const { g_object_unref(object); }
  void operator()(PangoFontDescription* font) const { pango_font_description_free(font); }
  void operator()(PangoAttrList* list) const { pango_attr_list_unref(list); }
};

cairo_status_t append(void* to, const unsigned char* octets, unsigned int size) {
  static_cast<std::string*>(to)->append(reinterpret_cast<const char*>(octets), size);
  return CAIRO_STATUS_SUCCESS;
}

}  // namespace

PdfColour pdf_colour(uint32_t rgb) {
  const auto part = [&](int shift) { return ((rgb >> shift) & 0xff) / 255.0; };
  return {part(16), part(8), part(0)};
}

void PdfText::Free::operator()(PangoLayout* layout) const {
  g_object_unref(layout);
}

void PdfRow::add(double x, double y, PdfText text) {
  height = std::max(height, y + text.height());
  parts.push_back({x, y, std::move(text)});
}

namespace {

// What numbers and most names are of, by a place in a table.
constexpr size_t kPlainLetters = 97;
std::string plain_letter(size_t at) {
  if (at < 95) return std::string(1, static_cast<char>(' ' + at));
  return at == 95 ? "\xc2\xa0" : "\xe2\x88\x92";  // U+00A0, U+2212
}
struct PlainLetter {
  size_t at, octets;
};
std::optional<PlainLetter> first_plain(std::string_view text) {
  const char c = text[0];
  if (c >= ' ' && c <= '~') return PlainLetter{static_cast<size_t>(c - ' '), 1};
  if (text.starts_with("\xc2\xa0")) return PlainLetter{95, 2};
  if (text.starts_with("\xe2\x88\x92")) return PlainLetter{96, 3};
  return std::nullopt;
}

// A style's letters in the font they are all in. Ligatures are left out, kerning is not.
class PlainFont {
 public:
  PlainFont(PangoContext* context, const PangoFontDescription* description)
      : layout_(pango_layout_new(context)) {
    pango_layout_set_font_description(layout_.get(), description);
    pairs_.fill(kUnknown);
    for (size_t i = 0; i < kPlainLetters; ++i) letters_[i] = letter(plain_letter(i));
    height_ = pango_units_to_double(height_units_);
  }

  bool good() const { return font_ != nullptr; }
  double height() const { return height_; }
  double baseline() const { return baseline_; }
  cairo_scaled_font_t* font() const { return font_; }

  // nullopt: not all of it is plain.
  std::optional<double> width(std::string_view text) {
    int units = 0;
    const bool plain = each(text, [&](const PlainLetter&, int, int end) { units = end; });
    if (!plain) return std::nullopt;
    return pango_units_to_double(units);
  }

  void show(cairo_t* cairo, double x, double y, const std::string& text) {
    glyphs_.clear();
    clusters_.clear();
    each(text, [&](const PlainLetter& letter, int from, int) {
      glyphs_.push_back(
          {letters_[letter.at].glyph, x + pango_units_to_double(from), y + baseline_});
      clusters_.push_back({static_cast<int>(letter.octets), 1});
    });
    cairo_set_scaled_font(cairo, font_);
    cairo_show_text_glyphs(cairo, text.data(), static_cast<int>(text.size()), glyphs_.data(),
                           static_cast<int>(glyphs_.size()), clusters_.data(),
                           static_cast<int>(clusters_.size()), {});
  }

 private:
  struct Letter {
    unsigned long glyph = 0;
    int advance = 0;
  };
  static constexpr int kUnknown = INT_MIN;

  // Calls `place` with each letter, where it begins and where it ends, in Pango's units.
  template <typename Place>
  bool each(std::string_view text, Place place) {
    int at = 0;
    size_t before = kPlainLetters;
    while (!text.empty()) {
      const auto letter = first_plain(text);
      if (!letter) return false;
      if (before != kPlainLetters) at += kerning(before, letter->at);
      const int from = at;
      place(*letter, from, at += letters_[letter->at].advance);
      before = letter->at;
      text.remove_prefix(letter->octets);
    }
    return true;
  }

  const PangoGlyphString* shaped(const std::string& text) {
    pango_layout_set_text(layout_.get(), text.data(), static_cast<int>(text.size()));
    const PangoLayoutLine* line = pango_layout_get_line_readonly(layout_.get(), 0);
    if (line == nullptr || line->runs == nullptr || line->runs->next != nullptr) return nullptr;
    return static_cast<PangoGlyphItem*>(line->runs->data)->glyphs;
  }

  // All must be in one font, or there is no table.
  Letter letter(const std::string& text) {
    const PangoGlyphString* glyphs = shaped(text);
    if (glyphs == nullptr || glyphs->num_glyphs != 1) return none();
    const PangoLayoutLine* line = pango_layout_get_line_readonly(layout_.get(), 0);
    PangoFont* font = static_cast<PangoGlyphItem*>(line->runs->data)->item->analysis.font;
    cairo_scaled_font_t* scaled = pango_cairo_font_get_scaled_font(PANGO_CAIRO_FONT(font));
    if (!mixed_ && font_ == nullptr) {
      font_ = scaled;
      PangoRectangle extents;
      pango_layout_get_extents(layout_.get(), nullptr, &extents);
      height_units_ = extents.height;
      baseline_ = pango_units_to_double(pango_layout_get_baseline(layout_.get()));
    }
    if (font_ != scaled) return none();
    const PangoGlyphInfo& info = glyphs->glyphs[0];
    if ((info.glyph & PANGO_GLYPH_UNKNOWN_FLAG) != 0) return none();
    // Pango draws nothing for a space; its glyph is the font's.
    return {info.glyph == PANGO_GLYPH_EMPTY ? space() : info.glyph, info.geometry.width};
  }
  Letter none() {
    mixed_ = true;
    font_ = nullptr;
    return {};
  }
  unsigned long space() const {
    cairo_glyph_t* glyphs = nullptr;
    int count = 0;
    cairo_scaled_font_text_to_glyphs(font_, 0, 0, " ", 1, &glyphs, &count, nullptr, nullptr,
                                     nullptr);
    const unsigned long glyph = count == 1 ? glyphs[0].index : 0;
    cairo_glyph_free(glyphs);
    return glyph;
  }

  int kerning(size_t left, size_t right) {
    int& known = pairs_[left * kPlainLetters + right];
    if (known != kUnknown) return known;
    const PangoGlyphString* both = shaped(plain_letter(left) + plain_letter(right));
    const bool two = both != nullptr && both->num_glyphs == 2;
    return known = two ? both->glyphs[0].geometry.width - letters_[left].advance : 0;
  }

  std::unique_ptr<PangoLayout, FreeObject> layout_;
  cairo_scaled_font_t* font_ = nullptr;  // Pango's
  bool mixed_ = false;
  int height_units_ = 0;
  double height_ = 0, baseline_ = 0;
  std::array<Letter, kPlainLetters> letters_{};
  std::array<int, kPlainLetters * kPlainLetters> pairs_{};
  std::vector<cairo_glyph_t> glyphs_;  // kept for their memory
  std::vector<cairo_text_cluster_t> clusters_;
};

// Fonts are found and read once a thread. Lengths are not rounded to pixels of a screen.
struct Shaping {
  std::unique_ptr<PangoFontMap, FreeObject> fonts{pango_cairo_font_map_new()};
  std::unique_ptr<PangoContext, FreeObject> context;
  std::array<std::unique_ptr<PangoFontDescription, FreeObject>, kStyles.size()> styles;
  // A name is not to get a hyphen where it is broken.
  std::unique_ptr<PangoAttrList, FreeObject> plain_breaks{pango_attr_list_new()};
  std::vector<std::unique_ptr<PlainFont>> plain;  // of each style

  Shaping() {
    pango_cairo_font_map_set_resolution(PANGO_CAIRO_FONT_MAP(fonts.get()), 72);
    context.reset(pango_font_map_create_context(fonts.get()));
    cairo_font_options_t* options = cairo_font_options_create();
    cairo_font_options_set_hint_style(options, CAIRO_HINT_STYLE_NONE);
    cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_OFF);
    cairo_font_options_set_antialias(options, CAIRO_ANTIALIAS_GRAY);
    pango_cairo_context_set_font_options(context.get(), options);
    cairo_font_options_destroy(options);
    pango_context_set_round_glyph_positions(context.get(), FALSE);
    pango_attr_list_insert(plain_breaks.get(), pango_attr_insert_hyphens_new(FALSE));
    for (size_t i = 0; i < kStyles.size(); ++i)
      styles[i].reset(pango_font_description_from_string(kStyles[i].description));
    for (const auto& style : styles)
      plain.push_back(std::make_unique<PlainFont>(context.get(), style.get()));
  }
};

Shaping& shaping() {
  static thread_local Shaping own;
  return own;
}

}  // namespace

PdfPages::PdfPages() : pages_(1) {}
PdfPages::~PdfPages() = default;

PdfText PdfPages::text(const std::string& text, PdfStyle style, double width_max, int lines_max) {
  Shaping& s = shaping();
  PdfText made;
  made.style_ = style;
  PlainFont& plain = *s.plain[static_cast<size_t>(style)];
  const auto width = plain.good() && !text.empty() ? plain.width(text) : std::nullopt;
  if (width && *width <= width_max) {
    made.plain_ = text;
    made.width_ = *width;
    made.height_ = plain.height();
    return made;
  }
  made.layout_.reset(pango_layout_new(s.context.get()));
  PangoLayout* layout = made.layout_.get();
  pango_layout_set_font_description(layout, s.styles[static_cast<size_t>(style)].get());
  pango_layout_set_text(layout, text.data(), static_cast<int>(text.size()));
  PangoRectangle extents;
  pango_layout_get_extents(layout, nullptr, &extents);
  if (extents.width > width_max * PANGO_SCALE) {
    pango_layout_set_width(layout, static_cast<int>(width_max * PANGO_SCALE));
    pango_layout_set_wrap(layout, PANGO_WRAP_WORD_CHAR);
    pango_layout_set_attributes(layout, s.plain_breaks.get());
    pango_layout_set_height(layout, -lines_max);
    pango_layout_set_ellipsize(layout, PANGO_ELLIPSIZE_END);
    pango_layout_get_extents(layout, nullptr, &extents);
  }
  made.width_ = static_cast<double>(extents.width) / PANGO_SCALE;
  made.height_ = static_cast<double>(extents.height) / PANGO_SCALE;
  return made;
}

void PdfPages::need(double height) {
  if (y_ == 0 || y_ + height <= kBody) return;
  pages_.emplace_back();
  y_ = 0;
}

void PdfPages::draw(double x, double y, PdfText text) {
  pages_.back().parts.push_back({kLeft + x, kTop + y_ + y, std::move(text)});
}

void PdfPages::box(const PdfBox& box) {
  pages_.back().boxes.push_back(
      {kLeft + box.x, kTop + y_ + box.y, box.width, box.height, box.colour});
}

void PdfPages::place(PdfRow row) {
  need(row.height);
  for (PdfRow::Part& part : row.parts) draw(part.x, part.y, std::move(part.text));
  for (const PdfBox& b : row.boxes) box(b);
  if (row.ruled) box({0, row.height - kRule, kWidth, kRule, kRuleColour});
  y_ += row.height;
}

void PdfPages::table(const std::function<PdfRow(bool again)>& head, std::vector<PdfRow> rows,
                     PdfRow foot) {
  PdfRow first = head(false);
  if (!rows.empty()) need(first.height + rows[0].height + (rows.size() == 1 ? foot.height : 0));
  place(std::move(first));
  for (size_t i = 0; i < rows.size(); ++i) {
    const size_t page = pages_.size();
    need(rows[i].height + (i + 1 == rows.size() ? foot.height : 0));
    if (pages_.size() != page) place(head(true));
    place(std::move(rows[i]));
  }
  place(std::move(foot));
}

std::string PdfPages::finish(const PdfInformation& information, const std::string& footer) && {
  std::string out;
  cairo_surface_t* surface =
      cairo_pdf_surface_create_for_stream(append, &out, kPaperWidth, kPaperHeight);
  const auto say = [&](cairo_pdf_metadata_t what, const std::string& text) {
    cairo_pdf_surface_set_metadata(surface, what, text.c_str());
  };
  say(CAIRO_PDF_METADATA_TITLE, information.title);
  say(CAIRO_PDF_METADATA_AUTHOR, information.author);
  say(CAIRO_PDF_METADATA_SUBJECT, information.subject);
  say(CAIRO_PDF_METADATA_CREATOR, "Anabranch");
  say(CAIRO_PDF_METADATA_CREATE_DATE, information.created);  // not the clock: the same octets
  cairo_t* cairo = cairo_create(surface);
  const auto show = [&](const PdfRow::Part& part) {
    set_colour(cairo, kStyles[static_cast<size_t>(part.text.style_)].colour);
    if (!part.text.layout_) {
      shaping().plain[static_cast<size_t>(part.text.style_)]->show(cairo, part.x, part.y,
                                                                   part.text.plain_);
      return;
    }
    cairo_move_to(cairo, part.x, part.y);
    pango_cairo_show_layout(cairo, part.text.layout_.get());
  };
  PdfText left = text(footer, PdfStyle::faint, kWidth - 90, 1);
  for (size_t n = 0; n < pages_.size(); ++n) {
    for (const PdfBox& b : pages_[n].boxes) {
      set_colour(cairo, b.colour);
      cairo_rectangle(cairo, b.x, b.y, b.width, b.height);
      cairo_fill(cairo);
    }
    for (const PdfRow::Part& part : pages_[n].parts) show(part);
    PdfText right = text(fmt::format("page {} of {}", n + 1, pages_.size()), PdfStyle::faint);
    const double x = kLeft + kWidth - right.width();
    show({x, kFooterY, std::move(right)});
    PdfRow::Part said{kLeft, kFooterY, std::move(left)};
    show(said);
    left = std::move(said.text);
    cairo_show_page(cairo);
  }
  const cairo_status_t drawn = cairo_status(cairo);
  cairo_destroy(cairo);
  cairo_surface_finish(surface);
  const cairo_status_t written = cairo_surface_status(surface);
  cairo_surface_destroy(surface);
  // Only want of memory is left as a reason.
  if (drawn != CAIRO_STATUS_SUCCESS || written != CAIRO_STATUS_SUCCESS) std::abort();
  return out;
}

}  // namespace anabranch::billing
