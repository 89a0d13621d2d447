// SPDX-License-Identifier: BSD-3-Clause
#include "control/api.h"

#include <httplib.h>
#include <spdlog/spdlog.h>

#include <charconv>

#include "control/json_reader.h"

namespace anabranch::control {
namespace {

using httplib::Request;
using httplib::Response;
using nlohmann::json;

constexpr size_t kBodyMax = 256 * 1024;
constexpr size_t kThreads = 4;
constexpr auto kPatience = std::chrono::seconds(30);

void write(Response& response, const Answer& answer) {
  response.status = answer.status;
  // What a client sent is quoted to it, and need not be UTF-8.
  response.set_content(answer.body.dump(2, ' ', false, json::error_handler_t::replace) + "\n",
                       answer.status >= 400 ? "application/problem+json" : "application/json");
}

std::optional<json> parse_body(const Request& request, Response& response) {
  auto body = parse_json(request.body);
  if (body) return std::move(*body);
  write(response, refuse(400, "Not JSON", body.error()));
  return std::nullopt;
}

uint64_t id_of(const Request& request) {
  const std::string text = request.matches[1];
  uint64_t id = 0;
  std::from_chars(text.data(), text.data() + text.size(), id);
  return id;
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

bool wants_text(const Request& request) {
  return request.get_param_value("format") == "text";
}

}  // namespace

Api::Api(Loop& loop, ApiTarget target)
    : loop_(loop), target_(std::move(target)), server_(std::make_unique<httplib::Server>()) {
  server_->new_task_queue = [] { return new httplib::ThreadPool(kThreads); };
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
  route_services();
  route_statements();
  route_documents();
  route_state();
}

Api::~Api() {
  stop();
}

void Api::route_services() {
  server_->Post("/v1/services", [this](const Request& request, Response& response) {
    const auto body = parse_body(request, response);
    if (!body) return;
    wait_for_reply(loop_, response, [this, body](Services::Reply reply) {
      target_.services.request(*body, std::move(reply));
    });
  });
  server_->Get("/v1/services", [this](const Request&, Response& response) {
    write(response, loop_.call([this] { return target_.services.list(); }).get());
  });
  server_->Get(R"(/v1/services/(\d{1,19}))", [this](const Request& request, Response& response) {
    const uint64_t id = id_of(request);
    write(response, loop_.call([this, id] { return target_.services.show(id); }).get());
  });
  server_->Delete(R"(/v1/services/(\d{1,19}))", [this](const Request& request, Response& response) {
    const uint64_t id = id_of(request);
    wait_for_reply(loop_, response, [this, id](Services::Reply reply) {
      target_.services.end(id, std::move(reply));
    });
  });
}

void Api::route_statements() {
  server_->Get(R"(/v1/statements/clients/([a-z0-9-]+))", [this](const Request& request,
                                                                Response& response) {
    const std::string id = request.matches[1];
    if (!loop_.call([this, id] { return target_.documents.client(id) != nullptr; }).get()) {
      return write(response, refuse(404, "Unknown client", "there is no client \"" + id + "\""));
    }
    const bool text = wants_text(request);
    write_statement(response, target_.books.open_statements(target_.books.client_account(id), text),
                    text);
  });
  server_->Get("/v1/statements/house", [this](const Request& request, Response& response) {
    const bool text = wants_text(request);
    write_statement(response, target_.books.open_statements(target_.books.house_account(), text),
                    text);
  });
  server_->Post("/v1/usage/flush", [this](const Request&, Response& response) {
    wait_for_reply(loop_, response, [this](Services::Reply reply) {
      target_.flush([reply](const Books::Status& status) {
        reply(status ? Answer{200, {{"flushed", true}}}
                     : refuse(500, "Not flushed", status.error()));
      });
    });
  });
}

void Api::route_documents() {
  const std::string kinds = "/v1/(clients|profiles|slas|tariffs|providers|rates|issuers)";
  server_->Get(kinds, [this](const Request& request, Response& response) {
    const std::string kind = request.matches[1];
    write(response, loop_.call([this, kind] { return target_.documents.list(kind); }).get());
  });
  server_->Get(kinds + "/([a-z0-9-]+)", [this](const Request& request, Response& response) {
    const std::string kind = request.matches[1], id = request.matches[2];
    write(response, loop_.call([this, kind, id] { return target_.documents.get(kind, id); }).get());
  });
  server_->Put(kinds + "/([a-z0-9-]+)", [this](const Request& request, Response& response) {
    const auto body = parse_body(request, response);
    if (!body) return;
    const std::string kind = request.matches[1], id = request.matches[2];
    write(response, loop_
                        .call([this, kind, id, body] {
                          return target_.documents.put(target_.books, kind, id, *body);
                        })
                        .get());
  });
}

void Api::route_state() {
  server_->Get("/v1/paths", [this](const Request&, Response& response) {
    write(response, loop_.call([this] { return target_.services.paths(); }).get());
  });
  server_->Get("/v1/counters", [this](const Request&, Response& response) {
    write(response, {200, loop_.call(target_.counters).get()});
  });
  server_->Get("/v1/status", [this](const Request&, Response& response) {
    write(response, {200, loop_.call(target_.status).get()});
  });
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
  server_->stop();
  thread_.join();
}

}  // namespace anabranch::control
