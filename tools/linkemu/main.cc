// SPDX-License-Identifier: BSD-3-Clause
// linkemu: emulated links between pairs of interfaces. Exit status: 0 done; 1 it could not; 2 wrong
// arguments.
#include <CLI/CLI.hpp>

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstring>

#include "tools/linkemu/emulator.h"

namespace {

using nlohmann::json;

int run(linkemu::EmulatorOptions options, const std::vector<std::string>& links) {
  for (const std::string& text : links) {
    const auto link = linkemu::parse_link(text);
    if (!link) {
      fmt::print(stderr, "linkemu: --link: {}\n", link.error());
      return 2;
    }
    options.links.push_back(*link);
  }
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  auto emulator = linkemu::Emulator::open(options);
  if (!emulator) {
    fmt::print(stderr, "linkemu: {}\n", emulator.error());
    return 1;
  }
  fmt::print("linkemu: ready, {} links\n", options.links.size());
  std::fflush(stdout);
  (*emulator)->run();
  return 0;
}

// Sends one request to a running emulator; prints the error and returns null when there is one.
json ask(const std::string& socket_name, const std::string& request) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, socket_name.c_str(), sizeof address.sun_path - 1);
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  const std::string line = request + "\n";
  std::string text;
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
      write(fd, line.data(), line.size()) == static_cast<ssize_t>(line.size())) {
    char buffer[4096];
    for (ssize_t n; (n = read(fd, buffer, sizeof buffer)) > 0;)
      text.append(buffer, static_cast<size_t>(n));
  }
  close(fd);
  const json answer = json::parse(text, nullptr, false);
  if (!answer.is_object()) {
    fmt::print(stderr, "linkemu: {}: nobody answers; is linkemu running with this --socket?\n",
               socket_name);
    return nullptr;
  }
  if (answer.contains("error")) {
    fmt::print(stderr, "linkemu: {}\n", answer.value("error", ""));
    return nullptr;
  }
  return answer;
}

void print_stats(const json& stats) {
  fmt::print("{:<10} {:<3} {:<7} {:>12} {:>15} {:>12} {:>15} {:>10}  {}\n", "link", "way", "class",
             "offered", "octets", "delivered", "octets", "dropped", "why");
  for (const json& link : stats["links"]) {
    for (const char* way : {"ab", "ba"}) {
      const json& d = link[way];
      for (const char* kind : {"tunnel", "kernel", "other"}) {
        uint64_t dropped = 0;
        std::string why;
        for (const auto& [reason, counts] : d["dropped"].items()) {
          const auto packets = counts[kind]["packets"].get<uint64_t>();
          dropped += packets;
          if (packets != 0) why += fmt::format("{} {} ", reason, packets);
        }
        fmt::print("{:<10} {:<3} {:<7} {:>12} {:>15} {:>12} {:>15} {:>10}  {}\n",
                   link.value("name", ""), way, kind, d["offered"][kind]["packets"].get<uint64_t>(),
                   d["offered"][kind]["octets"].get<uint64_t>(),
                   d["delivered"][kind]["packets"].get<uint64_t>(),
                   d["delivered"][kind]["octets"].get<uint64_t>(), dropped, why);
      }
      if (const auto lost = d["socket_drops"].get<uint64_t>(); lost != 0)
        fmt::print("{:<10} {:<3} the socket dropped {} packets uncounted\n", "", way, lost);
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Emulates links between pairs of interfaces of this network namespace."};
  app.require_subcommand(1);
  linkemu::EmulatorOptions options;
  std::vector<std::string> links, changes;
  std::string link, way;
  bool as_json = false;

  auto* run_command = app.add_subcommand("run", "emulate until SIGTERM");
  run_command
      ->add_option("--link", links,
                   "name=N,a=IF,b=IF,rate=100Mbit/s,delay=10ms,jitter=0ms,loss=0%,queue=100ms; "
                   "KEY.ab or KEY.ba for one direction")
      ->required();
  run_command->add_option("--tunnel-port", options.tunnel_port, "UDP port counted as tunnel")
      ->capture_default_str();
  run_command->add_option("--seed", options.seed, "of losses and jitter")->capture_default_str();
  auto* set_command = app.add_subcommand("set", "change a link while it runs");
  set_command->add_option("link", link, "the link")->required();
  set_command->add_option("way", way, "ab, ba or both")->required();
  set_command
      ->add_option("changes", changes,
                   "up, down, rate=…, delay=…, jitter=…, loss=…, queue=…, reorder=on|off")
      ->required();
  auto* stats_command = app.add_subcommand("stats", "what was offered, delivered and dropped");
  stats_command->add_flag("--json", as_json);
  for (CLI::App* command : {run_command, set_command, stats_command}) {
    command->add_option("--socket", options.control_socket, "control socket")->required();
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (run_command->parsed()) return run(options, links);
  std::string request = "stats";
  if (set_command->parsed()) {
    request = "set " + link + " " + way;
    for (const std::string& change : changes) request += " " + change;
  }
  const json answer = ask(options.control_socket, request);
  if (answer.is_null()) return 1;
  if (stats_command->parsed()) {
    if (as_json)
      fmt::print("{}\n", answer.dump(2));
    else
      print_stats(answer);
  }
  return 0;
}
