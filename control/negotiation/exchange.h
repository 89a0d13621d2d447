// SPDX-License-Identifier: BSD-3-Clause
// Talks to many providers at once over HTTP (libcurl multi). Blocking: for a thread of its own,
// never the control thread.
//
// A server is whom its certificate says; redirects are not followed, for they would carry the
// token elsewhere; plain HTTP is used on loopback alone, or where the provider's document says so.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>

namespace anabranch::negotiation {

using Steady = std::chrono::steady_clock;

// Where a provider is, and how we show who we are.
struct Endpoint {
  std::string base_url;        // "https://api.example.net/tmf-api", without a slash at the end
  bool plain_allowed = false;  // http:// beyond loopback
  std::string bearer_token;    // or empty
  std::string certificate_file, key_file;  // PEM, of ours; or empty
  std::string ca_file;                     // PEM, instead of the system's
};

struct Call {
  std::string method;  // "GET", "POST", "PATCH"
  std::string path;    // after the base, with what is asked: "/quoteManagement/v4/quote/17"
  std::string body;    // JSON; or empty
};

struct Answer {
  int status = 0;  // 0: there was no whole answer
  std::string body;
  std::string failure;    // why there was none, as a sentence's end: "did not answer in time"
  bool tried = false;     // a connection was begun or used: all else is no exchange
  bool sent = false;      // some of the request may have reached the provider
  bool answered = false;  // it began to answer: what it was asked for, it has done or not
};

// Quotes and orders are a few kilobytes; a page of forty quotes still fits.
inline constexpr size_t kAnswerOctetsMax = 256 * 1024;

// The reason why nothing may be sent there, or an empty text.
std::string refusal(const Endpoint& endpoint);
// For a path or what is asked: all but letters, digits and "-._~" as %XX.
std::string url_escaped(const std::string& text);

class Exchange {
 public:
  using Then = std::function<void(const Answer&)>;
  // `now` is the steady clock; `cancelled` (may be nullptr) ends everything within 50 ms.
  Exchange(std::function<Steady::time_point()> now, const std::atomic<bool>* cancelled);
  ~Exchange();
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  // Calls `then` from within run(), which may start others. `endpoint` must outlive it. Begins not
  // before `from`; what is unanswered at `until` has failed.
  void start(const Endpoint& endpoint, Call call, Steady::time_point from, Steady::time_point until,
             Then then);
  // Until nothing is under way, `until` has come or `enough` says so. What is under way stays so.
  void run(Steady::time_point until, const std::function<bool()>& enough = {});
  bool idle() const;
  bool is_cancelled() const;

 private:
  struct Transfer;
  struct Transfers;
  std::unique_ptr<Transfers> transfers_;
};

}  // namespace anabranch::negotiation
