// SPDX-License-Identifier: BSD-3-Clause
#include "control/negotiation/exchange.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <list>
#include <string_view>
#include <vector>

namespace anabranch::negotiation {
namespace {

// How soon a cancellation is seen.
constexpr std::chrono::milliseconds kRest{50};

struct ParsedUrl {
  std::string scheme, host;
  bool has_more = false;  // a user, a query or a fragment
};

bool url_has(CURLU* url, CURLUPart part) {
  char* text = nullptr;
  const bool has = curl_url_get(url, part, &text, 0) == CURLUE_OK;
  curl_free(text);
  return has;
}

std::string url_part(CURLU* url, CURLUPart part) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, 0) != CURLUE_OK) return {};
  std::string copy(text);
  curl_free(text);
  return copy;
}

ParsedUrl parsed_url(const std::string& text) {
  ParsedUrl parsed;
  CURLU* url = curl_url();
  if (curl_url_set(url, CURLUPART_URL, text.c_str(), CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK) {
    parsed.scheme = url_part(url, CURLUPART_SCHEME);
    parsed.host = url_part(url, CURLUPART_HOST);
    parsed.has_more = url_has(url, CURLUPART_USER) || url_has(url, CURLUPART_QUERY) ||
                      url_has(url, CURLUPART_FRAGMENT);
  }
  curl_url_cleanup(url);
  return parsed;
}

// By address: a name may lead anywhere.
bool is_loopback(const std::string& host) {
  return host == "[::1]" ||
         (host.starts_with("127.") && host.find_first_not_of("0123456789.") == std::string::npos);
}

void make_curl_ready() {
  static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (ready != CURLE_OK) std::abort();
}

}  // namespace

std::string refusal(const Endpoint& endpoint) {
  const ParsedUrl url = parsed_url(endpoint.base_url);
  if (url.host.empty() || url.has_more || endpoint.base_url.ends_with('/'))
    return "\"" + endpoint.base_url +
           "\" is no address such as \"https://api.example.net/tmf-api\"";
  if (url.scheme == "https") return {};
  if (url.scheme != "http") return "its address is \"" + url.scheme + "\"; expected \"https\"";
  if (endpoint.plain_allowed || is_loopback(url.host)) return {};
  return "its address is plain http, and its document does not allow that";
}

std::string url_escaped(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("-._~").find(c) != std::string_view::npos;
    escaped += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  // "." and ".." would be taken out of a path.
  return escaped == "." ? "%2E" : escaped == ".." ? "%2E%2E" : escaped;
}

struct Exchange::Transfer {
  const Endpoint* endpoint;
  Call call;
  Steady::time_point from, until;
  Then then;
  CURL* easy = nullptr;
  curl_slist* headers = nullptr;
  std::string body;
  bool too_long = false;
  char error[CURL_ERROR_SIZE] = {};

  ~Transfer() {
    if (easy != nullptr) curl_easy_cleanup(easy);
    curl_slist_free_all(headers);
  }

  static size_t take(char* data, size_t, size_t octets, void* self) {
    Transfer& t = *static_cast<Transfer*>(self);
    if (t.body.size() + octets > kAnswerOctetsMax) {
      t.too_long = true;
      return CURL_WRITEFUNC_ERROR;
    }
    t.body.append(data, octets);
    return octets;
  }

  template <typename Value>
  void set(CURLoption option, Value value) {
    // Only an option that libcurl was built without, or no memory: neither may be passed over.
    if (curl_easy_setopt(easy, option, value) != CURLE_OK) std::abort();
  }

  void add_header(const std::string& line) { headers = curl_slist_append(headers, line.c_str()); }

  void prepare() {
    easy = curl_easy_init();
    if (easy == nullptr) std::abort();
    set(CURLOPT_URL, (endpoint->base_url + call.path).c_str());
    set(CURLOPT_PRIVATE, static_cast<void*>(this));
    set(CURLOPT_ERRORBUFFER, error);
    set(CURLOPT_WRITEFUNCTION, &Transfer::take);
    set(CURLOPT_WRITEDATA, static_cast<void*>(this));
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_FOLLOWLOCATION, 0L);
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    // The environment's proxy is not where a provider's document says that it is.
    set(CURLOPT_PROXY, "");
    prepare_body();
    prepare_identity();
  }

  void prepare_body() {
    set(CURLOPT_CUSTOMREQUEST, call.method.c_str());
    add_header("Accept: application/json");
    add_header("Expect:");
    if (!call.body.empty()) {
      add_header("Content-Type: application/json;charset=utf-8");
      set(CURLOPT_POSTFIELDS, call.body.c_str());
      set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(call.body.size()));
    }
    set(CURLOPT_HTTPHEADER, headers);
  }

  void prepare_identity() {
    set(CURLOPT_SSL_VERIFYPEER, 1L);
    set(CURLOPT_SSL_VERIFYHOST, 2L);
    set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
    if (!endpoint->ca_file.empty()) set(CURLOPT_CAINFO, endpoint->ca_file.c_str());
    if (!endpoint->certificate_file.empty()) {
      set(CURLOPT_SSLCERT, endpoint->certificate_file.c_str());
      set(CURLOPT_SSLKEY, endpoint->key_file.c_str());
    }
    if (!endpoint->bearer_token.empty()) {
      set(CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_BEARER));
      set(CURLOPT_XOAUTH2_BEARER, endpoint->bearer_token.c_str());
    }
  }

  Answer answer(CURLcode code) {
    Answer a;
    long status = 0, octets = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(easy, CURLINFO_REQUEST_SIZE, &octets);
    a.tried = true;
    a.sent = octets > 0;
    a.answered = status > 0;
    if (code != CURLE_OK) {
      a.failure = too_long ? fmt::format("answered with more than {} octets", kAnswerOctetsMax)
                           : std::string("failed: ") +
                                 (error[0] != '\0' ? error : curl_easy_strerror(code));
    } else if (status >= 300 && status < 400) {
      a.failure = fmt::format("answered {}, a redirect, which is not followed", status);
    } else {
      a.status = static_cast<int>(status);
      a.body = std::move(body);
    }
    return a;
  }
};

