// SPDX-License-Identifier: BSD-3-Clause
#include "control/billing_only.h"

#include <signal.h>
#include <spdlog/spdlog.h>

#include <chrono>

#include "billing/closing_service.h"
#include "billing/wall_clock.h"
#include "control/mail_table.h"
#include "control/toml_file.h"

namespace anabranch::control {

tl::expected<BillingOnlyConfig, std::string> parse_billing_only(std::string_view text,
                                                                const std::string& file) {
  BillingOnlyConfig config;
  const auto read = [&](TableReader& root) {
    TableReader t = root.table("billing");
    config.ledger = t.text("ledger", "a ledger: \"postgresql://…\", or a file");
    config.journals = t.texts("journals", "the journals' folders, a list");
    config.documents_dir = t.text("documents", "the folder of clients/, tariffs/ and so on", false);
    config.statements_dir = t.text("statements_dir", "the folder statements are delivered to");
    config.mail = read_mail(t, file);
    t.finish();
  };
  if (auto parsed = parse_toml(text, file, read); !parsed) return tl::unexpected(parsed.error());
  return config;
}

tl::expected<void, std::string> run_billing_only(const BillingOnlyConfig& config,
                                                 std::vector<billing::DocumentDraft> documents) {
  sigset_t ends;  // before there are threads, so that none of them is interrupted
  sigemptyset(&ends);
  sigaddset(&ends, SIGINT);
  sigaddset(&ends, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);
  {
    auto ledger = billing::Ledger::open(config.ledger, "");
    if (!ledger) return tl::unexpected(ledger.error());
    const int64_t now_ns = billing::wall_now_ns();
    for (billing::DocumentDraft& d : documents) d.valid_from_ns = now_ns;
    if (auto put = ledger->put_documents(documents); !put) return put;
  }
  billing::ClosingServiceOptions options;
  options.ledger = config.ledger;
  options.closing.journals = config.journals;
  options.statements = config.statements_dir;
  options.mail = config.mail;
  options.notice = [](const std::string& what) { spdlog::warn("{}", what); };
  const billing::ClosingService closing(std::move(options));
  spdlog::info("billing of {} journals is ready", config.journals.size());
  int signal = 0;
  sigwait(&ends, &signal);
  spdlog::info("ending");
  return {};
}

}  // namespace anabranch::control
