// SPDX-License-Identifier: BSD-3-Clause
#include "control/api.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <charconv>

#include "billing/card_number.h"
#include "billing/statement_format.h"
#include "billing/wall_clock.h"
#include "control/api_calls.h"
#include "control/explain.h"
#include "control/json_reader.h"

namespace anabranch::control {
namespace {

using httplib::Request;
using httplib::Response;
using nlohmann::json;

constexpr size_t kBodyMax = 256 * 1024;
constexpr size_t kThreads = 4;  // beside those of listeners
constexpr auto kHeartbeat = std::chrono::seconds(5);
// What does not take what it is sent for so long is dropped.
constexpr time_t kWritePatience = 5;  // seconds
constexpr auto kPatience = std::chrono::seconds(30);

uint64_t id_of(const Request& request) {
  const std::string text = request.matches[1];
  uint64_t id = 0;
  std::from_chars(text.data(), text.data() + text.size(), id);
  return id;
}

// The header "Last-Event-ID"; nullopt: there is none.
tl::expected<std::optional<uint64_t>, Answer> number_in(const std::string& text) {
  if (text.empty()) return std::optional<uint64_t>();
  uint64_t number = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  if (read.ec == std::errc() && read.ptr == text.data() + text.size()) return number;
  return tl::unexpected(
      refuse(400, "Not understood", "Last-Event-ID is \"" + text + "\"; expected an event's id"));
}

// Runs `work` with a reply on the control thread and waits for the reply.
template <typename Work>
void wait_for_reply(Loop& loop, Response& response, Work work) {
  auto promise = std::make_shared<std::promise<Answer>>();
  auto future = promise->get_future();
  loop.post([promise, work] {
    work([promise](Answer answer) { promise->set_value(std::move(answer)); });
  });
  if (future.wait_for(kPatience) == std::future_status::ready) return write(response, future.get());
  write(response,
        refuse(504, "Not done in time", "the gateway is still at it; ask again for the state"));
}

void write_statement(Response& response, const tl::expected<std::string, std::string>& statement,
                     bool as_text) {
  if (!statement) return write(response, refuse(404, "No statement", statement.error()));
  response.set_content(*statement, as_text ? "text/plain; charset=utf-8" : "application/json");
}

json list_of(const std::vector<billing::StoredStatement>& statements) {
  json all = json::array();
  for (const billing::StoredStatement& s : statements) {
    const json d = json::parse(s.document, nullptr, false);
    json one{{"issuer", s.issuer}, {"number", s.name()}};
    for (const char* name : {"kind", "from", "to", "issued", "gross", "currency"})
      one[name] = d.value(name, "");
    all.push_back(std::move(one));
  }
  return all;
}

void write_issued(const Request& request, Response& response,
                  const std::vector<billing::StoredStatement>& statements,
                  const std::string& issuer, const std::string& number) {
  const std::string wanted =
      request.has_param("format") ? request.get_param_value("format") : "json";
  const auto format = billing::format_of(wanted);
  if (!format)
    return write(response,
                 refuse(400, "Unknown format",
                        "\"" + wanted + "\"; expected " + billing::listed(billing::kFormatNames)));
  const auto* found = billing::find_statement(statements, issuer, number);
  if (found == nullptr)
    return write(response, refuse(404, "Unknown statement",
                                  "no statement " + number + " of " + issuer + " is issued to it"));
  const auto made = billing::render(json::parse(found->document, nullptr, false), *format);
  if (!made) return write(response, refuse(422, "Not in this format", made.error()));
  response.set_content(*made, billing::media_type(*format));
}

bool wants_text(const Request& request) {
  return request.get_param_value("format") == "text";
}

}  // namespace

void write(Response& response, const Answer& answer) {
  response.status = answer.status;
  // What a client sent is quoted to it, and need not be UTF-8.
  response.set_content(answer.body.dump(2, ' ', false, json::error_handler_t::replace) + "\n",
                       answer.status >= 400 ? "application/problem+json" : "application/json");
}

std::optional<json> parse_body(const Request& request, Response& response) {
  auto body = parse_json(request.body);
  if (!body) {
    write(response, refuse(400, "Not JSON", body.error()));
    return std::nullopt;
  }
  if (const auto at = card_number_in(*body)) {
    write(response, refuse(422, "A card's number", "such numbers are neither taken nor kept",
                           {{*at, billing::kCardNumberRefused}}));
    return std::nullopt;
  }
  return std::move(*body);
}

Api::Api(Loop& loop, ApiTarget target)
    : loop_(loop), target_(std::move(target)), server_(std::make_unique<httplib::Server>()) {
  const size_t threads = kThreads + Feed::Limits().listeners;
  server_->new_task_queue = [threads] { return new httplib::ThreadPool(threads); };
  server_->set_write_timeout(kWritePatience);
  server_->set_payload_max_length(kBodyMax);
  server_->set_keep_alive_max_count(1);
  server_->set_error_handler([](const Request& request, Response& response) {
    if (!response.body.empty()) return;
    write(response, refuse(response.status, "Not understood",
                           request.method + " " + request.path +
                               " is not part of this API, or its body is too large"));
  });
  server_->set_exception_handler(
      [](const Request& request, Response& response, std::exception_ptr thrown) {
        std::string what = "unknown";
        try {
          std::rethrow_exception(thrown);
        } catch (const std::exception& e) {
          what = e.what();
        } catch (...) {
        }
        spdlog::error("api: {} {}: {}", request.method, request.path, what);
        write(response, refuse(500, "Internal error", "this is a fault of the gateway: " + what));
      });
  serve_services();
  serve_statements();
  serve_documents();
  serve_state();
  serve_events();
  serve_market();
  serve_shop();
  serve_payments();
}

Api::~Api() {
  stop();
}

// Whoever reaches the address, until the first token is stored.
tl::expected<Caller, Answer> Api::caller_of(const std::string& authorization) {
  const auto secret = secret_in(authorization);
  const std::string hash = secret ? hash_of_secret(*secret) : std::string();
  return loop_
      .call([this, hash]() -> tl::expected<Caller, Answer> {
        if (!target_.documents.has_tokens()) return Caller{};
        const Token* token = target_.documents.token(hash);
        if (token != nullptr) return Caller{token->role, token->client};
        return tl::unexpected(
            refuse(401, "Who is asking?",
                   hash.empty() ? "this gateway wants a token: Authorization: Bearer …"
                                : "the token is not one of this gateway's, or was revoked"));
      })
      .get();
}

void Api::serve(const std::string& operation, Handler handler) {
  const Operation& o = *find_operation(operation);
  const auto handle = [this, &o, handler](const Request& request, Response& response) {
    const auto caller = caller_of(request.get_header_value("Authorization"));
    if (!caller) {
      response.set_header("WWW-Authenticate", "Bearer");
      return write(response, caller.error());
    }
    if (!may_use(o, caller->role)) {
      return write(response, refuse(403, "Not for you",
                                    std::string("this is for ") + to_string(o.audience) +
                                        "; the token's role is " + to_string(caller->role)));
    }
    handler({request, response, *caller});
  };
  const std::string method = o.method, pattern = pattern_of(o);
  if (method == "GET") server_->Get(pattern, handle);
  if (method == "POST") server_->Post(pattern, handle);
  if (method == "PUT") server_->Put(pattern, handle);
  if (method == "DELETE") server_->Delete(pattern, handle);
}

// A client asks for itself alone.
std::optional<json> Api::request_of(const Call& call) {
  auto body = parse_body(call.request, call.response);
  if (!body) return std::nullopt;
  const json client = body->is_object() ? body->value("client", json()) : json();
  if (!client.is_string() || call.caller.is(client.get<std::string>())) return body;
  write(call.response, refuse(403, "Not for you", "the token is " + call.caller.client + "'s",
                              {{"/client", "expected \"" + call.caller.client + "\""}}));
  return std::nullopt;
}

// What is another's looks to a client as if it did not exist.
void Api::serve_services() {
  serve("requestService", [this](const Call& call) {
    const auto body = request_of(call);
    if (!body) return;
    wait_for_reply(loop_, call.response, [this, body](Services::Reply reply) {
      target_.services.request(*body, std::move(reply));
    });
  });
  serve("changeService", [this](const Call& call) {
    const auto body = request_of(call);
    if (!body) return;
    const uint64_t id = id_of(call.request);
    wait_for_reply(loop_, call.response,
                   [this, id, body, caller = call.caller](Services::Reply reply) {
                     target_.services.change(id, caller, *body, std::move(reply));
                   });
  });
  serve("listServices", [this](const Call& call) {
    write(call.response,
          loop_.call([this, caller = call.caller] { return target_.services.list(caller); }).get());
  });
  serve("showService", [this](const Call& call) {
    const uint64_t id = id_of(call.request);
    write(call.response,
          loop_.call([this, id, caller = call.caller] { return target_.services.show(id, caller); })
              .get());
  });
  // Thousands of decisions are tried for it: on this thread, not on the control thread.
  serve("explainService", [this](const Call& call) {
    const uint64_t id = id_of(call.request);
    auto inputs = loop_
                      .call([this, id, caller = call.caller] {
                        return target_.services.decision(id, caller);
                      })
                      .get();
    if (!inputs) return write(call.response, inputs.error());
    Explanation why = explain(decide(std::move(*inputs)));
    why.json["sentences"] = why.sentences;
    write(call.response, {200, why.json});
  });
  serve("endService", [this](const Call& call) {
    const uint64_t id = id_of(call.request);
    wait_for_reply(loop_, call.response, [this, id, caller = call.caller](Services::Reply reply) {
      target_.services.end(id, caller, std::move(reply));
    });
  });
}

bool Api::is_own_client(const Call& call) {
  const std::string id = call.word(1);
  const bool known =
      call.caller.is(id) &&
      loop_.call([this, id] { return target_.documents.client(id) != nullptr; }).get();
  if (!known)
    write(call.response, refuse(404, "Unknown client", "there is no client \"" + id + "\""));
  return known;
}

void Api::serve_statements() {
  serve("clientStatement", [this](const Call& call) {
    if (!is_own_client(call)) return;
    const std::string id = call.word(1);
    const bool text = wants_text(call.request);
    write_statement(call.response,
                    target_.books.open_statements(target_.books.client_account(id), text), text);
  });
  const auto issued = [this](const Call& call) {
    return target_.books.issued_statements(target_.books.client_account(call.word(1)));
  };
  serve("listStatements", [this, issued](const Call& call) {
    if (!is_own_client(call)) return;
    const auto all = issued(call);
    if (!all) return write(call.response, refuse(503, "No ledger", all.error()));
    write(call.response, {200, list_of(*all)});
  });
  serve("showStatement", [this, issued](const Call& call) {
    if (!is_own_client(call)) return;
    const auto all = issued(call);
    if (!all) return write(call.response, refuse(503, "No ledger", all.error()));
    write_issued(call.request, call.response, *all, call.word(2), call.word(3));
  });
  serve("clientBalance", [this](const Call& call) {
    if (!is_own_client(call)) return;
    const auto all = target_.books.balances(target_.books.client_account(call.word(1)));
    if (!all) return write(call.response, refuse(503, "No ledger", all.error()));
    json list = json::array();
    for (const billing::Balance& balance : *all) list.push_back(billing::to_json(balance));
    write(call.response, {200, list});
  });
  serve("houseStatement", [this](const Call& call) {
    const bool text = wants_text(call.request);
    write_statement(call.response,
                    target_.books.open_statements(target_.books.house_account(), text), text);
  });
  serve("flushUsage", [this](const Call& call) {
    wait_for_reply(loop_, call.response, [this](Services::Reply reply) {
      target_.flush([reply](const Books::Status& status) {
        reply(status ? Answer{200, {{"flushed", true}}}
                     : refuse(500, "Not flushed", status.error()));
      });
    });
  });
}

// A client's own: itself, and the profile, agreement and tariff that it has.
Answer Api::own_document(const Caller& caller, const std::string& kind, const std::string& id) {
  const Client* client = target_.documents.client(caller.client);
  const bool own = client != nullptr && ((kind == "clients" && id == client->id) ||
                                         (kind == "profiles" && id == client->profile) ||
                                         (kind == "slas" && id == client->sla && !id.empty()) ||
                                         (kind == "tariffs" && id == client->tariff));
  return own ? target_.documents.get(kind, id) : DocumentStore::missing(kind, id);
}

void Api::serve_documents() {
  serve("listDocuments", [this](const Call& call) {
    const std::string kind = call.word(1);
    write(call.response, loop_.call([this, kind] { return target_.documents.list(kind); }).get());
  });
  serve("showDocument", [this](const Call& call) {
    const std::string kind = call.word(1), id = call.word(2);
    write(call.response, loop_
                             .call([this, kind, id, caller = call.caller] {
                               return caller.role == Role::client ? own_document(caller, kind, id)
                                                                  : target_.documents.get(kind, id);
                             })
                             .get());
  });
  serve("putDocument", [this](const Call& call) {
    const auto body = parse_body(call.request, call.response);
    if (!body) return;
    const std::string kind = call.word(1), id = call.word(2);
    const Answer answer = loop_
                              .call([this, kind, id, body] {
                                return target_.documents.put(target_.books, kind, id, *body);
                              })
                              .get();
    if (answer.status == 200) target_.feed.publish("document-stored", {{"kind", kind}, {"id", id}});
    write(call.response, answer);
  });
}

void Api::serve_state() {
  serve("showPaths", [this](const Call& call) {
    write(call.response, loop_.call([this] { return target_.services.paths(); }).get());
  });
  serve("showRatings", [this](const Call& call) {
    write(call.response, loop_.call([this] { return target_.services.ratings(); }).get());
  });
  serve("showCounters", [this](const Call& call) {
    write(call.response, {200, loop_.call(target_.counters).get()});
  });
  serve("showStatus", [this](const Call& call) {
    write(call.response, {200, loop_.call(target_.status).get()});
  });
  serve("showQuotas", [this](const Call& call) {
    write(call.response, {200, loop_.call(target_.quotas).get()});
  });
  serve("reload",
        [this](const Call& call) { write(call.response, loop_.call(target_.reload).get()); });
  serve("describe", [](const Call& call) {
    write(call.response, {200, openapi(ANABRANCH_VERSION)});
  });
}

struct Api::Listening {
  std::unique_ptr<Feed::Listener> listener;
  Caller caller;
  std::string authorization;
  std::chrono::steady_clock::time_point checked;
};

// A token may be revoked while somebody listens with it.
bool Api::may_listen(Listening& listening) {
  const auto now = std::chrono::steady_clock::now();
  if (now - listening.checked < kHeartbeat) return true;
  listening.checked = now;
  const auto caller = caller_of(listening.authorization);
  return caller && caller->role == listening.caller.role &&
         caller->client == listening.caller.client;
}

void Api::serve_events() {
  serve("followEvents", [this](const Call& call) {
    const auto after = number_in(call.request.get_header_value("Last-Event-ID"));
    if (!after) return write(call.response, after.error());
    const auto listening = std::make_shared<Listening>(Listening{
        target_.feed.listen(call.caller, *after), call.caller,
        call.request.get_header_value("Authorization"), std::chrono::steady_clock::now()});
    if (!listening->listener) {
      return write(call.response, refuse(503, "Too many listen",
                                         "no more can follow what happens now; try again later"));
    }
    call.response.set_header("Cache-Control", "no-store");
    call.response.set_chunked_content_provider(
        "text/event-stream", [this, listening](size_t, httplib::DataSink& sink) {
          const auto text = listening->listener->next(kHeartbeat);
          if (!text || !may_listen(*listening)) {
            sink.done();
            return true;
          }
          const std::string sent = text->empty() ? ":\n\n" : *text;
          return sink.write(sent.data(), sent.size());
        });
  });
}

void Api::serve_market() {
  serve("listOrders", [this](const Call& call) {
    write(call.response, loop_.call([this] { return target_.market.orders(); }).get());
  });
  serve("listNegotiations",
        [this](const Call& call) { write(call.response, target_.market.negotiations()); });
  serve("showNegotiation", [this](const Call& call) {
    write(call.response, target_.market.negotiation(call.word(1)));
  });
}

// In TM Forum's words, which describe themselves.
void Api::serve_shop() {
  const auto handle = [this](const Request& request, Response& response) {
    const auto answer = [&](const negotiation::Reply& reply) {
      response.status = reply.status;
      std::string type = "application/json";
      for (const auto& [name, value] : reply.headers) {
        if (name == "Content-Type")
          type = value;
        else
          response.set_header(name, value);
      }
      response.set_content(reply.body, type);
    };
    const auto caller = caller_of(request.get_header_value("Authorization"));
    if (!caller) {
      response.set_header("WWW-Authenticate", "Bearer");
      return answer(negotiation::error_reply(401, "unauthenticated", "a client's token is needed"));
    }
    if (caller->role != Role::client)
      return answer(
          negotiation::error_reply(403, "forbidden", "only clients buy, by their tokens"));
    if (!target_.shop.is_open())
      return answer(negotiation::error_reply(404, "notFound", "nothing is for sale here"));
    negotiation::Asked asked{.buyer = caller->client, .method = request.method};
    asked.path = request.matches[1];
    for (const auto& [name, value] : request.params) asked.query[name] = value;
    asked.body = request.body;
    asked.now_ns = billing::wall_now_ns();
    answer(loop_.call([this, asked] { return target_.shop.handle(asked); }).get());
  };
  const char* const kAll = "/tmf-api(/.*)";
  server_->Get(kAll, handle);
  server_->Post(kAll, handle);
  server_->Patch(kAll, handle);
}

tl::expected<void, std::string> Api::start(const Endpoint& listen) {
  if (!server_->bind_to_port(to_string(listen.address).c_str(), listen.port)) {
    return tl::unexpected("api: cannot listen on " + to_string(listen) + ": " +
                          std::strerror(errno));
  }
  thread_ = std::thread([this] { server_->listen_after_bind(); });
  return {};
}

void Api::stop() {
  if (!thread_.joinable()) return;
  target_.feed.stop();  // or threads would go on sending
  server_->stop();
  thread_.join();
}

}  // namespace anabranch::control
