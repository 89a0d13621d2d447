// SPDX-License-Identifier: BSD-3-Clause
// The HTTP API, version 1: the operations of control/routes.h. JSON in and out; errors are problem
// documents (RFC 9457).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <thread>

#include <tl/expected.hpp>

#include "control/document_store.h"
#include "control/feed.h"
#include "control/loop.h"
#include "control/routes.h"
#include "control/services.h"
#include "control/shopfront.h"

namespace httplib {
class Server;
struct Request;
struct Response;
}  // namespace httplib

namespace anabranch::control {

// What the API needs of the gateway. All functions are called on the control thread.
struct ApiTarget {
  Services& services;
  DocumentStore& documents;
  Books& books;
  Feed& feed;
  Market& market;
  Shopfront& shop;
  Services::Flush flush;
  std::function<nlohmann::json()> counters;
  std::function<nlohmann::json()> status;
  std::function<nlohmann::json()> quotas;
  std::function<Answer()> reload;
};

class Api {
 public:
  Api(Loop& loop, ApiTarget target);
  ~Api();
  // The error: the address cannot be listened on.
  tl::expected<void, std::string> start(const Endpoint& listen);
  // Answers what is under way and returns. Not to be called on the control thread.
  void stop();

 private:
  struct Call;  // a request whose caller is known and may make it
  using Handler = std::function<void(const Call&)>;
  void serve(const std::string& operation, Handler handler);
  tl::expected<Caller, Answer> caller_of(const std::string& authorization);
  std::optional<nlohmann::json> request_of(const Call& call);
  void serve_services();
  void serve_statements();
  bool is_own_client(const Call& call);  // else it is answered
  void serve_documents();
  void serve_state();
  void serve_events();
  struct Listening;  // to what happens
  bool may_listen(Listening& listening);
  void serve_market();
  void serve_shop();
  void serve_payments();  // api_payments.cc
  void serve_card_events();
  void serve_paying();
  void write_paid(const Call& call, const tl::expected<billing::Payment, std::string>& intended);
  Answer own_document(const Caller& caller, const std::string& kind, const std::string& id);

  Loop& loop_;
  ApiTarget target_;
  std::unique_ptr<httplib::Server> server_;
  std::thread thread_;
};

}  // namespace anabranch::control
