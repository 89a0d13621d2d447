// SPDX-License-Identifier: BSD-3-Clause
// The command line: everything an operator or a client does, over the API, or from the files of
// this machine (tools/journal.h). Exit status: 0 done; 1 the gateway refused (its reason is
// printed); 2 wrong arguments; 3 the gateway cannot be reached.
#include <CLI/CLI.hpp>

#include <fmt/format.h>
#include <httplib.h>

#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>

#include "control/access.h"
#include "control/document_schemas.h"
#include "control/octets.h"
#include "control/tls/identity.h"
#include "tools/bill.h"
#include "tools/completion.h"
#include "tools/events.h"
#include "tools/journal.h"
#include "tools/ledger.h"
#include "tools/replay.h"

namespace {

using nlohmann::json;

constexpr int kRefused = 1, kUsage = 2, kUnreachable = 3;

struct Options {
  std::string api = "http://127.0.0.1:8080";
  std::string token;  // the secret; empty: none
  bool as_json = false;
};

// One call of the API; ends the program with a line that says why when it does not succeed.
class Client {
 public:
  explicit Client(const Options& options) : options_(options), http_(options.api) {
    http_.set_connection_timeout(5);
    http_.set_read_timeout(40);
    if (!options.token.empty()) http_.set_bearer_token_auth(options.token);
  }
  json get(const std::string& path) { return parsed(http_.Get(path), path); }
  std::string get_text(const std::string& path) { return checked(http_.Get(path), path); }
  json post(const std::string& path, const json& body) {
    return parsed(http_.Post(path, body.dump(), "application/json"), path);
  }
  json put(const std::string& path, const json& body) {
    return parsed(http_.Put(path, body.dump(), "application/json"), path);
  }
  json remove(const std::string& path) { return parsed(http_.Delete(path), path); }

 private:
  std::string checked(const httplib::Result& result, const std::string& path) {
    if (!result) {
      fmt::print(stderr,
                 "anabranch: {}{} cannot be reached: {}; is anabranchd running, and is --api its "
                 "address?\n",
                 options_.api, path, httplib::to_string(result.error()));
      std::exit(kUnreachable);
    }
    if (result->status >= 400) refused(*result);
    return result->body;
  }
  json parsed(const httplib::Result& result, const std::string& path) {
    return json::parse(checked(result, path), nullptr, false);
  }

  [[noreturn]] void refused(const httplib::Response& response) {
    const json problem = json::parse(response.body, nullptr, false);
    if (options_.as_json || !problem.is_object()) {
      fmt::print(stderr, "{}\n", response.body);
      std::exit(kRefused);
    }
    fmt::print(stderr, "anabranch: {}: {}\n", problem.value("title", "refused"),
               problem.value("detail", ""));
    for (const json& e : problem.value("errors", json::array())) {
      const std::string at = e.value("pointer", "");
      fmt::print(stderr, "  {}{}{}\n", at, at.empty() ? "" : ": ", e.value("detail", ""));
    }
    for (const json& f : problem.value("nearest", json::object()).value("fields", json::array()))
      fmt::print(stderr, "  {}: {} was asked for; {} could be met\n", f.value("pointer", ""),
                 plain(f["asked"]), plain(f["possible"]));
    std::exit(kRefused);
  }
  static std::string plain(const json& value) {
    return value.is_string() ? value.get<std::string>() : value.dump();
  }