struct Exchange::Transfers {
  std::function<Steady::time_point()> now;
  const std::atomic<bool>* cancelled;
  CURLM* multi = nullptr;
  std::list<Transfer> waiting, running;

  // Relaxed: the flag is all that is told.
  bool is_cancelled() const {
    return cancelled != nullptr && cancelled->load(std::memory_order_relaxed);
  }

  void end(std::list<Transfer>& list, std::list<Transfer>::iterator t, const Answer& answer) {
    std::list<Transfer> ended;
    ended.splice(ended.begin(), list, t);
    if (t->easy != nullptr) curl_multi_remove_handle(multi, t->easy);
    t->then(answer);  // may start others: lists are as they should be
  }

  void begin_due() {
    for (auto t = waiting.begin(); t != waiting.end();) {
      const auto next = std::next(t);
      if (const std::string why = refusal(*t->endpoint); !why.empty()) {
        end(waiting, t, {.failure = "was not asked: " + why});
        return;  // `next` may be gone
      }
      if (t->from <= now()) {
        t->prepare();
        running.splice(running.end(), waiting, t);
        if (curl_multi_add_handle(multi, t->easy) != CURLM_OK) std::abort();
      }
      t = next;
    }
  }

  void take_ended() {
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi, &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      const CURLcode code = message->data.result;
      const CURL* easy = message->easy_handle;
      const auto t = std::find_if(running.begin(), running.end(),
                                  [&](const Transfer& x) { return x.easy == easy; });
      end(running, t, t->answer(code));
    }
  }

  // One at a time: what `then` does may change the list.
  bool end_one_overdue() {
    const auto moment = now();
    for (auto* list : {&running, &waiting}) {
      const auto t = std::find_if(list->begin(), list->end(), [&](const Transfer& x) {
        return is_cancelled() || x.until <= moment;
      });
      if (t == list->end()) continue;
      // Connected or not is not told of one that is under way: it may have been read.
      const char* why = is_cancelled() ? "was not waited for" : "did not answer in time";
      const bool tried = list == &running;
      end(*list, t, {.failure = why, .tried = tried, .sent = tried});
      return true;
    }
    return false;
  }

  int rest_ms(Steady::time_point until) const {
    auto rest = std::min<Steady::duration>(kRest, until - now());
    for (const Transfer& t : waiting) rest = std::min<Steady::duration>(rest, t.from - now());
    for (const Transfer& t : running) rest = std::min<Steady::duration>(rest, t.until - now());
    const auto ms = std::chrono::ceil<std::chrono::milliseconds>(rest).count();
    return static_cast<int>(std::max<int64_t>(ms, 0));
  }
};

Exchange::Exchange(std::function<Steady::time_point()> now, const std::atomic<bool>* cancelled)
    : transfers_(std::make_unique<Transfers>()) {
  make_curl_ready();
  transfers_->now = std::move(now);
  transfers_->cancelled = cancelled;
  transfers_->multi = curl_multi_init();
  if (transfers_->multi == nullptr) std::abort();
}

Exchange::~Exchange() {
  for (Transfer& t : transfers_->running) curl_multi_remove_handle(transfers_->multi, t.easy);
  transfers_->running.clear();
  curl_multi_cleanup(transfers_->multi);
}

void Exchange::start(const Endpoint& endpoint, Call call, Steady::time_point from,
                     Steady::time_point until, Then then) {
  Transfer& t = transfers_->waiting.emplace_back();
  t.endpoint = &endpoint;
  t.call = std::move(call);
  t.from = from;
  t.until = until;
  t.then = std::move(then);
}

bool Exchange::idle() const {
  return transfers_->waiting.empty() && transfers_->running.empty();
}

bool Exchange::is_cancelled() const {
  return transfers_->is_cancelled();
}

void Exchange::run(Steady::time_point until, const std::function<bool()>& enough) {
  Transfers& t = *transfers_;
  while (!idle() && t.now() < until && !(enough && enough())) {
    t.begin_due();
    int running = 0;
    if (curl_multi_perform(t.multi, &running) != CURLM_OK) std::abort();
    t.take_ended();
    while (t.end_one_overdue()) {
    }
    if (idle() || (enough && enough())) return;
    if (curl_multi_poll(t.multi, nullptr, 0, t.rest_ms(until), nullptr) != CURLM_OK) std::abort();
  }
  while (t.end_one_overdue()) {
  }
}

}  // namespace anabranch::negotiation
