// SPDX-License-Identifier: BSD-3-Clause
// The configuration read again while the gateway runs: all that is wrong is told and nothing
// changes, or what may change does.
#include <spdlog/spdlog.h>

#include <sstream>

#include "control/gateway.h"
#include "control/toml_file.h"

namespace anabranch::control {
namespace {

using nlohmann::json;

Answer not_reloaded(const std::string& mistakes) {
  std::istringstream lines(mistakes);
  FieldErrors errors;
  for (std::string line; std::getline(lines, line);) {
    spdlog::error("not reloaded: {}", line);
    errors.push_back({"", line});
  }
  return refuse(422, "Configuration has mistakes", "what was in force stays so", errors);
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

}  // namespace

Answer Gateway::reload() {
  const auto text = read_whole(config_.file, "the gateway's configuration");
  if (!text) return not_reloaded(text.error());
  const auto config = parse_config(*text, config_.file);
  if (!config) return not_reloaded(config.error());
  auto documents = DocumentStore::read(config->documents_dir);
  if (!documents) return not_reloaded(documents.error());
  if (const std::string wrong = documents->unpriced(*config); !wrong.empty())
    return not_reloaded(wrong);
  if (const auto stored = documents->add_stored(*books_); !stored)
    return refuse(500, "Not stored", stored.error());

  ConfigFields fields = fields_of(*text);
  const ConfigChanges changes = changes_between(fields_, fields);
  apply_changes(config_, *config);
  topology_->config_has_changed();
  // What needs a restart is told again until there was one.
  for (const std::string& name : changes.need_restart) {
    fields.erase(name);
    if (const auto was = fields_.find(name); was != fields_.end()) fields.insert(*was);
  }
  fields_ = std::move(fields);
  const std::vector<std::string> changed = documents_.replace_by(std::move(*documents));
  for (const std::string& document : changed) {
    const size_t slash = document.find('/');
    feed_->publish("document-stored",
                   {{"kind", document.substr(0, slash)}, {"id", document.substr(slash + 1)}});
  }
  spdlog::info("reloaded {}; changed: {}; documents: {}", config_.file, joined(changes.applied),
               joined(changed));
  if (!changes.need_restart.empty())
    spdlog::warn("changed, and needs a restart: {}", joined(changes.need_restart));
  return {200,
          {{"applied", changes.applied},
           {"documents", changed},
           {"needs_restart", changes.need_restart}}};
}

}  // namespace anabranch::control
