// SPDX-License-Identifier: BSD-3-Clause
// The gateway. Exit status: 0 ended in order; 1 could not start, or could not end in order; 2 wrong
// configuration.
#include <CLI/CLI.hpp>

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <sys/prctl.h>

#include <cstdio>

#include "billing/card_number.h"
#include "control/billing_only.h"
#include "control/gateway.h"
#include "control/toml_file.h"

using namespace anabranch;

namespace {

int fail(int status, const std::string& text) {
  std::fprintf(stderr, "%s\n", text.c_str());
  return status;
}

// Without what may be the number of a card, wherever it came from.
class LogFormat : public spdlog::formatter {
 public:
  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& line) override {
    const std::string_view text(message.payload.data(), message.payload.size());
    if (!billing::has_card_number(text)) return pattern_.format(message, line);
    const std::string without = billing::without_card_numbers(text);
    spdlog::details::log_msg other = message;
    other.payload = without;
    pattern_.format(other, line);
  }
  std::unique_ptr<spdlog::formatter> clone() const override {
    return std::make_unique<LogFormat>();
  }

 private:
  spdlog::pattern_formatter pattern_{"%Y-%m-%dT%H:%M:%S.%e %n %l: %v"};
};

void log_as(const std::string& name) {
  spdlog::set_default_logger(spdlog::stderr_color_mt(name));
  spdlog::set_formatter(std::make_unique<LogFormat>());
  spdlog::flush_on(spdlog::level::info);
}

int run_billing_only(const std::string& file, bool check) {
  const auto config = control::read_whole(file, "a configuration of billing")
                          .and_then([&](const std::string& text) {
                            return control::parse_billing_only(text, file);
                          });
  if (!config) return fail(2, config.error());
  std::vector<billing::DocumentDraft> documents;
  if (!config->documents_dir.empty()) {
    const auto read = control::DocumentStore::read(config->documents_dir);
    if (!read) return fail(2, read.error());
    documents = read->drafts();
  }
  if (check) return 0;
  log_as("billing");
  const auto ended = control::run_billing_only(*config, std::move(documents));
  return ended ? 0 : fail(1, "anabranchd: " + ended.error());
}

}  // namespace

int main(int argc, char** argv) {
  prctl(PR_SET_DUMPABLE, 0);  // keys are in memory: no core dump, no debugger of another user
  std::string file;
  bool check = false, billing_only = false;
  CLI::App app{"Anabranch, a multi-provider bonding gateway."};
  app.add_option("config", file, "the gateway's configuration (TOML)")->required();
  app.add_flag("--check", check, "only check the configuration and the documents it names");
  app.add_flag("--billing-only", billing_only,
               "no gateway: close the periods of several, by a configuration of billing alone");
  app.set_version_flag("--version", ANABRANCH_VERSION);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }

  if (billing_only) return run_billing_only(file, check);
  auto config = control::read_config(file);
  if (!config) return fail(2, config.error());
  auto documents = control::DocumentStore::read(config->documents_dir);
  if (!documents) return fail(2, documents.error());
  if (const std::string wrong = documents->unpriced(*config); !wrong.empty()) return fail(2, wrong);
  auto identity = control::Identity::open({.certificate = config->certificate,
                                           .key = config->key,
                                           .peer_name = config->peer.name,
                                           .peer_fingerprint = config->peer.fingerprint,
                                           .ca = config->peer.ca});
  if (!identity) return fail(2, identity.error());
  if (check) return 0;

  log_as(config->name);
  auto gateway =
      control::Gateway::open(std::move(*config), std::move(*documents), std::move(*identity));
  if (!gateway) return fail(1, "anabranchd: " + gateway.error());
  const auto ended = (*gateway)->run();
  gateway->reset();
  if (!ended)
    return fail(1,
                "anabranchd: the last usage is not journaled yet; it will be at the next start: " +
                    ended.error());
  return 0;
}
