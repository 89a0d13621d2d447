// SPDX-License-Identifier: BSD-3-Clause
// Flow records on their way to collectors that come, go, and do not read.
#include "control/flow_export.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "tests/control/ipfix_messages.h"

namespace anabranch::control {
namespace {

using namespace std::chrono_literals;

// On a port of its own, that another may have after it.
class Collector {
 public:
  explicit Collector(int type, uint16_t port = 0, int buffer = 0)
      : is_tcp_(type == SOCK_STREAM), fd_(socket(AF_INET, type | SOCK_CLOEXEC, 0)) {
    const int yes = 1;
    setsockopt(fd_, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (buffer != 0) setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
    sockaddr_in address{.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_TRUE(!is_tcp_ || listen(fd_, 5) == 0);
    socklen_t length = sizeof address;
    getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &length);
    port_ = ntohs(address.sin_port);
  }
  ~Collector() {
    if (connection_ >= 0) close(connection_);
    close(fd_);
  }
  Collector(const Collector&) = delete;
  Collector& operator=(const Collector&) = delete;
  uint16_t port() const { return port_; }

  void accept() {
    ASSERT_TRUE(wait(fd_));
    connection_ = ::accept(fd_, nullptr, nullptr);
    ASSERT_GE(connection_, 0);
  }
  // What comes until `enough(all so far)`, at most ten seconds.
  template <typename Enough>
  const std::vector<Seen>& read_until(Enough enough) {
    const auto deadline = std::chrono::steady_clock::now() + 10s;
    while (!enough(seen_) && std::chrono::steady_clock::now() < deadline) read_some();
    EXPECT_TRUE(enough(seen_)) << "it did not come";
    return seen_;
  }
  std::vector<uint64_t> read_flows(size_t count) {
    read_until([count](const auto& seen) { return flows_in(seen).size() >= count; });
    return flows_in(seen_);
  }
  static std::vector<uint64_t> flows_in(const std::vector<Seen>& seen) {
    std::vector<uint64_t> flows;
    for (const Seen& one : seen) flows.insert(flows.end(), one.flows.begin(), one.flows.end());
    return flows;
  }
  // Flows that its host has acknowledged and nobody has read.
  size_t unread_flows() const {
    int octets = 0;
    ioctl(connection_, FIONREAD, &octets);
    std::string in(static_cast<size_t>(octets), 0);
    EXPECT_EQ(recv(connection_, in.data(), in.size(), MSG_PEEK), octets);
    size_t flows = 0;
    for (size_t length = 0; in.size() >= kHeader; in.erase(0, length)) {
      length = number(in, 2, 2);
      if (in.size() < length) break;
      flows += read_message(in.substr(0, length)).flows.size();
    }
    return flows;
  }
  const std::vector<Seen>& seen() const { return seen_; }
  size_t longest() const { return longest_; }

 private:
  static bool wait(int fd, int ms = 10'000) {
    pollfd one{fd, POLLIN, 0};
    return poll(&one, 1, ms) == 1;
  }
  void read_some() {
    const int fd = is_tcp_ ? connection_ : fd_;
    if (!wait(fd, 50)) return;
    char buffer[65536];
    const ssize_t octets = recv(fd, buffer, sizeof buffer, 0);
    if (octets <= 0) return;
    in_.append(buffer, static_cast<size_t>(octets));
    while (in_.size() >= kHeader && in_.size() >= number(in_, 2, 2)) {
      const size_t length = number(in_, 2, 2);
      longest_ = std::max(longest_, length);
      seen_.push_back(read_message(in_.substr(0, length)));
      in_.erase(0, length);
    }
    EXPECT_TRUE(is_tcp_ || in_.empty()) << "a datagram is a message";
  }

  const bool is_tcp_;
  int fd_;
  int connection_ = -1;
  uint16_t port_ = 0;
  std::string in_;
  std::vector<Seen> seen_;
  size_t longest_ = 0;
};

// Sequence numbers count the data records before.
void expect_in_sequence(const std::vector<Seen>& seen) {
  uint32_t sequence = 0;
  for (const Seen& one : seen) {
    EXPECT_EQ(one.sequence, sequence);
    sequence += one.data_records;
  }
}

class FlowExporting : public testing::Test {
 protected:
  void start(FlowExport::Transport transport, uint16_t port, size_t kept_octets_max = 16u << 20,
             std::chrono::milliseconds templates_every = 60s) {
    loop_ = std::make_unique<Loop>();
    export_ = std::make_unique<FlowExport>(
        *loop_, FlowExport::Options{.transport = transport,
                                    .collector = {Ip::v4(INADDR_LOOPBACK), port},
                                    .templates_every = templates_every,
                                    .kept_octets_max = kept_octets_max});
    thread_ = std::thread([this] { loop_->run(); });
  }
  void stop_loop() {
    if (!thread_.joinable()) return;
    loop_->stop();
    thread_.join();
  }
  void TearDown() override { stop_loop(); }