  const Options& options_;
  httplib::Client http_;
};

// As the API answered, or for people.
void show(const json& answer, const Options& options, void (*print)(const json&)) {
  if (options.as_json) return fmt::print("{}\n", answer.dump(2));
  print(answer);
}

// A command that shows what is at `path`.
void add_view(CLI::App& app, Options& options, const char* name, const char* what, const char* path,
              void (*print)(const json&)) {
  app.add_subcommand(name, what)->callback([&options, path, print] {
    show(Client(options).get(path), options, print);
  });
}

double mbits(const json& bps) {
  return bps.get<double>() / 1e6;
}

void print_service(const json& service) {
  fmt::print("service {} of client {}: {}\n", service["id"].get<uint64_t>(),
             service.value("client", ""), service.value("state", ""));
  if (!service.contains("scenario")) return;
  const json& s = service["scenario"];
  fmt::print("  scenario    segmentation by {}, {} dispersion, assemblage: {}\n",
             s.value("segmentation", ""), s.value("dispersion", ""), s.value("assemblage", ""));
  for (const json& share : s["shares"]) {
    fmt::print("  path        {:<10} {:<12} {:5.1f} % up, {:5.1f} % down\n",
               share.value("path", ""), share.value("provider", ""),
               share["weight_up"].get<double>() / 655.35,
               share["weight_down"].get<double>() / 655.35);
  }
  const json& e = s["expected"];
  fmt::print(
      "  expected    {:.1f} Mbit/s up, {:.1f} down, {:.0f} ms one way, {:.2f} % loss, {} {}/GB\n",
      mbits(e["goodput_up_bps"]), mbits(e["goodput_down_bps"]), e["latency_ms"].get<double>(),
      e["loss_percent"].get<double>(), e.value("price_per_gb", ""), e.value("currency", ""));
  fmt::print("  available   {:.3f} % of the time; {:.3f} % risk of less than was asked for\n",
             e["availability_percent"].get<double>(), e["risk_percent"].get<double>());
  for (const json& reason : s["reasons"])
    fmt::print("  because     {}\n", reason.get<std::string>());
  const auto money = [](const json& m) {
    return m.value("amount", "") + " " + m.value("currency", "");
  };
  if (service.contains("expected_price"))
    fmt::print("  price       about {} for {}\n", money(service["expected_price"]),
               service["request"].value("volume", ""));
  if (service.contains("spent"))
    fmt::print("  spent       {} of {}\n", money(service["spent"]),
               service["request"].value("budget", ""));
  if (service.value("state", "") == "scheduled")
    fmt::print("  begins      {}\n", service["request"].value("start", ""));
  if (service.contains("until")) fmt::print("  ends        {}\n", service.value("until", ""));
  if (service.contains("note")) fmt::print("  note        {}\n", service.value("note", ""));
}

void print_paths(const json& paths) {
  fmt::print("{:<12} {:<14} {:<9} {:>9} {:>14} {:>9} {:>9} {:>7} {:>14} {:>13}\n", "path",
             "provider", "state", "RTT ms", "queue up/down", "loss up", "loss down", "rating",
             "rate up/down", "sending");
  for (const json& p : paths) {
    fmt::print(
        "{:<12} {:<14} {:<9} {:>9.2f} {:>9.1f}/{:<4.1f} {:>7.2f} % {:>7.2f} % {:>7.1f} "
        "{:>7.0f}/{:<6.0f} "
        "{:>6.1f} Mbit/s\n",
        p.value("name", ""), p.value("provider", ""), p.value("state", ""),
        p["rtt_ms"].get<double>(), p["queue_up_ms"].get<double>(), p["queue_down_ms"].get<double>(),
        p["loss_up_percent"].get<double>(), p["loss_down_percent"].get<double>(),
        p["rating"].get<double>(), mbits(p["rate_up_bps"]), mbits(p["rate_down_bps"]),
        mbits(p["delivered_bps"]));
  }
}

json read_json_file(const std::string& file) {
  std::ifstream in(file);
  std::ostringstream text;
  text << in.rdbuf();
  try {
    if (!in) throw std::runtime_error("cannot be read");
    return json::parse(text.str());
  } catch (const std::exception& error) {
    fmt::print(stderr, "anabranch: {}: {}\n", file, error.what());
    std::exit(kUsage);
  }
}

struct RequestOptions {
  std::string file, client, source, destination, protocol, ports, rate_up, rate_down, price, key,
      volume, budget, start, until, duration;
  std::optional<int> dscp;
  std::optional<double> latency, loss;
};

json request_document(const RequestOptions& r) {
  if (!r.file.empty()) return read_json_file(r.file);
  json rule{{"source", r.source}};
  if (!r.destination.empty()) rule["destination"] = r.destination;
  if (!r.protocol.empty()) rule["protocol"] = r.protocol;
  if (!r.ports.empty()) rule["destination_ports"] = r.ports;
  if (r.dscp) rule["dscp"] = *r.dscp;
  json document{{"client", r.client}, {"traffic", {rule}}};
  if (r.latency) document["latency_ms_max"] = *r.latency;
  if (r.loss) document["loss_percent_max"] = *r.loss;
  for (const auto& [field, text] : {std::pair{"rate_up", r.rate_up},
                                    {"rate_down", r.rate_down},
                                    {"price_per_gb_max", r.price},
                                    {"key", r.key},
                                    {"volume", r.volume},
                                    {"budget", r.budget},
                                    {"start", r.start},
                                    {"until", r.until},
                                    {"duration", r.duration}}) {
    if (!text.empty()) document[field] = text;
  }
  return document;
}

std::shared_ptr<RequestOptions> request_options(CLI::App& sub) {
  auto r = std::make_shared<RequestOptions>();
  auto* file =
      sub.add_option("--file", r->file, "the request as JSON, instead of the options below");
  auto* client = sub.add_option("--client", r->client, "who asks, and pays");
  sub.add_option("--from", r->source, "the client's prefix")->needs(client);
  sub.add_option("--to", r->destination, "destination prefix; default: everything behind the peer");
  sub.add_option("--protocol", r->protocol, "tcp, udp or icmp");
  sub.add_option("--ports", r->ports, "destination ports, such as 80 or 1000-2000");
  sub.add_option("--dscp", r->dscp, "0 to 63");
  sub.add_option("--rate-up", r->rate_up, "wanted at least, such as \"50 Mbit/s\"");
  sub.add_option("--rate-down", r->rate_down, "wanted at least");
  sub.add_option("--latency-ms", r->latency, "at most, one way");
  sub.add_option("--loss-percent", r->loss, "at most");
  sub.add_option("--price-per-gb", r->price, "at most");
  sub.add_option("--volume", r->volume, "expected, both ways together, such as \"500 GB\"");
  sub.add_option("--budget", r->budget, "it ends by itself when it has cost as much");
  sub.add_option("--start", r->start, "when it begins, such as 2026-12-31T18:00:00Z; default: now");
  auto* until = sub.add_option("--until", r->until, "when it ends by itself");
  sub.add_option("--duration", r->duration, "or after how long, such as \"8 h\"")->excludes(until);
  sub.add_option("--key", r->key, "asked for twice with the same key, it is one service");
  file->excludes(client);
  return r;
}

void need_request(const RequestOptions& r, const char* command) {
  if (r.file.empty() && (r.client.empty() || r.source.empty()))
    throw CLI::ValidationError(command, "expected --file, or --client and --from");
}

void add_request(CLI::App& app, Options& options) {
  auto* sub = app.add_subcommand("request", "ask for a service; done when it is in force");
  sub->callback([r = request_options(*sub), &options] {
    need_request(*r, "request");
    show(Client(options).post("/v1/services", request_document(*r)), options, print_service);
  });
  auto* change = app.add_subcommand(
      "change",
      "ask for a service otherwise, as a whole: what is not named is not wanted any more");
  auto id = std::make_shared<uint64_t>();
  change->add_option("id", *id, "the service")->required();
  change->callback([r = request_options(*change), id, &options] {
    need_request(*r, "change");
    show(Client(options).put("/v1/services/" + std::to_string(*id), request_document(*r)), options,
         print_service);
  });
}

void add_services(CLI::App& app, Options& options) {
  add_view(app, options, "services", "services in force", "/v1/services", [](const json& services) {
    for (const json& service : services) print_service(service);
  });
  auto* end = app.add_subcommand("end", "end a service; done when its last octet is journaled");
  auto id = std::make_shared<uint64_t>();
  end->add_option("id", *id, "the service")->required();
  end->callback([id, &options] {
    const json service = Client(options).remove("/v1/services/" + std::to_string(*id));
    if (options.as_json) return fmt::print("{}\n", service.dump(2));
    fmt::print("service {} is ended; {} octets were carried; they will be on a statement\n", *id,
               service["octets"].get<uint64_t>());
  });
}

void add_explain(CLI::App& app, Options& options) {
  auto* sub = app.add_subcommand("explain",
                                 "why a service's scenario is preferred, and what "
                                 "would change that");
  auto id = std::make_shared<uint64_t>();
  sub->add_option("id", *id, "the service")->required();
  sub->callback([id, &options] {
    const json why = Client(options).get("/v1/services/" + std::to_string(*id) + "/explanation");
    if (options.as_json) return fmt::print("{}\n", why.dump(2));
    for (const json& sentence : why["sentences"]) fmt::print("{}\n", sentence.get<std::string>());
  });
}

void print_ratings(const json& ratings) {
  for (const char* kind : {"providers", "networks", "links"}) {
    fmt::print("{:<20} {:>7} {:>11}", kind, "rating", "confidence");
    for (const char* window : {"1 s", "1 min", "1 h", "30 d"}) fmt::print(" {:>7}", window);
    fmt::print("\n");
    for (const json& rated : ratings[kind]) {
      fmt::print("{:<20} {:>7.1f} {:>9.0f} %", rated.value("name", ""),
                 rated["rating"].get<double>(), 100 * rated["confidence"].get<double>());
      for (const json& window : rated["windows"])
        fmt::print(" {:>7.1f}", window["rating"].get<double>());
      fmt::print("\n");
    }
  }
}

void print_quotas(const json& quotas) {
  using anabranch::control::rounded_octets_text;
  fmt::print("{:<20} {:<20} {:>12} {:>12} {:>6} {:>14} {:<8} {}\n", "quota", "of", "used", "left",
             "", "at the end", "state", "cycle ends");
  for (const json& q : quotas) {
    std::string of;
    for (const char* what : {"uplink", "network", "provider"}) {
      if (q.contains(what)) of = std::string(what) + " " + q[what].get<std::string>();
    }
    const auto octets = [&](const char* name) {
      return rounded_octets_text(q[name].get<uint64_t>());
    };
    fmt::print("{:<20} {:<20} {:>12} {:>12} {:>4} % {:>14} {:<8} {}\n", q.value("id", ""), of,
               octets("used"), octets("left"), q["percent"].get<uint64_t>(), octets("projected"),
               q.value("state", ""), q.value("cycle_end", ""));
  }
}

void print_orders(const json& orders) {
  fmt::print("{:<16} {:<12} {:<12} {:>10} {:<21} {:<21} {}\n", "provider", "order", "for client",
             "Mbit/s", "from", "until", "price");
  for (const json& o : orders) {
    std::string price;
    for (const json& p : o["prices"]) {
      price += (price.empty() ? "" : " + ") + p.value("amount", "") + " " +
               o.value("currency", "") + (p["per"] == "once" ? " once" : "/" + p.value("per", ""));
    }
    fmt::print("{:<16} {:<12} {:<12} {:>10} {:<21} {:<21} {}{}\n", o.value("provider", ""),
               o.value("order", ""), o.value("client", ""), o["bandwidth_mbps"].get<uint64_t>(),
               o.value("from", ""), o.value("until", ""), price,
               o["state"] == "reserved" ? " (reserved)" : "");
  }
}

void print_negotiation(const json& n) {
  fmt::print("{} for {}: {}, {}\n", n.value("id", ""), n.value("client", ""), n.value("state", ""),
             n.value("began", ""));
  for (const json& told : n.value("told", json::array()))
    fmt::print("  {}\n", told.value("what", ""));
  for (const json& e : n.value("exchanges", json::array())) {
    fmt::print("  {} {:<14} {} {} {}\n", e.value("ended", ""), e.value("provider", ""),
               e.value("method", ""), e.value("path", ""),
               e["status"] == 0 ? e.value("failure", "") : e["status"].dump());
  }
}

void add_market(CLI::App& app, Options& options) {
  add_view(app, options, "orders", "what is ordered of other providers", "/v1/orders",
           print_orders);
  auto* sub = app.add_subcommand("negotiations",
                                 "who was asked, who won and why; or every exchange of one");
  auto id = std::make_shared<std::string>();
  sub->add_option("id", *id, "one of them");
  sub->callback([id, &options] {
    const json answer = Client(options).get("/v1/negotiations" + (id->empty() ? "" : "/" + *id));
    if (options.as_json) return fmt::print("{}\n", answer.dump(2));
    for (const json& one : id->empty() ? answer : json::array({answer})) print_negotiation(one);
  });
}

void add_statements(CLI::App& app, Options& options) {
  const auto print = [&options](const std::string& path) {
    fmt::print("{}", Client(options).get_text(path + (options.as_json ? "" : "?format=text")));
  };
  auto* statement =
      app.add_subcommand("statement", "what of a client is not on an issued statement yet");
  auto client = std::make_shared<std::string>();
  statement->add_option("client", *client, "the client's id")->required();
  statement->callback([print, client] { print("/v1/statements/clients/" + *client); });
  app.add_subcommand("house", "the same of what belongs to no client")->callback([print] {
    print("/v1/statements/house");
  });
  app.add_subcommand("flush", "journal what was used until now")->callback([&options] {
    Client(options).post("/v1/usage/flush", json::object());
  });
}

CLI::IsMember any_kind() {
  const auto& kinds = anabranch::control::kDocumentKinds;
  return CLI::IsMember(std::vector<std::string>(kinds.begin(), kinds.end()));
}

void add_schema(CLI::App& app) {
  auto* sub = app.add_subcommand("schema", "the JSON Schema of a kind of document");
  auto kind = std::make_shared<std::string>();
  sub->add_option("kind", *kind, "which")->required()->check(any_kind());
  sub->callback([kind] { fmt::print("{}\n", anabranch::control::document_schema(*kind).dump(2)); });
}

void add_reload(CLI::App& app, Options& options) {
  app.add_subcommand("reload", "read the configuration and its documents again")
      ->callback([&options] {
        const json done = Client(options).post("/v1/reload", json::object());
        if (options.as_json) return fmt::print("{}\n", done.dump(2));
        for (const auto& [what, words] :
             {std::pair{"applied", "in force:"}, std::pair{"documents", "documents in force:"},
              std::pair{"needs_restart", "needs a restart:"}}) {
          if (done[what].empty()) continue;
          fmt::print("{:<20}", words);
          for (const json& name : done[what]) fmt::print(" {}", name.get<std::string>());
          fmt::print("\n");
        }
      });
}

void add_state(CLI::App& app, Options& options) {
  add_view(app, options, "paths", "paths, measurements, ratings", "/v1/paths", print_paths);
  add_view(app, options, "ratings", "links, networks and providers, rated over four windows",
           "/v1/ratings", print_ratings);
  add_view(app, options, "quotas", "what of each quota is used, and will be at its cycle's end",
           "/v1/quota-usage", print_quotas);
  for (const auto& [name, what] :
       {std::pair{"counters", "packets by where they ended"},
        std::pair{"status", "the gateway and its session with the peer"}}) {
    app.add_subcommand(name, what)->callback([&options, path = std::string("/v1/") + name] {
      fmt::print("{}\n", Client(options).get(path).dump(2));
    });
  }
  add_reload(app, options);
  auto* put = app.add_subcommand("put", "store a document");
  auto kind = std::make_shared<std::string>();
  auto file = std::make_shared<std::string>();
  put->add_option("kind", *kind, "what it is")->required()->check(any_kind());
  put->add_option("file", *file, "the document (JSON)")->required();
  put->callback([kind, file, &options] {
    const json document = read_json_file(*file);
    if (!document.is_object() || !document.contains("id") || !document["id"].is_string()) {
      throw CLI::ValidationError(*file, "the document has no id");
    }
    Client(options).put("/v1/" + *kind + "/" + document["id"].get<std::string>(), document);
  });
}

// The secret is made here and printed once; the gateway gets its hash alone.
void add_token(CLI::App& app, Options& options) {
  struct Wanted {
    std::string id, role, client;
    bool revoke = false;
  };
  auto* sub = app.add_subcommand("token", "make a token for the API, or revoke one");
  auto wanted = std::make_shared<Wanted>();
  sub->add_option("id", wanted->id, "its name, by which it is revoked")->required();
  auto* role = sub->add_option("--role", wanted->role, "operator, auditor or client")
                   ->check(CLI::IsMember({"operator", "auditor", "client"}));
  sub->add_option("--client", wanted->client, "whose, for the role client");
  auto* revoke = sub->add_flag("--revoke", wanted->revoke, "nobody gets in with it any more");
  role->excludes(revoke);
  sub->callback([wanted, &options] {
    const std::string path = "/v1/tokens/" + wanted->id;
    Client gateway(options);
    if (wanted->revoke) {
      json document = gateway.get(path);
      document["revoked"] = true;
      gateway.put(path, document);
      return;
    }
    if (wanted->role.empty()) throw CLI::ValidationError("token", "expected --role or --revoke");
    const std::string secret = anabranch::control::make_secret();
    json document{{"id", wanted->id},
                  {"role", wanted->role},
                  {"sha256", anabranch::control::hash_of_secret(secret)}};
    if (!wanted->client.empty()) document["client"] = wanted->client;
    gateway.put(path, document);
    if (options.as_json)
      fmt::print("{}\n", json{{"id", wanted->id}, {"secret", secret}}.dump(2));
    else
      fmt::print("{}\n", secret);
  });
}

void add_keygen(CLI::App& app) {
  struct Wanted {
    std::string name, folder = ".";
    int days = 3650;
  };
  auto* sub = app.add_subcommand("keygen", "make a gateway's key and certificate");
  auto wanted = std::make_shared<Wanted>();
  sub->add_option("name", wanted->name, "the gateway's name, as in gateway.name")->required();
  sub->add_option("--folder", wanted->folder, "where NAME.key and NAME.crt go")
      ->capture_default_str();
  sub->add_option("--days", wanted->days, "how long the certificate is valid")
      ->check(CLI::Range(1, 36500))
      ->capture_default_str();
  sub->callback([wanted] {
    const auto made = anabranch::control::make_identity(wanted->name, wanted->folder, wanted->days);
    if (!made) {
      fmt::print(stderr, "anabranch: {}\n", made.error());
      std::exit(kRefused);
    }
    fmt::print(
        "{}/{}.key is to stay here, and secret; {}.crt is what the peer sees. At the peer:\n"
        "fingerprint = \"{}\"\n",
        wanted->folder, wanted->name, wanted->name, *made);
  });
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app{"Asks a gateway for service, and shows what it does and what it costs."};
  app.add_option("--api", options.api, "the gateway's API")
      ->envname("ANABRANCH_API")
      ->capture_default_str();
  app.add_option("--token", options.token,
                 "the secret that `anabranch token` printed; better in the environment, where "
                 "others do not see it")
      ->envname("ANABRANCH_TOKEN");
  app.add_flag("--json", options.as_json, "print what the API answers");
  app.set_version_flag("--version", ANABRANCH_VERSION);
  app.require_subcommand(1);
  app.fallthrough();
  add_request(app, options);
  add_services(app, options);
  add_explain(app, options);
  add_market(app, options);
  add_statements(app, options);
  add_state(app, options);
  add_token(app, options);
  add_keygen(app);
  anabranch::tools::add_journal(app, options.as_json);
  anabranch::tools::add_ledger(app, options.as_json);
  anabranch::tools::add_bill(app, options.as_json);
  anabranch::tools::add_replay(app, options.as_json);
  anabranch::tools::add_events(app, options.api, options.token, options.as_json);
  add_schema(app);
  anabranch::tools::add_completion(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kUsage;
  }
  return 0;
}
