// SPDX-License-Identifier: BSD-3-Clause
#include "control/flow_export.h"

#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace anabranch::control {
namespace {

constexpr int kGoneAfterS = 30;             // without an acknowledgement
constexpr size_t kStreamMessageMax = 4096;  // what may have to be sent again for a record
// RFC 7011 10.3.3: when the path's MTU is not known.
constexpr size_t kDatagramLeast = 512;
constexpr size_t kDatagramMost = 1400;
constexpr size_t kHeaders4 = 20 + 8, kHeaders6 = 40 + 8;

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;
};

SocketAddress socket_address(const Endpoint& endpoint) {
  SocketAddress result;
  const Octets octets = octets_of(endpoint.address);
  if (endpoint.address.is_ipv4()) {
    auto* address = reinterpret_cast<sockaddr_in*>(&result.storage);
    address->sin_family = AF_INET;
    address->sin_port = htons(endpoint.port);
    std::memcpy(&address->sin_addr, octets.octets.data(), octets.count);
    result.length = sizeof *address;
  } else {
    auto* address = reinterpret_cast<sockaddr_in6*>(&result.storage);
    address->sin6_family = AF_INET6;
    address->sin6_port = htons(endpoint.port);
    std::memcpy(&address->sin6_addr, octets.octets.data(), octets.count);
    result.length = sizeof *address;
  }
  return result;
}

void set(int fd, int level, int option, int value) {
  setsockopt(fd, level, option, &value, sizeof value);
}

// A collector that went without a word is noticed, whether something is under way or not.
void notice_silence(int fd) {
  set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, kGoneAfterS * 1000);
  set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set(fd, IPPROTO_TCP, TCP_KEEPIDLE, kGoneAfterS / 3);
  set(fd, IPPROTO_TCP, TCP_KEEPINTVL, kGoneAfterS / 3);
}

uint64_t wall_ms() {
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(
                                   std::chrono::system_clock::now().time_since_epoch())
                                   .count());
}

}  // namespace

FlowExport::FlowExport(Loop& loop, Options options) : loop_(loop), options_(std::move(options)) {
  loop_.every(kTick, [this] { tick(); });
}

FlowExport::~FlowExport() {
  close_socket();
}

FlowExport::Counts FlowExport::counts() const {
  Counts counts = counts_;
  counts.waiting = counts.put - counts.sent - counts.not_sent;
  counts.is_connected = state_ == State::open;
  return counts;
}

void FlowExport::put(std::span<const billing::FlowRecord> records) {
  counts_.put += records.size();
  for (auto& message : billing::ipfix_flows(options_.domain, records, message_octets_max())) {
    const size_t octets = message.octets.size() + sizeof(Kept);
    if (kept_octets_ + octets > options_.kept_octets_max) {
      lose_records(message);
      continue;
    }
    kept_octets_ += octets;
    kept_.push_back({std::move(message)});
  }
  send_all();
}

void FlowExport::lose_records(const billing::IpfixMessage& message) {
  counts_.not_sent += message.flows;
  losses_.flows += message.flows;
  losses_.packets += message.flow_packets;
  losses_.octets += message.flow_octets;
  losses_.last_ms = wall_ms();
  if (losses_.first_ms == 0) losses_.first_ms = losses_.last_ms;
}

void FlowExport::tick() {
  if (state_ == State::closed && Clock::now() >= retry_at_) connect();
  if (state_ != State::open) return;
  if (is_tcp()) release_acknowledged();
  explain();
  datagrams_left_ = kDatagramsATick;
  send_all();
}

