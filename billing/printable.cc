// SPDX-License-Identifier: BSD-3-Clause
#include "billing/printable.h"

#include <algorithm>
#include <iterator>
#include <span>

#include "billing/display_width.h"

namespace anabranch::billing {
namespace {

constexpr char32_t kReplacement = 0xfffd;
constexpr std::string_view kReplacementText = "\xef\xbf\xbd";
constexpr std::string_view kNoBreakSpace = "\xc2\xa0";

bool within(std::span<const CodeRange> ranges, char32_t code) {
  const auto after = std::upper_bound(ranges.begin(), ranges.end(), code,
                                      [](char32_t c, const CodeRange& r) { return c < r.first; });
  return after != ranges.begin() && code <= std::prev(after)->last;
}

size_t columns_of(char32_t code) {
  if (within(kNoColumn, code)) return 0;
  return within(kTwoColumns, code) ? 2 : 1;
}

bool ends_line(char32_t code) {
  return (code >= '\t' && code <= '\r') || code == 0x85 || code == 0x2028 || code == 0x2029;
}

bool turns_direction(char32_t code) {
  return code == 0x61c || code == 0x200e || code == 0x200f || (code >= 0x202a && code <= 0x202e) ||
         (code >= 0x2066 && code <= 0x2069);
}

bool is_control(char32_t code) {
  const bool no_character = (code & 0xfffe) == 0xfffe || (code >= 0xfdd0 && code <= 0xfdef);
  return code < ' ' || (code >= 0x7f && code < 0xa0) || no_character || code == 0xfeff;
}

// A text's characters, each with its columns, until the line is full.
class LineBreaker {
 public:
  explicit LineBreaker(size_t columns) : columns_(columns) {}

  void add(std::string_view character, size_t width) {
    while (used_ + width > columns_) {
      if (character == " ") space_ = line_.size();
      break_line();
      if (character == " ") return;
    }
    if (character == " ") space_ = line_.size();
    line_ += character == kNoBreakSpace ? " " : character;
    used_ += width;
  }
  std::vector<std::string> lines() && {
    end_line();
    if (lines_.empty()) lines_.emplace_back();
    return std::move(lines_);
  }

 private:
  void break_line() {
    std::string rest;
    if (space_ != std::string::npos) {
      rest = line_.substr(std::min(space_ + 1, line_.size()));
      line_.resize(space_);
    }
    end_line();
    line_ = std::move(rest);
    used_ = displayed_width(line_);
    space_ = std::string::npos;
  }
  void end_line() {
    line_.resize(line_.find_last_not_of(' ') + 1);
    if (!line_.empty()) lines_.push_back(line_);
  }

  size_t columns_, used_ = 0;
  size_t space_ = std::string::npos;  // the last in the line
  std::string line_;
  std::vector<std::string> lines_;
};

}  // namespace

FirstCharacter first_character(std::string_view text) {
  const auto octet = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = octet(0);
  if (lead < 0x80) return {lead, 1};
  const size_t octets = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  static constexpr char32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};  // less is overlong
  if (lead < 0xc2 || lead > 0xf4 || text.size() < octets) return {kReplacement, 1};
  char32_t code = lead & (0x7fu >> octets);
  for (size_t i = 1; i < octets; ++i) {
    if ((octet(i) & 0xc0) != 0x80) return {kReplacement, 1};
    code = code << 6 | (octet(i) & 0x3fu);
  }
  const bool surrogate = code >= 0xd800 && code <= 0xdfff;
  if (code < kLeast[octets] || surrogate || code > 0x10ffff) return {kReplacement, 1};
  return {code, octets};
}

std::string printable(std::string_view text, Breaks breaks) {
  std::string out;
  while (!text.empty()) {
    const auto [code, octets] = first_character(text);
    const bool plain_break = code == '\t' || code == '\n' || code == '\r';
    if (breaks == Breaks::kept && plain_break)
      out += text[0];
    else if (breaks == Breaks::as_spaces && ends_line(code))
      out += ' ';
    else if (code == kReplacement || ends_line(code) || is_control(code) || turns_direction(code))
      out += kReplacementText;
    else
      out += text.substr(0, octets);
    text.remove_prefix(octets);
  }
  return out;
}

size_t displayed_width(std::string_view text) {
  size_t columns = 0;
  while (!text.empty()) {
    const auto [code, octets] = first_character(text);
    columns += columns_of(code);
    text.remove_prefix(octets);
  }
  return columns;
}

std::vector<std::string> wrapped(std::string_view text, size_t columns) {
  LineBreaker breaker(columns);
  while (!text.empty()) {
    const auto [code, octets] = first_character(text);
    breaker.add(text.substr(0, octets), columns_of(code));
    text.remove_prefix(octets);
  }
  return std::move(breaker).lines();
}

}  // namespace anabranch::billing
