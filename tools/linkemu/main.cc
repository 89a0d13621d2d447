// SPDX-License-Identifier: BSD-3-Clause
// linkemu: emulated links between pairs of interfaces. Exit status: 0 done; 1 it could not; 2 wrong
// options.
#include <CLI/CLI.hpp>

#include <fmt/format.h>

#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "tools/linkemu/emulator.h"

namespace {

using namespace anabranch;
using nlohmann::json;

int fail(int status, const std::string& sentence) {
  fmt::print(stderr, "linkemu: {}\n", sentence);
  return status;
}

int run(linkemu::EmulatorOptions options, const std::vector<std::string>& links) {
  auto parsed = linkemu::parse_links(links);
  if (!parsed) return fail(2, "--link: " + parsed.error());
  options.links = std::move(*parsed);
  const auto emulator = linkemu::Emulator::open(options);
  if (!emulator) return fail(1, emulator.error());
  fmt::print("linkemu: ready, {} link{}\n", options.links.size(),
             options.links.size() == 1 ? "" : "s");
  std::fflush(stdout);
  (*emulator)->run();
  return 0;
}

// Asks a running emulator; prints what `show` makes of its answer.
int ask(const std::string& path, const std::string& request,
        const std::function<std::string(const json&)>& show) {
  const auto text = linkemu::ask(path, request);
  if (!text) return fail(1, text.error());
  const json answer = json::parse(*text, nullptr, false);
  if (!answer.is_object()) return fail(1, "socket \"" + path + "\": answers, but not as linkemu");
  if (answer.contains("error")) return fail(1, answer["error"].get<std::string>());
  fmt::print("{}", show(answer));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Emulates links between pairs of interfaces of this network namespace."};
  app.require_subcommand(1);
  app.footer(
      "Delays are exact to the time it takes to get a CPU. Where other work wants the same one:\n"
      "chrt --fifo 1 linkemu run …");
  linkemu::EmulatorOptions options;
  std::vector<std::string> links, words;
  bool as_json = false;

  auto* run_command = app.add_subcommand("run", "emulate until SIGTERM or SIGINT");
  run_command
      ->add_option("--link", links,
                   "name=N,a=IF,b=IF,rate=100Mbit/s,delay=10ms,jitter=0ms,loss=0%,queue=100ms,"
                   "reorder=false; KEY.ab or KEY.ba for one direction")
      ->required();
  run_command->add_option("--tunnel-port", options.tunnel_port, "UDP port counted as tunnel")
      ->check(CLI::Range(1, 65535))
      ->capture_default_str();
  run_command->add_option("--seed", options.seed, "of losses and jitter")->capture_default_str();
  run_command->add_option("--buffers", options.buffers, "packets in flight, for each direction")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  auto* set_command = app.add_subcommand("set", "change a link while it runs");
  set_command
      ->add_option("change", words,
                   "LINK ab|ba|both, then up, down, rate=…, delay=…, jitter=…, loss=…, queue=…, "
                   "reorder=…")
      ->required();
  auto* stats_command = app.add_subcommand("stats", "what was offered, delivered and dropped");
  stats_command->add_flag("--json", as_json, "for programs to read");
  for (CLI::App* command : {run_command, set_command, stats_command}) {
    command->add_option("--socket", options.control_socket, "control socket")->required();
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    return fail(2, error.what());
  }
  if (run_command->parsed()) return run(options, links);
  if (set_command->parsed()) {
    std::string request = "set";
    for (const std::string& word : words) request += " " + word;
    return ask(options.control_socket, request, [](const json&) { return ""; });
  }
  return ask(options.control_socket, "stats", [&](const json& stats) {
    return as_json ? stats.dump(2) + "\n" : linkemu::stats_table(stats);
  });
}