void FlowExport::connect() {
  const SocketAddress address = socket_address(options_.collector);
  fd_ = socket(address.storage.ss_family,
               (is_tcp() ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd_ < 0) return lose(std::strerror(errno));
  if (is_tcp()) {
    notice_silence(fd_);
  } else {
    // RFC 7011 10.3.3: messages are never larger than the path takes.
    set(fd_, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO);
    if (!options_.collector.address.is_ipv4())
      set(fd_, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DO);
  }
  const int done =
      ::connect(fd_, reinterpret_cast<const sockaddr*>(&address.storage), address.length);
  if (done == 0) return opened();
  if (errno != EINPROGRESS) return lose(std::strerror(errno));
  state_ = State::connecting;
  watch(POLLOUT);
}

void FlowExport::opened() {
  state_ = State::open;
  ++counts_.connections;
  stream_ = 0;
  sequence_ = 0;
  copies_left_ = is_tcp() ? 1 : kTemplateCopies;
  explain_at_ = {};
  datagrams_left_ = kDatagramsATick;
  if (is_tcp() || counts_.connections == 1)
    spdlog::info("flow records go to {}", to_string(options_.collector));
  complained_ = false;
  watch(POLLIN);
  explain();
  send_all();
}

void FlowExport::close_socket() {
  if (fd_ < 0) return;
  loop_.unwatch(fd_);
  close(fd_);
  fd_ = -1;
}

// What is not known to have arrived is sent again.
void FlowExport::lose(const std::string& why) {
  if (state_ == State::open && is_tcp()) {
    release_acknowledged();
    // What is sent again shall not be sent by this socket, too.
    const linger none{.l_onoff = 1, .l_linger = 0};
    setsockopt(fd_, SOL_SOCKET, SO_LINGER, &none, sizeof none);
  }
  close_socket();
  state_ = State::closed;
  retry_at_ = Clock::now() + kRetryAfter;
  asides_.clear();
  for (size_t i = 0; i < sent_; ++i) kept_[i].end = UINT64_MAX;
  sent_ = written_ = 0;
  complain(why);
}

void FlowExport::complain(const std::string& why) {
  if (!complained_)
    spdlog::warn("flow records do not reach {}: {}", to_string(options_.collector), why);
  complained_ = true;
}

void FlowExport::watch(short events) {
  loop_.watch(fd_, events, [this](short happened) { ready(happened); });
}

void FlowExport::ready(short events) {
  if (state_ == State::connecting) {
    int error = 0;
    socklen_t length = sizeof error;
    getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &length);
    return error == 0 ? opened() : lose(std::strerror(error));
  }
  if ((events & ~POLLOUT) != 0) hear();
  if (state_ == State::open) send_all();
}

// A collector has nothing to say; but that it is gone is heard here first.
void FlowExport::hear() {
  char ignored[512];
  const ssize_t octets = recv(fd_, ignored, sizeof ignored, 0);
  if (octets > 0 || (octets < 0 && errno == EAGAIN)) return;
  const char* why = octets == 0 ? "the collector ended the connection" : std::strerror(errno);
  if (is_tcp()) return lose(why);
  if (octets == 0) return;
  ++counts_.refused;
  complain(why);
}

// What a collector must know before it can read records; over UDP also later, since it may have
// missed it, or be another by now.
void FlowExport::explain() {
  if (!asides_.empty()) return;  // what was said last has not left yet
  const auto now = Clock::now();
  const bool due = now >= explain_at_ && (!is_tcp() || copies_left_ > 0);
  if (due || copies_left_ > 0) {
    asides_.push_back(billing::ipfix_templates(options_.domain));
    asides_.push_back(billing::ipfix_own_elements(options_.domain));
    explain_at_ = now + options_.templates_every;
    copies_left_ = std::max(copies_left_ - 1, 0);
  }
  if (due || (losses_.flows != losses_told_ && now >= losses_at_)) report_losses();
}

void FlowExport::report_losses() {
  asides_.push_back(
      billing::ipfix_losses(options_.domain, static_cast<uint32_t>(getpid()), losses_));
  losses_told_ = losses_.flows;
  losses_at_ = Clock::now() + kLossesAfter;
}

void FlowExport::send_all() {
  if (state_ != State::open) return;
  if (is_tcp()) {
    send_stream();
  } else {
    send_datagrams();
  }
}

billing::IpfixMessage* FlowExport::next_message() {
  // An aside does not interrupt a message of which a part is written.
  const bool is_aside = !asides_.empty() && (written_ == 0 || aside_under_way_);
  aside_under_way_ = is_aside;
  if (is_aside) return &asides_.front();
  return sent_ < kept_.size() ? &kept_[sent_].message : nullptr;
}

void FlowExport::stamp_now(billing::IpfixMessage& message) {
  billing::stamp(message, static_cast<uint32_t>(wall_ms() / 1000), sequence_);
}