  // Records `next_` and following.
  void put(size_t count) {
    std::vector<billing::FlowRecord> records(count);
    for (auto& record : records) {
      record.family = billing::FlowRecord::Family::ipv4;
      record.start_ms = next_++;
      record.octets = 1000;
      record.packets = 2;
      record.client = "acme";
      record.uplink = record.provider = "fibre";
    }
    loop_->call([&] { export_->put(records); }).get();
  }
  FlowExport::Counts counts() {
    return loop_->call([this] { return export_->counts(); }).get();
  }
  template <typename Condition>
  void wait_for(Condition condition) {
    const auto deadline = std::chrono::steady_clock::now() + 10s;
    while (!condition(counts()) && std::chrono::steady_clock::now() < deadline)
      std::this_thread::sleep_for(5ms);
    EXPECT_TRUE(condition(counts()));
  }
  static std::vector<uint64_t> from_to(uint64_t from, uint64_t to) {
    std::vector<uint64_t> numbers;
    for (uint64_t n = from; n < to; ++n) numbers.push_back(n);
    return numbers;
  }

  uint64_t next_ = 0;
  std::unique_ptr<Loop> loop_;
  std::unique_ptr<FlowExport> export_;
  std::thread thread_;
};

TEST_F(FlowExporting, OverTcpTemplatesComeFirstAndSequenceNumbersCountRecords) {
  Collector collector(SOCK_STREAM);
  start(FlowExport::Transport::tcp, collector.port());
  put(1000);
  collector.accept();
  EXPECT_EQ(collector.read_flows(1000), from_to(0, 1000));
  put(500);
  EXPECT_EQ(collector.read_flows(1500), from_to(0, 1500));
  EXPECT_TRUE(collector.seen().front().has_templates);
  expect_in_sequence(collector.seen());
  wait_for([](const auto& c) { return c.sent == 1500; });
  EXPECT_EQ(counts().waiting, 0u);
  EXPECT_EQ(counts().not_sent, 0u);
}

TEST_F(FlowExporting, OverTcpWhatWasNotAcknowledgedComesAgainAndNothingElse) {
  auto deaf = std::make_unique<Collector>(SOCK_STREAM, 0, 65536);
  const uint16_t port = deaf->port();
  start(FlowExport::Transport::tcp, port);
  deaf->accept();
  put(100'000);
  // It reads nothing; its host takes as much as its buffer holds.
  wait_for([&](const auto& c) { return c.sent > 0 && c.sent == deaf->unread_flows(); });
  const uint64_t acknowledged = deaf->unread_flows();
  deaf.reset();
  wait_for([](const auto& c) { return !c.is_connected; });
  EXPECT_EQ(counts().sent, acknowledged);
  Collector collector(SOCK_STREAM, port);
  collector.accept();
  EXPECT_EQ(collector.read_flows(100'000 - acknowledged), from_to(acknowledged, 100'000));
  expect_in_sequence(collector.seen());
  EXPECT_TRUE(collector.seen().front().has_templates);
  wait_for([](const auto& c) { return c.sent == 100'000; });
}

TEST_F(FlowExporting, OverTcpWhatIsMeasuredWhileNobodyListensWaits) {
  auto first = std::make_unique<Collector>(SOCK_STREAM);
  const uint16_t port = first->port();
  start(FlowExport::Transport::tcp, port);
  first->accept();
  put(100);
  EXPECT_EQ(first->read_flows(100), from_to(0, 100));
  wait_for([](const auto& c) { return c.sent == 100; });
  first.reset();
  wait_for([](const auto& c) { return !c.is_connected; });
  put(100);
  Collector second(SOCK_STREAM, port);
  second.accept();
  EXPECT_EQ(second.read_flows(100), from_to(100, 200)) << "no record twice, and none lost";
  expect_in_sequence(second.seen());
  EXPECT_EQ(counts().connections, 2u);
}

TEST_F(FlowExporting, WhatHasNoRoomIsCountedAndTold) {
  uint16_t port = 0;
  {
    const Collector gone(SOCK_STREAM);
    port = gone.port();
  }
  start(FlowExport::Transport::tcp, port, 100'000);
  put(10'000);
  const auto counted = counts();
  EXPECT_GT(counted.not_sent, 8000u);
  EXPECT_EQ(counted.waiting + counted.not_sent, 10'000u);
  Collector collector(SOCK_STREAM, port);
  collector.accept();
  EXPECT_EQ(collector.read_flows(counted.waiting), from_to(0, counted.waiting));
  const auto& seen = collector.read_until([](const auto& all) {
    return std::any_of(all.begin(), all.end(), [](const Seen& s) { return !s.losses.empty(); });
  });
  std::vector<uint64_t> losses;
  for (const Seen& one : seen) {
    if (!one.losses.empty()) losses = one.losses;
  }
  const uint64_t lost = counted.not_sent;
  EXPECT_EQ(losses, (std::vector<uint64_t>{lost, 2 * lost, 1000 * lost}));
  expect_in_sequence(seen);
}

TEST_F(FlowExporting, OverUdpSeveralCopiesOfTheTemplatesGoAhead) {
  Collector collector(SOCK_DGRAM);
  start(FlowExport::Transport::udp, collector.port());
  wait_for([](const auto& c) { return c.is_connected; });
  put(300);
  EXPECT_EQ(collector.read_flows(300), from_to(0, 300));
  int copies = 0;
  for (const Seen& one : collector.seen()) {
    if (!one.flows.empty()) break;
    copies += one.has_templates;
  }
  EXPECT_EQ(copies, FlowExport::kTemplateCopies);
  expect_in_sequence(collector.seen());
  EXPECT_LE(collector.longest(), 1400u);
  EXPECT_GT(collector.longest(), 1000u) << "the loopback's MTU is known";
  EXPECT_EQ(counts().sent, 300u);
}

TEST_F(FlowExporting, OverUdpTemplatesComeAgain) {
  Collector collector(SOCK_DGRAM);
  start(FlowExport::Transport::udp, collector.port(), 16u << 20, 400ms);
  const auto& seen = collector.read_until([](const auto& all) {
    return std::count_if(all.begin(), all.end(), [](const Seen& s) { return s.has_templates; }) >=
           FlowExport::kTemplateCopies + 2;
  });
  expect_in_sequence(seen);
}

TEST_F(FlowExporting, OverUdpManyRecordsAreSpreadOverTime) {
  Collector collector(SOCK_DGRAM, 0, 8 << 20);
  start(FlowExport::Transport::udp, collector.port());
  wait_for([](const auto& c) { return c.messages >= 2 * FlowExport::kTemplateCopies; });
  const auto begun = std::chrono::steady_clock::now();
  put(10'000);
  EXPECT_EQ(collector.read_flows(10'000), from_to(0, 10'000));
  EXPECT_GT(std::chrono::steady_clock::now() - begun, 5 * FlowExport::kTick);
}

TEST_F(FlowExporting, OverUdpThatNobodyListensIsCountedAndDoesNotEndIt) {
  uint16_t port = 0;
  {
    const Collector gone(SOCK_DGRAM);
    port = gone.port();
  }
  start(FlowExport::Transport::udp, port, 16u << 20, 400ms);
  put(10);
  wait_for([](const auto& c) { return c.refused > 0 && c.sent == 10; });
  Collector collector(SOCK_DGRAM, port);
  collector.read_until([](const auto& all) {
    return std::any_of(all.begin(), all.end(), [](const Seen& s) { return s.has_templates; });
  });
  put(10);
  EXPECT_EQ(collector.read_flows(10), from_to(10, 20));
}

TEST_F(FlowExporting, AtTheEndItWaitsUntilAllIsAcknowledged) {
  Collector collector(SOCK_STREAM);
  start(FlowExport::Transport::tcp, collector.port());
  collector.accept();
  stop_loop();
  std::vector<billing::FlowRecord> records(10'000);
  for (auto& record : records) {
    record.family = billing::FlowRecord::Family::ipv4;
    record.start_ms = next_++;
  }
  std::vector<uint64_t> read;
  std::thread reader([&] { read = collector.read_flows(10'000); });
  export_->put(records);
  export_->finish(10s);
  EXPECT_EQ(export_->counts().sent, 10'000u);
  reader.join();
  EXPECT_EQ(read, from_to(0, 10'000));
}

TEST_F(FlowExporting, AtTheEndItDoesNotWaitForEver) {
  Collector deaf(SOCK_STREAM, 0, 4096);
  start(FlowExport::Transport::tcp, deaf.port());
  deaf.accept();
  put(100'000);
  stop_loop();
  const auto begun = std::chrono::steady_clock::now();
  export_->finish(300ms);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 2s);
  EXPECT_GT(export_->counts().waiting, 0u);
}

}  // namespace
}  // namespace anabranch::control
