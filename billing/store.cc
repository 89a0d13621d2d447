// SPDX-License-Identifier: BSD-3-Clause
#include "billing/store.h"

#include <charconv>
#include <chrono>
#include <cstdlib>
#include <thread>

#include "billing/postgres_store.h"
#include "billing/sqlite_store.h"

namespace anabranch::billing {
namespace {

// A server that does not answer is waited for, together about three seconds: one that was restarted
// is back, and the thread is not held for long. Those who were in the way were waited for already.
constexpr int kAttemptsMax = 6;
constexpr auto kPatience = std::chrono::seconds(5);  // no attempt begins later than this
constexpr auto kFirstPause = std::chrono::milliseconds(100);
constexpr auto kBusyPause = std::chrono::milliseconds(5);
// A power of two; 64 rows make a round trip small beside the work, and no table has the 512 columns
// that SQLite's limit of 32 766 parameters would allow.
constexpr size_t kRowsMax = 64;

std::string placeholders(size_t rows, size_t columns) {
  std::string text;
  for (size_t i = 0; i < rows * columns; ++i) {
    text += i == 0 ? "(" : i % columns == 0 ? "),(" : ",";
    text += "$" + std::to_string(i + 1);
  }
  return text + ")";
}

}  // namespace

int64_t Row::integer(size_t column) const {
  const std::string& cell = text(column);
  int64_t value = 0;
  const auto [end, error] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
  if (error != std::errc() || end != cell.data() + cell.size()) std::abort();
  return value;
}

// As parse_amount, for sums as large as an Amount can be.
Amount Row::amount(size_t column) const {
  std::string_view cell = text(column);
  const bool negative = cell.starts_with('-');
  if (negative) cell.remove_prefix(1);
  Int128 attos = 0;
  int decimals = -1;  // none yet
  for (const char c : cell) {
    if (c == '.' && decimals < 0) {
      decimals = 0;
      continue;
    }
    if (c < '0' || c > '9' || (decimals >= 0 && ++decimals > 18)) std::abort();
    if (__builtin_mul_overflow(attos, Int128{10}, &attos)) std::abort();
    if (__builtin_add_overflow(attos, Int128{c - '0'}, &attos)) std::abort();
  }
  for (int i = std::max(decimals, 0); i < 18; ++i) {
    if (__builtin_mul_overflow(attos, Int128{10}, &attos)) std::abort();
  }
  return Amount::from_attos(negative ? -attos : attos);
}

bool Store::is_url(std::string_view where) {
  return where.starts_with("postgresql://") || where.starts_with("postgres://");
}

Stored<std::unique_ptr<Store>> Store::open(const std::string& where) {
  return is_url(where) ? open_postgres(where) : open_sqlite(where);
}

Stored<void> Store::once(Mode mode, const std::function<Stored<void>()>& work) {
  if (auto begun = begin(mode); !begun) return begun;
  if (auto worked = work(); !worked) {
    rollback();
    return worked;
  }
  auto committed = commit();
  if (!committed) rollback();
  return committed;
}

Stored<void> Store::transact(Mode mode, const std::function<Stored<void>()>& work) {
  bool uncertain = false;
  auto pause = kFirstPause;
  const auto patience_ends = std::chrono::steady_clock::now() + kPatience;
  Stored<void> done = once(mode, work);
  for (int attempt = 1; !done && attempt < kAttemptsMax; ++attempt, pause *= 2) {
    if (std::chrono::steady_clock::now() > patience_ends) break;
    const Failure kind = done.error().kind;
    if (kind == Failure::failed || kind == Failure::refused) break;
    uncertain |= kind == Failure::unknown;
    if (kind != Failure::busy) {
      if (auto back = reconnect(); !back) {
        done = back;
        if (back.error().kind == Failure::failed) break;
        std::this_thread::sleep_for(pause);
        continue;
      }
    } else {
      std::this_thread::sleep_for(kBusyPause);
    }
    done = once(mode, work);
  }
  if (!done && (uncertain || done.error().kind == Failure::unknown) && mode == Mode::write) {
    done.error().kind = Failure::unknown;
    done.error().text +=
        "; whether the last transaction was stored is not known: the same again finds out, and "
        "does not do it twice";
  }
  return done;
}

Stored<void> Store::insert(const Insert& into, std::span<const std::vector<Value>> rows) {
  // The rest in powers of two, so that few texts are prepared.
  for (size_t count = kRowsMax; !rows.empty();) {
    while (count > rows.size()) count /= 2;
    const size_t columns = rows.front().size();
    std::vector<Value> values;
    values.reserve(count * columns);
    for (const auto& row : rows.first(count)) {
      if (row.size() != columns) std::abort();
      values.insert(values.end(), row.begin(), row.end());
    }
    auto done =
        execute(std::string(into.head) + " VALUES" + placeholders(count, columns) + " " + into.tail,
                values);
    if (!done) return tl::unexpected(done.error());
    rows = rows.subspan(count);
  }
  return {};
}

}  // namespace anabranch::billing
