// SPDX-License-Identifier: BSD-3-Clause
#include "billing/usage_pass.h"

#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/parallel_pipeline.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <set>
#include <thread>
#include <tuple>

#include "billing/journal_catalogue.h"
#include "billing/journal_reader.h"

namespace anabranch::billing {
namespace {

// What a journal's ids stand for, and who gathers their usage. Immutable.
class Names {
 public:
  using Sides = UsagePass::Sides;
  Names(Catalogue catalogue, const UsagePass::Find& find, std::set<std::string>& problems)
      : catalogue_(std::move(catalogue)) {
    for (const auto& [id, path] : catalogue_.paths)
      places_[id] = {path.provider, path.network, path.name, catalogue_.gateway};
    for (const auto& [path, place] : places_) resolve(0, "", path, find, problems);
    for (const auto& [id, service] : catalogue_.services) {
      for (const auto& [path, place] : places_) resolve(id, service.client, path, find, problems);
    }
  }
  const Catalogue& catalogue() const { return catalogue_; }
  const Place* place(uint16_t path) const {
    const auto found = places_.find(path);
    return found == places_.end() ? nullptr : &found->second;
  }
  struct Whose {
    uint64_t service = 0;
    uint16_t path = 0;
    const Place* place = nullptr;
    Sides sides;
    bool is_of(const MeterKey& key) const { return service == key.service && path == key.path; }
  };
  // `hint`: where it was found, so that the next one, which is the same or follows, is not
  // searched.
  const Whose* whose(const MeterKey& key, size_t& hint) const {
    for (size_t at : {hint, hint + 1}) {
      if (at < whose_.size() && whose_[at].is_of(key)) return &whose_[hint = at];
    }
    const auto found =
        std::lower_bound(whose_.begin(), whose_.end(), key, [](const Whose& w, const MeterKey& k) {
          return std::tie(w.service, w.path) < std::tie(k.service, k.path);
        });
    if (found == whose_.end() || !found->is_of(key)) return nullptr;
    hint = static_cast<size_t>(found - whose_.begin());
    return &*found;
  }

 private:
  void resolve(uint64_t service, const std::string& client, uint16_t path,
               const UsagePass::Find& find, std::set<std::string>& problems) {
    const Place& place = places_.at(path);
    if (auto found = find(catalogue_.gateway, client, place.provider))
      whose_.push_back({service, path, &place, *found});
    else
      problems.insert(found.error());
  }

  Catalogue catalogue_;
  std::map<uint16_t, Place> places_;
  std::vector<Whose> whose_;  // in order
};

struct Item {
  PeriodCollector* collector = nullptr;
  const Place* place = nullptr;
  const UsageRecord* record = nullptr;
};

// A block on its way through the pipeline.
struct Block {
  JournalFrame frame;
  size_t journal = 0;
  std::shared_ptr<const Names> names;
  std::vector<std::vector<Item>> shares;
  bool charged = true;
  std::string problem;
};

class Feed {
 public:
  Feed(const std::vector<std::string>& folders, const UsagePass::Find& find,
       const UsagePass::Options& options, Disk& disk)
      : folders_(folders), find_(find), options_(options), disk_(disk) {
    result_.journals.resize(folders.size());
    open_.resize(folders.size(), true);
  }

  // The next block that has usage; nullptr: the end, or error().
  std::unique_ptr<Block> next() {
    while (error_.empty() && at_ < folders_.size()) {
      if (!reader_ && !open()) break;
      auto frame = reader_->next();
      if (!frame) {
        error_ = frame.error().text();
      } else if (!*frame) {
        finish();
      } else if (auto block = block_of(std::move(**frame))) {
        return block;
      }
    }
    return nullptr;
  }

  // A block that has gone through.
  void done(const Block& block) {
    UsagePass::Journal& journal = result_.journals[block.journal];
    if (!block.problem.empty()) unnamed_.insert(block.problem);
    if (!block.charged) open_[block.journal] = false;
    if (open_[block.journal]) journal.charged = block.frame.header.sequence;
    journal.records += block.frame.usage().size();
    journal.wall_last_ns = std::max(journal.wall_last_ns, block.frame.header.wall_last_ns);
  }

  const std::string& error() const { return error_; }
  UsagePass::Result result() {
    problems_.merge(unnamed_);
    result_.problems.assign(problems_.begin(), problems_.end());
    return std::move(result_);
  }

 private:
  // A gateway that has counted nothing yet has a journal without segments.
  bool is_new_journal() const {
    std::vector<std::string> names;
    disk_.list(folders_[at_], names);
    return std::find(names.begin(), names.end(), kJournalLock) != names.end();
  }

  // The next that has anything.
  bool open() {
    auto spans = segment_spans(disk_, folders_[at_]);
    while (spans && spans->empty() && is_new_journal()) {
      if (++at_ == folders_.size()) return false;
      spans = segment_spans(disk_, folders_[at_]);
    }
    if (!spans) {
      error_ = spans.error().text();
      return false;
    }
    if (spans->empty()) {
      error_ = folders_[at_] + ": is no journal; expected STATE_DIR/journal of a gateway";
      return false;
    }
    reader_.emplace(disk_, folders_[at_],
                    FolderReader::Options{.range = options_.range, .from = begin(*spans)});
    return true;
  }

