// SPDX-License-Identifier: BSD-3-Clause
// Sends flow records to a collector, as IPFIX over TCP or UDP (RFC 7011). Runs on the loop's thread
// and never blocks it.
//
// Over TCP records are kept until the kernel says that the collector's host acknowledged them; when
// the connection is lost, all others are sent again on the next, whole messages. So a record gets
// lost only in the buffer of a collector's socket that dies before it reads it, and comes twice
// only when its acknowledgement did not. Over UDP what was sent is forgotten; templates are sent
// several times at first and again at an interval, and at most kDatagramsATick messages at once.
//
// What waits is bounded. What has no room is counted, and the collector is told
// (notSentFlowTotalCount and its kin).
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <span>
#include <string>

#include "billing/ipfix.h"
#include "control/addresses.h"
#include "control/loop.h"

namespace anabranch::control {

class FlowExport {
 public:
  enum class Transport : uint8_t { tcp, udp };
  struct Options {
    Transport transport = Transport::tcp;
    Endpoint collector;
    billing::IpfixDomain domain;
    std::chrono::milliseconds templates_every = std::chrono::seconds(60);
    size_t kept_octets_max = 16u << 20;
  };
  static constexpr auto kTick = std::chrono::milliseconds(200);
  static constexpr auto kRetryAfter = std::chrono::seconds(1);
  static constexpr auto kLossesAfter = std::chrono::seconds(10);  // at least, between two reports
  static constexpr int kTemplateCopies = 3;                       // at first, one a tick
  static constexpr int kDatagramsATick = 100;                     // 6 Mbit/s at most

  // `loop` must not run any more when it goes.
  FlowExport(Loop& loop, Options options);
  ~FlowExport();
  FlowExport(const FlowExport&) = delete;
  FlowExport& operator=(const FlowExport&) = delete;

  void put(std::span<const billing::FlowRecord> records);

  // Waits until all that was put has left, and over TCP was acknowledged; at most so long. Only
  // when the loop does not run.
  void finish(std::chrono::milliseconds at_most);

  struct Counts {
    uint64_t put = 0;          // records
    uint64_t sent = 0;         // … over UDP: given to the network; over TCP: acknowledged
    uint64_t waiting = 0;      // … neither yet
    uint64_t not_sent = 0;     // … that had no room, or were refused by the network
    uint64_t refused = 0;      // UDP: how often it was told that nobody listens
    uint64_t messages = 0;     // with templates, and those sent again
    uint64_t connections = 0;  // ever
    bool is_connected = false;
  };
  Counts counts() const;

 private:
  using Clock = std::chrono::steady_clock;
  enum class State : uint8_t { closed, connecting, open };
  struct Kept {
    billing::IpfixMessage message;
    uint64_t end = UINT64_MAX;  // where it ends in the stream; not known before it is written
  };

  void tick();
  void connect();
  void opened();
  void lose(const std::string& why);
  void complain(const std::string& why);
  void close_socket();
  void ready(short events);
  void watch(short events);
  void hear();
  void send_all();
  void send_stream();
  void send_datagrams();
  bool send_datagram(billing::IpfixMessage& message);
  billing::IpfixMessage* next_message();
  void message_is_sent();
  void release_acknowledged();
  void explain();
  void report_losses();
  void lose_records(const billing::IpfixMessage& message);
  void stamp_now(billing::IpfixMessage& message);
  size_t message_octets_max() const;
  bool is_tcp() const { return options_.transport == Transport::tcp; }

  Loop& loop_;
  const Options options_;
  int fd_ = -1;
  State state_ = State::closed;
  Clock::time_point retry_at_{};
  bool complained_ = false;  // of this collector, since it was last heard of

  // Templates and reports, which go before records and are made anew for each connection.
  std::deque<billing::IpfixMessage> asides_;
  std::deque<Kept> kept_;  // in order; the first sent_ have been sent, of TCP
  size_t sent_ = 0;
  size_t kept_octets_ = 0;
  size_t written_ = 0;  // octets of the message under way
  bool aside_under_way_ = false;
  uint64_t stream_ = 0;  // octets of this connection so far
  uint32_t sequence_ = 0;

  int copies_left_ = 0;
  int datagrams_left_ = 0;  // in this tick
  Clock::time_point explain_at_{}, losses_at_{};
  billing::IpfixLosses losses_;
  uint64_t losses_told_ = 0;
  Counts counts_;
};

}  // namespace anabranch::control
