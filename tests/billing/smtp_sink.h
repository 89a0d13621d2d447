// SPDX-License-Identifier: BSD-3-Clause
// A mail server of the tests' own, on 127.0.0.1, in clear text: it takes mails, or is as bad as it
// is told to be. One connection at a time, on a thread of its own.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace anabranch::billing {

class SmtpSink {
 public:
  enum class Manner {
    takes,
    refuses_recipient,  // 550
    defers_recipient,   // 450
    refuses_sender,     // 553
    refuses_content,    // 554, when it has the mail
    is_silent,          // takes the connection and says nothing
    turns_away,         // 421, as its greeting
    cuts_in_content,    // ends the connection within the mail
    cuts_before_answer  // has the whole mail, and ends the connection without a word
  };

  SmtpSink() {
    listening_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* any = reinterpret_cast<sockaddr*>(&address);
    if (bind(listening_, any, size) != 0 || listen(listening_, 8) != 0 ||
        getsockname(listening_, any, &size) != 0)
      std::abort();
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~SmtpSink() {
    ending_ = true;
    shutdown(listening_, SHUT_RDWR);
    thread_.join();
    close(listening_);
  }

  std::string url() const { return "smtp://127.0.0.1:" + std::to_string(port_); }
  void be(Manner manner) { manner_ = manner; }
  int connections() const { return connections_; }
  // Those that it has as a whole, as they came.
  std::vector<std::string> mails() const {
    const std::lock_guard lock(mutex_);
    return mails_;
  }

 private:
  // nullopt-like: false when the other end, or the test, has ended.
  bool read_line(int fd, std::string& line) {
    while (buffer_.find("\r\n") == std::string::npos) {
      pollfd ready{fd, POLLIN, 0};
      while (!ending_ && poll(&ready, 1, 50) == 0) continue;
      char octets[4096];
      const ssize_t count = ending_ ? 0 : recv(fd, octets, sizeof octets, 0);
      if (count <= 0) return false;
      buffer_.append(octets, static_cast<size_t>(count));
    }
    const size_t end = buffer_.find("\r\n");
    line = buffer_.substr(0, end);
    buffer_.erase(0, end + 2);
    return true;
  }
  static void say(int fd, const std::string& line) {
    const std::string text = line + "\r\n";
    if (::send(fd, text.data(), text.size(), MSG_NOSIGNAL) < 0) return;
  }

  void serve() {
    while (!ending_) {
      const int fd = accept4(listening_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) continue;
      ++connections_;
      buffer_.clear();
      converse(fd);
      close(fd);
    }
  }

  void converse(int fd) {
    std::string line;
    if (manner_ == Manner::turns_away) return say(fd, "421 not now");
    if (manner_ == Manner::is_silent) {
      while (read_line(fd, line)) continue;
      return;
    }
    say(fd, "220 sink.example ESMTP");
    while (read_line(fd, line)) {
      if (line.starts_with("EHLO") || line.starts_with("HELO"))
        say(fd, "250 sink.example");
      else if (line.starts_with("MAIL"))
        say(fd, manner_ == Manner::refuses_sender ? "553 who are you" : "250 ok");
      else if (line.starts_with("RCPT"))
        say(fd, manner_ == Manner::refuses_recipient  ? "550 no such user"
                : manner_ == Manner::defers_recipient ? "450 greylisted"
                                                      : "250 ok");
      else if (line.starts_with("DATA") && !take_mail(fd))
        return;
      else if (line.starts_with("QUIT"))
        return say(fd, "221 bye");
    }
  }

  bool take_mail(int fd) {
    say(fd, "354 go on");
    std::string mail, line;
    while (read_line(fd, line)) {
      if (manner_ == Manner::cuts_in_content && mail.size() > 200) return false;
      if (line == ".") {
        if (manner_ == Manner::refuses_content) {
          say(fd, "554 spam");
          return true;
        }
        {
          const std::lock_guard lock(mutex_);
          mails_.push_back(mail);
        }
        if (manner_ == Manner::cuts_before_answer) return false;
        say(fd, "250 taken");
        return true;
      }
      mail += line.substr(line.starts_with('.') ? 1 : 0) + "\n";
    }
    return false;
  }

  int listening_ = -1;
  uint16_t port_ = 0;
  std::atomic<bool> ending_{false};
  std::atomic<Manner> manner_{Manner::takes};
  std::atomic<int> connections_{0};
  std::string buffer_;
  mutable std::mutex mutex_;
  std::vector<std::string> mails_;
  std::thread thread_;
};

}  // namespace anabranch::billing
