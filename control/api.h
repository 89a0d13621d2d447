// SPDX-License-Identifier: BSD-3-Clause
// The HTTP API, version 1. JSON in and out; errors are problem documents (RFC 9457).
//
//   POST   /v1/services                 a service request; 201 when it is in force
//   GET    /v1/services[/ID]            services in force
//   DELETE /v1/services/ID              ends it; 200 when the last octet is journaled
//   GET    /v1/paths                    paths, measurements, ratings
//   GET    /v1/counters                 packets by where they ended, drops by name
//   GET    /v1/status                   gateway, session with the peer, meters
//   POST   /v1/usage/flush              meters → journal → ledger; 200 when committed
//   GET    /v1/statements/clients/ID    statement; ?format=text
//   GET    /v1/statements/house         the house account; ?format=text
//   GET    /v1/{clients,profiles,tariffs}[/ID]
//   PUT    /v1/{clients,profiles,tariffs}/ID
#pragma once

#include <memory>
#include <string>
#include <thread>

#include <tl/expected.hpp>

#include "control/document_store.h"
#include "control/loop.h"
#include "control/services.h"

namespace httplib {
class Server;
}

namespace anabranch::control {

// What the API needs of the gateway. All functions are called on the control thread.
struct ApiTarget {
  Services& services;
  DocumentStore& documents;
  Books& books;
  Services::Flush flush;
  std::function<nlohmann::json()> counters;
  std::function<nlohmann::json()> status;
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
  void route_services();
  void route_statements();
  void route_documents();
  void route_state();

  Loop& loop_;
  ApiTarget target_;
  std::unique_ptr<httplib::Server> server_;
  std::thread thread_;
};

}  // namespace anabranch::control
