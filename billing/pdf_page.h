// SPDX-License-Identifier: BSD-3-Clause
// Pages of a PDF that are filled from the top: rows of texts, tables whose head is repeated, and
// what is drawn between them. Lengths are points of 1/72 inch. One thread; several may each have
// their own.
//
// Texts are shaped by Pango with the fonts of the machine, in whatever script and direction, and
// kept until all pages are known, since each says how many there are. Most are of ASCII in one
// line: those are set from a table of letters and pairs, each shaped once a thread, which takes a
// tenth of the time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

typedef struct _PangoLayout PangoLayout;  // of Pango's headers, which only pdf_page.cc sees

namespace anabranch::billing {

enum class PdfStyle : uint8_t { body, strong, faint, heading, title };

struct PdfColour {
  double red, green, blue;
};
PdfColour pdf_colour(uint32_t rgb);  // 0x1f6fb4

// A text as it will be drawn.
class PdfText {
 public:
  double width() const { return width_; }
  double height() const { return height_; }

 private:
  friend class PdfPages;
  struct Free {
    void operator()(PangoLayout* layout) const;
  };
  std::unique_ptr<PangoLayout, Free> layout_;  // null: one line of plain letters
  std::string plain_;
  PdfStyle style_ = PdfStyle::body;
  double width_ = 0, height_ = 0;
};

struct PdfBox {
  double x, y, width, height;
  PdfColour colour;
};

// Texts that stay together, at places from the row's top left corner.
struct PdfRow {
  struct Part {
    double x, y;
    PdfText text;
  };
  std::vector<Part> parts;
  std::vector<PdfBox> boxes;
  double height = 0;
  bool ruled = false;  // by a line below

  void add(double x, double y, PdfText text);
};

struct PdfInformation {
  std::string title, author, subject;
  std::string created;  // "2026-11-04T00:00:12+01:00"
};

class PdfPages {
 public:
  static constexpr double kWidth = 495;  // between the margins of A4

  PdfPages();
  ~PdfPages();
  PdfPages(const PdfPages&) = delete;
  PdfPages& operator=(const PdfPages&) = delete;

  static constexpr int kLinesMax = 12;

  // Wrapped where it is wider, and shortened ("…") where it needs more lines.
  PdfText text(const std::string& text, PdfStyle style, double width_max = kWidth,
               int lines_max = kLinesMax);

  // A new page where less is left.
  void need(double height);
  void skip(double height) { y_ += height; }
  void place(PdfRow row);  // needs its height
  // The head is made again on each page; the foot is never alone.
  void table(const std::function<PdfRow(bool again)>& head, std::vector<PdfRow> rows, PdfRow foot);

  // At a place of the current page, from the left margin and the current height.
  void box(const PdfBox& box);
  void draw(double x, double y, PdfText text);

  // `footer` is said on each page beside its number.
  std::string finish(const PdfInformation& information, const std::string& footer) &&;

 private:
  struct Page {
    std::vector<PdfBox> boxes;
    std::vector<PdfRow::Part> parts;
  };
  std::vector<Page> pages_;
  double y_ = 0;  // from the top margin
};

}  // namespace anabranch::billing