  // The segment that has the first frame to be read. Each begins with the whole catalogue.
  JournalPosition begin(const std::vector<SegmentSpan>& spans) {
    if (options_.charged.empty()) return {};
    if (const auto gateway = gateway_of(spans.front().number)) {
      const auto charged = options_.charged.find(*gateway);
      if (charged == options_.charged.end()) return {};
      result_.journals[at_].charged = charged->second;
      for (const SegmentSpan& s : spans) {
        if (!s.known || s.last_sequence > charged->second) return {.segment = s.number};
      }
    }
    return {};
  }

  std::optional<std::string> gateway_of(uint64_t segment) {
    FolderReader reader(disk_, folders_[at_], {.from = {.segment = segment}});
    const auto first = reader.next();
    if (!first || !*first) return std::nullopt;
    const auto opening = parse_opening((*first)->text());
    return opening ? std::optional(opening->gateway) : std::nullopt;
  }

  void finish() {
    if (names_) result_.journals[at_].gateway = names_->catalogue().gateway;
    names_.reset();
    reader_.reset();
    ++at_;
  }

  std::unique_ptr<Block> block_of(JournalFrame frame) {
    if (frame.header.type == FrameType::catalogue) {
      Catalogue known = names_ ? names_->catalogue() : Catalogue{};
      billing::add_frame(known, frame.text());
      if (!names_ || known != names_->catalogue())
        names_ = std::make_shared<const Names>(std::move(known), find_, problems_);
    }
    if (frame.usage().empty()) return nullptr;
    auto block = std::make_unique<Block>();
    block->frame = std::move(frame);
    block->journal = at_;
    block->names = names_;
    return block;
  }

  const std::vector<std::string>& folders_;
  const UsagePass::Find& find_;
  const UsagePass::Options& options_;
  Disk& disk_;
  size_t at_ = 0;
  std::optional<FolderReader> reader_;
  std::shared_ptr<const Names> names_;
  std::vector<bool> open_;          // nothing was left so far
  std::set<std::string> problems_;  // of names, where blocks begin their way
  std::set<std::string> unnamed_;   // of records, where they end it
  std::string error_;
  UsagePass::Result result_;
};

size_t share_of(const PeriodCollector* collector, size_t shares) {
  return (reinterpret_cast<uintptr_t>(collector) >> 6) * 0x9e3779b97f4a7c15 >> 32 & (shares - 1);
}

void deal_out(Block& block, size_t shares) {
  size_t hint = 0;
  block.shares.resize(shares);
  for (auto& share : block.shares) share.reserve(2 * block.frame.usage().size() / shares);
  for (const UsageRecord& record : block.frame.usage()) {
    if (record.key.service == kPathTotal) continue;
    const auto* whose = block.names ? block.names->whose(record.key, hint) : nullptr;
    if (whose == nullptr) {
      block.charged = false;
      const Place* place = block.names ? block.names->place(record.key.path) : nullptr;
      if (place == nullptr)
        block.problem = "path " + std::to_string(record.key.path) +
                        " is not named by its journal: nobody knows whose network it was";
      else if (!block.names->catalogue().services.contains(record.key.service))
        block.problem = "service " + std::to_string(record.key.service) + " of " + place->gateway +
                        " is not named by its journal: nobody knows whose it is";
      continue;
    }
    for (PeriodCollector* collector : {whose->sides.account, whose->sides.provider}) {
      if (collector != nullptr)
        block.shares[share_of(collector, shares)].push_back({collector, whose->place, &record});
    }
  }
}

void take(Block& block, size_t share) {
  for (const Item& item : block.shares[share]) {
    if (!item.collector->take(item.place->gateway, *item.place, *item.record))
      block.charged = false;
  }
}

}  // namespace

tl::expected<UsagePass::Result, std::string> UsagePass::run(const std::vector<std::string>& folders,
                                                            const Find& find,
                                                            const Options& options, Disk& disk) {
  namespace tbb = oneapi::tbb;
  using tbb::filter_mode;
  const size_t threads =
      options.threads != 0 ? options.threads : std::max(1u, std::thread::hardware_concurrency());
  // More than threads: a large account, such as a provider's, is to have a share almost by itself.
  const size_t shares = std::bit_ceil(4 * threads);
  const tbb::global_control limit(tbb::global_control::max_allowed_parallelism, threads);
  Feed feed(folders, find, options, disk);
  auto chain = tbb::make_filter<void, Block*>(filter_mode::serial_in_order,
                                              [&](tbb::flow_control& control) -> Block* {
                                                auto block = feed.next();
                                                if (!block) control.stop();
                                                return block.release();
                                              }) &
               tbb::make_filter<Block*, Block*>(filter_mode::parallel, [&](Block* block) {
                 deal_out(*block, shares);
                 return block;
               });
  for (size_t share = 0; share < shares; ++share) {
    chain = chain &
            tbb::make_filter<Block*, Block*>(filter_mode::serial_in_order, [share](Block* block) {
              take(*block, share);
              return block;
            });
  }
  const auto end =
      chain & tbb::make_filter<Block*, void>(filter_mode::serial_in_order, [&](Block* block) {
        const std::unique_ptr<Block> own(block);
        feed.done(*own);
      });
  tbb::parallel_pipeline(4 * threads, end);
  if (!feed.error().empty()) return tl::unexpected(feed.error());
  return feed.result();
}

}  // namespace anabranch::billing
