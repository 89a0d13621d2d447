// SPDX-License-Identifier: BSD-3-Clause
#include "billing/smtp.h"

#include <curl/curl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <ctime>
#include <string_view>

#include "billing/printable.h"

namespace anabranch::billing {
namespace {

constexpr long kConnectMsMax = 10'000;
constexpr size_t kWordOctetsMax = 45;  // 60 in base64: an encoded word has at most 75
constexpr long kPermanent = 500;

std::string in_base64(std::string_view octets) {
  std::string out(4 * ((octets.size() + 2) / 3) + 1, '\0');
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                   reinterpret_cast<const unsigned char*>(octets.data()),
                                   static_cast<int>(octets.size()));
  out.resize(static_cast<size_t>(size));
  return out;
}

// Of the C locale, whatever the program's is.
std::string date_words(int64_t seconds) {
  static constexpr std::array kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr std::array kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::time_t time = seconds;
  std::tm t{};
  gmtime_r(&time, &t);
  return fmt::format("{}, {} {} {} {:02}:{:02}:{:02} +0000", kDays[static_cast<size_t>(t.tm_wday)],
                     t.tm_mday, kMonths[static_cast<size_t>(t.tm_mon)], t.tm_year + 1900, t.tm_hour,
                     t.tm_min, t.tm_sec);
}

struct FreeMail {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
  void operator()(curl_mime* mime) const { curl_mime_free(mime); }
};
using List = std::unique_ptr<curl_slist, FreeMail>;

void append(List& list, const std::string& line) {
  curl_slist* longer = curl_slist_append(list.get(), line.c_str());
  if (longer == nullptr) std::abort();  // no memory
  list.release();
  list.reset(longer);
}

List headers_of(const Mail& mail) {
  List headers;
  append(headers, "Date: " + date_words(mail.date_s));
  append(headers, "From: <" + mail.from + ">");
  append(headers, "To: <" + mail.to + ">");
  append(headers, "Message-ID: <" + mail.message_id + ">");
  append(headers, "Subject: " + header_words(mail.subject));
  append(headers, "Auto-Submitted: auto-generated");  // RFC 3834: no holiday notes, please
  return headers;
}

void add_part(curl_mime* mime, const std::string& content, const std::string& type,
              const char* encoder, const std::string& name) {
  curl_mimepart* part = curl_mime_addpart(mime);
  curl_mime_data(part, content.data(), content.size());
  curl_mime_type(part, type.c_str());
  curl_mime_encoder(part, encoder);
  if (!name.empty()) curl_mime_filename(part, name.c_str());
}

}  // namespace

std::string header_words(const std::string& text) {
  std::string words = printable(text);
  if (std::all_of(words.begin(), words.end(), [](char c) { return c >= ' ' && c <= '~'; }))
    return words;
  std::string out;
  for (std::string_view rest = words; !rest.empty();) {
    size_t size = 0;
    while (size < rest.size()) {
      const size_t next = first_character(rest.substr(size)).octets;
      if (size + next > kWordOctetsMax) break;
      size += next;
    }
    out +=
        (out.empty() ? "=?UTF-8?B?" : "\r\n =?UTF-8?B?") + in_base64(rest.substr(0, size)) + "?=";
    rest.remove_prefix(size);
  }
  return out;
}

struct Smtp::Connection {
  CURL* curl = curl_easy_init();
  std::array<char, CURL_ERROR_SIZE> error{};
  Connection() {
    if (curl == nullptr) std::abort();  // no memory
  }
  ~Connection() { curl_easy_cleanup(curl); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
};

Smtp::Smtp(SmtpServer server)
    : server_(std::move(server)), connection_(std::make_unique<Connection>()) {}
Smtp::~Smtp() = default;

namespace {

// What the server, or the connection, means for the mail. Who takes no sender, no login or no
// connection says nothing of this mail.
MailAnswer answer_of(CURL* curl, CURLcode result, const char* error) {
  if (result == CURLE_OK) return {MailOutcome::sent, "sent", true};
  long code = 0;
  curl_off_t uploaded = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &code);
  curl_easy_getinfo(curl, CURLINFO_SIZE_UPLOAD_T, &uploaded);
  const std::string_view said = *error != '\0' ? error : curl_easy_strerror(result);
  const bool of_mail =
      uploaded > 0 || said.starts_with("RCPT failed") || said.starts_with("DATA failed");
  MailAnswer answer{MailOutcome::postponed, printable(said), of_mail};
  if (of_mail && code >= kPermanent && result != CURLE_OPERATION_TIMEDOUT)
    answer.outcome = MailOutcome::refused;
  else if (uploaded > 0 && code < 400)
    answer.outcome = MailOutcome::unknown;  // 354 was the last word
  if (code >= 400) answer.text += fmt::format(" ({})", code);
  return answer;
}

}  // namespace

MailAnswer Smtp::send(const Mail& mail) {
  CURL* curl = connection_->curl;
  curl_easy_reset(curl);  // keeps the connection
  connection_->error.fill('\0');
  const auto set = [&](CURLoption option, auto value) { curl_easy_setopt(curl, option, value); };
  set(CURLOPT_ERRORBUFFER, connection_->error.data());
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_PROTOCOLS_STR, "smtp,smtps");
  set(CURLOPT_URL, server_.url.c_str());
  set(CURLOPT_USE_SSL,
      static_cast<long>(server_.insecure_cleartext ? CURLUSESSL_NONE : CURLUSESSL_ALL));
  if (!server_.ca.empty()) set(CURLOPT_CAINFO, server_.ca.c_str());
  if (!server_.user.empty()) {
    set(CURLOPT_USERNAME, server_.user.c_str());
    set(CURLOPT_PASSWORD, server_.password.c_str());
  }
  set(CURLOPT_CONNECTTIMEOUT_MS, std::min<long>(kConnectMsMax, server_.patience_ms));
  set(CURLOPT_TIMEOUT_MS, static_cast<long>(server_.patience_ms));
  const std::string from = "<" + mail.from + ">";
  set(CURLOPT_MAIL_FROM, from.c_str());
  List to;
  append(to, "<" + mail.to + ">");
  set(CURLOPT_MAIL_RCPT, to.get());
  const List headers = headers_of(mail);
  set(CURLOPT_HTTPHEADER, headers.get());
  const std::unique_ptr<curl_mime, FreeMail> mime(curl_mime_init(curl));
  add_part(mime.get(), mail.text, "text/plain; charset=utf-8", "quoted-printable", "");
  for (const Mail::Part& part : mail.attached)
    add_part(mime.get(), part.content, part.type, "base64", part.name);
  set(CURLOPT_MIMEPOST, mime.get());
  const CURLcode result = curl_easy_perform(curl);
  MailAnswer answer = answer_of(curl, result, connection_->error.data());
  curl_easy_reset(curl);  // before what it was given goes
  return answer;
}

}  // namespace anabranch::billing