void FlowExport::send_stream() {
  while (billing::IpfixMessage* message = next_message()) {
    if (written_ == 0) stamp_now(*message);
    const std::string& octets = message->octets;
    const ssize_t sent =
        send(fd_, octets.data() + written_, octets.size() - written_, MSG_NOSIGNAL);
    if (sent < 0 && errno == EAGAIN) return watch(POLLIN | POLLOUT);
    if (sent < 0) return lose(std::strerror(errno));
    written_ += static_cast<size_t>(sent);
    stream_ += static_cast<uint64_t>(sent);
    if (written_ < octets.size()) continue;
    message_is_sent();
  }
  watch(POLLIN);
}

void FlowExport::message_is_sent() {
  written_ = 0;
  ++counts_.messages;
  if (aside_under_way_) {
    sequence_ += asides_.front().data_records;
    asides_.pop_front();
    aside_under_way_ = false;
    return;
  }
  sequence_ += kept_[sent_].message.data_records;
  kept_[sent_].end = stream_;
  ++sent_;
}

// All that was written is acknowledged but for what the socket still holds.
void FlowExport::release_acknowledged() {
  int held = 0;
  if (ioctl(fd_, SIOCOUTQ, &held) != 0) return;
  const uint64_t acknowledged = stream_ - static_cast<uint64_t>(held);
  while (sent_ > 0 && kept_.front().end <= acknowledged) {
    counts_.sent += kept_.front().message.flows;
    kept_octets_ -= kept_.front().message.octets.size() + sizeof(Kept);
    kept_.pop_front();
    --sent_;
  }
}

void FlowExport::send_datagrams() {
  for (; datagrams_left_ > 0; --datagrams_left_) {
    // The first copies go ahead of all records, a tick apart.
    if (asides_.empty() && (copies_left_ > 0 || kept_.empty())) break;
    const bool is_aside = !asides_.empty();
    billing::IpfixMessage& message = is_aside ? asides_.front() : kept_.front().message;
    if (!send_datagram(message)) return;
    if (is_aside) {
      asides_.pop_front();
      continue;
    }
    kept_octets_ -= message.octets.size() + sizeof(Kept);
    kept_.pop_front();
  }
  watch(POLLIN);
}

// False when it cannot be sent now.
bool FlowExport::send_datagram(billing::IpfixMessage& message) {
  stamp_now(message);
  ssize_t sent = -1;
  // The first error may be an earlier one's: that nobody listens.
  for (int attempt = 0; attempt < 2 && sent < 0; ++attempt)
    sent = send(fd_, message.octets.data(), message.octets.size(), MSG_NOSIGNAL);
  if (sent < 0 && errno == EMSGSIZE) {  // the path has become narrower since it was made
    lose_records(message);
    return true;
  }
  if (sent < 0) {
    if (errno == EAGAIN) watch(POLLIN | POLLOUT);
    if (errno != EAGAIN) complain(std::strerror(errno));
    datagrams_left_ = 0;  // others are asked for at the next tick only
    return false;
  }
  ++counts_.messages;
  counts_.sent += message.flows;
  sequence_ += message.data_records;
  return true;
}

size_t FlowExport::message_octets_max() const {
  if (is_tcp()) return kStreamMessageMax;
  const bool ipv4 = options_.collector.address.is_ipv4();
  int mtu = 0;
  socklen_t length = sizeof mtu;
  const int found = fd_ < 0 ? -1
                    : ipv4  ? getsockopt(fd_, IPPROTO_IP, IP_MTU, &mtu, &length)
                            : getsockopt(fd_, IPPROTO_IPV6, IPV6_MTU, &mtu, &length);
  if (found != 0) return kDatagramLeast;
  const auto room = static_cast<size_t>(mtu) - (ipv4 ? kHeaders4 : kHeaders6);
  return std::clamp(room, kDatagramLeast, kDatagramMost);
}

void FlowExport::finish(std::chrono::milliseconds at_most) {
  const auto deadline = Clock::now() + at_most;
  auto tick_at = Clock::now();
  while (!kept_.empty() && Clock::now() < deadline) {
    if (Clock::now() >= tick_at) {
      tick();
      tick_at = Clock::now() + kTick;
    }
    constexpr int kPollMs = 5;
    pollfd one{fd_, static_cast<short>(state_ == State::connecting ? POLLOUT : POLLIN), 0};
    if (poll(&one, 1, kPollMs) > 0) ready(one.revents);
    if (state_ == State::open && is_tcp()) release_acknowledged();
  }
}

}  // namespace anabranch::control
