// SPDX-License-Identifier: BSD-3-Clause
#include "tools/completion.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <set>

#include "tools/common.h"

namespace anabranch::tools {
namespace {

struct CompletedWord {
  std::string word, what;
};
struct CompletedOption {
  std::vector<std::string> names;    // "--role", "-r"
  std::vector<std::string> choices;  // of its value
  std::string what;
  bool takes_value = false;
};
struct CompletedCommand {
  std::string path;  // "bill preview"; empty: the program
  std::vector<CompletedWord> subcommands;
  std::vector<CompletedOption> options;  // the program's as well: they may stand anywhere
  std::vector<std::string> choices;      // of what has no name
};

// "{operator,auditor,client}" out of "TEXT:{operator,auditor,client}", as CLI::IsMember says it.
std::vector<std::string> choices_in(const std::string& type) {
  const size_t begin = type.find('{'), end = type.find('}');
  std::vector<std::string> choices;
  if (begin == std::string::npos || end == std::string::npos) return choices;
  for (const std::string& word : CLI::detail::split(type.substr(begin + 1, end - begin - 1), ','))
    choices.push_back(word);
  return choices;
}

void add_options(const CLI::App& app, CompletedCommand& command) {
  for (const CLI::Option* o : app.get_options()) {
    const auto choices = choices_in(o->get_type_name());
    if (o->get_positional()) {
      command.choices.insert(command.choices.end(), choices.begin(), choices.end());
      continue;
    }
    CompletedOption option{.choices = choices,
                           .what = o->get_description(),
                           .takes_value = o->get_items_expected_max() > 0};
    for (const std::string& name : o->get_lnames()) option.names.push_back("--" + name);
    for (const std::string& name : o->get_snames()) option.names.push_back("-" + name);
    command.options.push_back(std::move(option));
  }
}

void collect(const CLI::App& app, const CLI::App& root, const std::string& path,
             std::vector<CompletedCommand>& commands) {
  CompletedCommand command{.path = path};
  add_options(app, command);
  if (&app != &root) add_options(root, command);
  for (const CLI::App* sub : app.get_subcommands({}))
    command.subcommands.push_back({sub->get_name(), sub->get_description()});
  commands.push_back(std::move(command));
  for (const CLI::App* sub : app.get_subcommands({}))
    collect(*sub, root, path + (path.empty() ? "" : " ") + sub->get_name(), commands);
}

// In single quotes; no shell looks at what is within.
std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

std::string joined(const std::vector<std::string>& words, const char* between) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : between) + word;
  return text;
}

std::vector<std::string> words_of(const CompletedCommand& c) {
  std::vector<std::string> words = c.choices;
  for (const CompletedWord& sub : c.subcommands) words.push_back(sub.word);
  std::set<std::string> seen;
  for (const CompletedOption& o : c.options) {
    for (const std::string& name : o.names) {
      if (seen.insert(name).second) words.push_back(name);
    }
  }
  return words;
}

// bash, and zsh by way of its bashcompinit, where `path` and `words` are taken. `at` is the command
// so far, by the words before the cursor; what is an option's value is no command.
std::string bash_script(const std::vector<CompletedCommand>& commands) {
  std::string paths, values, given, words;
  for (const CompletedCommand& c : commands) {
    if (!c.path.empty()) paths += (paths.empty() ? "" : "|") + quoted(c.path);
    for (const CompletedOption& o : c.options) {
      if (!o.takes_value) continue;
      std::vector<std::string> patterns;
      for (const std::string& name : o.names) patterns.push_back(quoted(c.path + " " + name));
      values += (values.empty() ? "" : "|") + joined(patterns, "|");
      given += fmt::format("    {}) offered={} ;;\n", joined(patterns, "|"),
                           quoted(joined(o.choices, " ")));
    }
    words +=
        fmt::format("    {}) offered={} ;;\n", quoted(c.path), quoted(joined(words_of(c), " ")));
  }
  return fmt::format(R"(_anabranch() {{
  local cur="${{COMP_WORDS[COMP_CWORD]}}" prev="${{COMP_WORDS[COMP_CWORD-1]}}" at= offered= word next i value=
  for ((i = 1; i < COMP_CWORD; ++i)); do
    word="${{COMP_WORDS[i]}}"
    if [[ -n $value ]]; then value=; continue; fi
    case "$at $word" in
    {}) value=1; continue ;;
    esac
    next="$at${{at:+ }}$word"
    case "$next" in
    {}) at="$next" ;;
    esac
  done
  if [[ -n $value ]]; then
    case "$at $prev" in
{}    esac
  else
    case "$at" in
{}    esac
  fi
  COMPREPLY=()
  for word in $offered; do
    if [[ $word == "$cur"* ]]; then COMPREPLY+=("$word"); fi
  done
}}
)",
                     values, paths, given, words);
}

std::string fish_words(const CompletedCommand& c, const std::string& here) {
  const std::string when = fmt::format("complete -c anabranch -n {}", quoted(here));
  std::string text;
  for (const CompletedWord& sub : c.subcommands)
    text += fmt::format("{} -f -a {} -d {}\n", when, sub.word, quoted(sub.what));
  if (!c.choices.empty())
    text += fmt::format("{} -f -a {}\n", when, quoted(joined(c.choices, " ")));
  for (const CompletedOption& o : c.options) {
    std::string line = when;
    for (const std::string& name : o.names)
      line += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
    if (o.takes_value) line += " -r";
    if (!o.choices.empty()) line += " -f -a " + quoted(joined(o.choices, " "));
    text += line + " -d " + quoted(o.what) + "\n";
  }
  return text;
}

std::string fish_script(const std::vector<CompletedCommand>& commands) {
  std::string paths, values, text;
  for (const CompletedCommand& c : commands) {
    paths += c.path.empty() ? "" : " " + quoted(c.path);
    for (const CompletedOption& o : c.options) {
      for (const std::string& name : o.names)
        values += o.takes_value ? " " + quoted(c.path + " " + name) : "";
    }
  }
  text = fmt::format(R"(function __anabranch_is
  set -l path ''
  set -l value ''
  for word in (commandline -opc)[2..-1]
    if test -n "$value"
      set value ''
      continue
    end
    if contains -- "$path $word"{}
      set value 1
      continue
    end
    set -l next (string trim -- "$path $word")
    contains -- "$next"{} && set path $next
  end
  test "$path" = "$argv[1]"
end
)",
                     values, paths);
  for (const CompletedCommand& c : commands)
    text += fish_words(c, "__anabranch_is \"" + c.path + "\"");
  return text;
}

std::string script_for(const std::string& shell, const CLI::App& app) {
  std::vector<CompletedCommand> commands;
  collect(app, app, "", commands);
  if (shell == "fish") return fish_script(commands);
  const std::string bash = bash_script(commands) + "complete -o default -F _anabranch anabranch\n";
  if (shell == "bash") return bash;
  return "autoload -U +X bashcompinit && bashcompinit\n" + bash;
}

}  // namespace

void add_completion(CLI::App& app) {
  auto* sub = app.add_subcommand("completion", "a script that completes words in a shell");
  auto shell = std::make_shared<std::string>();
  sub->add_option("shell", *shell, "which")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  sub->callback([shell, &app] { fmt::print("{}", script_for(*shell, app)); });
}

}  // namespace anabranch::tools
