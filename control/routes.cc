// SPDX-License-Identifier: BSD-3-Clause
#include "control/routes.h"

#include <algorithm>

#include "control/api_schemas.h"
#include "control/document_schemas.h"

namespace anabranch::control {
namespace {

using nlohmann::json;

std::string any_kind() {
  std::string pattern;
  for (const char* kind : kDocumentKinds)
    pattern += (pattern.empty() ? "" : "|") + std::string(kind);
  return pattern;
}

constexpr std::string_view kAnyKind = "{kind}";

json reference(const std::string& schema) {
  return {{"$ref", "#/components/schemas/" + schema}};
}

json content(const char* type, json schema) {
  return {{type, {{"schema", std::move(schema)}}}};
}

// "{kind}" and "{id}" of a path.
std::vector<std::string> names_in(const std::string& path) {
  std::vector<std::string> names;
  for (size_t at = path.find('{'); at != std::string::npos; at = path.find('{', at + 1))
    names.push_back(path.substr(at + 1, path.find('}', at) - at - 1));
  return names;
}

json parameter(const std::string& name) {
  json schema{{"type", "string"}, {"pattern", "^[a-z0-9-]{1,64}$"}};
  if (name == "service") schema = {{"type", "integer"}, {"minimum", 1}};
  if (name == "payment") schema = {{"type", "string"}, {"pattern", "^[^/]{1,256}$"}};
  return {{"name", name}, {"in", "path"}, {"required", true}, {"schema", schema}};
}

json describe(const Operation& o) {
  json parameters = json::array();
  for (const std::string& name : names_in(o.path)) parameters.push_back(parameter(name));
  json gives{{"description", o.summary}};
  if (o.gives != nullptr) gives["content"] = content(o.type, reference(o.gives));
  const json refused{{"description", "Refused, and why"},
                     {"content", content("application/problem+json", reference("Problem"))}};
  json described{{"operationId", o.id},
                 {"summary", o.summary},
                 {"description", std::string("For ") + to_string(o.audience) + "."},
                 {"responses", {{std::to_string(o.status), gives}, {"default", refused}}}};
  if (o.type != std::string_view("application/json"))
    parameters.push_back({{"name", "Last-Event-ID"},
                          {"in", "header"},
                          {"schema", {{"type", "string"}, {"pattern", "^[0-9]{1,19}$"}}}});
  if (o.audience == Audience::processor) described["security"] = json::array();
  if (o.header != nullptr) {
    parameters.push_back({{"name", o.header},
                          {"in", "header"},
                          {"required", o.audience == Audience::processor},
                          {"schema", {{"type", "string"}, {"maxLength", 8192}}}});
  }
  if (o.may_go_on) {
    described["responses"]["202"] = gives;
    described["responses"]["202"]["description"] = "It is under way: Location is where to look";
  }
  if (!parameters.empty()) described["parameters"] = parameters;
  if (o.takes != nullptr)
    described["requestBody"] = {{"required", true},
                                {"content", content("application/json", reference(o.takes))}};
  return described;
}

// A path for each kind: what is taken and given is known by it.
void describe_kinds(const Operation& o, const std::string& method, json& paths) {
  for (const std::string kind : kDocumentKinds) {
    std::string path = o.path;
    path.replace(path.find(kAnyKind), kAnyKind.size(), kind);
    json described = describe(o);
    described["operationId"] = std::string(o.id) + "_" + kind;
    std::erase_if(described["parameters"].get_ref<json::array_t&>(),
                  [](const json& p) { return p["name"] == "kind"; });
    if (described["parameters"].empty()) described.erase("parameters");
    const json document = reference(schema_name(kind));
    const bool is_list = std::string_view(o.gives) == "Documents";
    described["responses"][std::to_string(o.status)]["content"] =
        content(o.type, is_list ? json{{"type", "array"}, {"items", document}} : document);
    if (o.takes != nullptr)
      described["requestBody"]["content"] = content("application/json", document);
    paths[path][method] = std::move(described);
  }
}

// "#/$defs/…" as seen from the root of a description.
void move_references(json& schema, const std::string& name) {
  if (!schema.is_structured()) return;
  for (auto& [key, inner] : schema.items()) {
    if (key == "$ref" && inner.is_string())
      inner = "#/components/schemas/" + name + inner.get<std::string>().substr(1);
    else
      move_references(inner, name);
  }
}

json all_schemas() {
  json schemas = api_schemas();
  for (const std::string kind : kDocumentKinds) {
    json schema = document_schema(kind);
    schema.erase("$schema");
    move_references(schema, schema_name(kind));
    schemas[schema_name(kind)] = std::move(schema);
  }
  return schemas;
}

}  // namespace

bool may_use(const Operation& operation, Role role) {
  if (role == Role::operating) return true;
  if (role == Role::client) return operation.audience == Audience::all;
  return operation.audience <= Audience::readers && std::string_view(operation.method) == "GET";
}

const char* to_string(Audience audience) {
  switch (audience) {
    case Audience::all:
      return "operators, auditors (who only read), and clients as far as it is their own";
    case Audience::readers:
      return "operators and auditors";
    case Audience::operators:
      return "operators";
    case Audience::processor:
      return "the processor of cards, known by its signature alone";
  }
  return "";
}

const std::vector<Operation>& operations() {
  static const std::vector<Operation> all{
      {"POST", "/v1/services", "requestService", "Ask for a service; answered when it is in force",
       Audience::all, "ServiceRequest", "Service", 201},
      {"GET", "/v1/services", "listServices", "Services in force", Audience::all, nullptr,
       "Services"},
      {"GET", "/v1/services/{service}", "showService", "One service", Audience::all, nullptr,
       "Service"},
      {"GET", "/v1/services/{service}/explanation", "explainService",
       "Why its scenario is preferred, what lost, and what would change the decision",
       Audience::all, nullptr, "Explanation"},
      {"PUT", "/v1/services/{service}", "changeService",
       "Ask for the same service otherwise: traffic, limits, times", Audience::all,
       "ServiceRequest", "Service"},
      {"DELETE", "/v1/services/{service}", "endService",
       "End a service; answered when its last octet is journaled", Audience::all, nullptr,
       "Service"},
      {"GET", "/v1/statements/clients/{client}", "clientStatement",
       "What of a client is not on an issued statement yet; ?format=text for people", Audience::all,
       nullptr, "Statements"},
      {"GET", "/v1/statements/clients/{client}/issued", "listStatements",
       "Statements issued to a client, in the order of issue", Audience::all, nullptr,
       "IssuedStatements"},
      {"GET", "/v1/statements/clients/{client}/issued/{issuer}/{number}", "showStatement",
       "One of them as it was issued; as ?format=text, csv, html, pdf or ubl (UBL 2.1 by EN 16931)",
       Audience::all, nullptr, "Object"},
      {"GET", "/v1/statements/clients/{client}/balance", "clientBalance",
       "What a client has paid ahead, what of it is used, and what gateways have reserved",
       Audience::all, nullptr, "Balances"},
      {"GET", "/v1/statements/house", "houseStatement",
       "What belongs to no client; ?format=text for people", Audience::readers, nullptr,
       "Statements"},
      {"POST", "/v1/statements/clients/{client}/issued/{issuer}/{number}/payments", "payStatement",
       "Charge it to the client's card, now; asked for again with the same Idempotency-Key it is "
       "the "
       "same payment",
       Audience::all, nullptr, "Payment", 201, "application/json", "Idempotency-Key", true},
      {"GET", "/v1/payments", "listPayments",
       "Payments and refunds, and what became of each; ?client= and ?statement= limit them",
       Audience::all, nullptr, "Payments"},
      {"POST", "/v1/payments", "notePayment",
       "Note what arrived by transfer; the same reference counts once", Audience::operators,
       "Transfer", "Payment", 201},
      {"POST", "/v1/payments/dun", "dun",
       "Go on with open payments, charge cards that are due, and say who is overdue",
       Audience::operators, "Dunning", "PayingReport"},
      {"POST", "/v1/payments/events", "cardEvents",
       "What a processor of cards tells by itself (a webhook of Stripe's API): which payment to "
       "ask "
       "it about",
       Audience::processor, "Object", "Received", 200, "application/json", "Stripe-Signature"},
      {"GET", "/v1/payments/{payment}", "showPayment", "One payment or refund", Audience::all,
       nullptr, "Payment"},
      {"POST", "/v1/payments/{payment}/refunds", "refundPayment",
       "Give back what it paid, or some of it; asked for again with the same Idempotency-Key it is "
       "the same refund",
       Audience::operators, "Refund", "Payment", 201, "application/json", "Idempotency-Key", true},
      {"POST", "/v1/usage/flush", "flushUsage", "Journal what was used until now",
       Audience::operators, nullptr, "Flushed"},
      {"GET", "/v1/{kind}", "listDocuments", "All documents of a kind", Audience::readers, nullptr,
       "Documents"},
      {"GET", "/v1/{kind}/{id}", "showDocument", "One document", Audience::all, nullptr,
       "Document"},
      {"PUT", "/v1/{kind}/{id}", "putDocument", "Store a document; in force from now on",
       Audience::operators, "Document", "Document"},
      {"GET", "/v1/paths", "showPaths", "Paths, measurements, ratings", Audience::readers, nullptr,
       "Paths"},
      {"GET", "/v1/ratings", "showRatings",
       "Links, networks and providers, rated over a second, a minute, an hour and thirty days",
       Audience::readers, nullptr, "Ratings"},
      {"GET", "/v1/orders", "listOrders", "What is ordered of other providers", Audience::readers,
       nullptr, "Orders"},
      {"GET", "/v1/negotiations", "listNegotiations",
       "Who was asked, who won and why the others did not", Audience::readers, nullptr,
       "Negotiations"},
      {"GET", "/v1/negotiations/{negotiation}", "showNegotiation",
       "One negotiation with every exchange", Audience::readers, nullptr, "Negotiation"},
      {"GET", "/v1/counters", "showCounters", "Packets by where they ended, drops by name",
       Audience::readers, nullptr, "Counters"},
      {"GET", "/v1/status", "showStatus", "The gateway and its session with the peer",
       Audience::readers, nullptr, "Status"},
      {"GET", "/v1/events", "followEvents",
       "What happens, as it happens: server-sent events, of which each has an Event as data. With "
       "the header Last-Event-ID those behind it; event `reset` when some of them are gone",
       Audience::all, nullptr, "Events", 200, "text/event-stream"},
      {"GET", "/v1/quota-usage", "showQuotas",
       "What of each quota is used in its cycle, and will be as it goes on", Audience::readers,
       nullptr, "QuotaUsage"},
      {"POST", "/v1/reload", "reload",
       "Read the configuration and its documents again, as SIGHUP does; what is wrong is told, and "
       "changes nothing",
       Audience::operators, nullptr, "Reloaded"},
      {"GET", "/openapi.json", "describe", "This description", Audience::all, nullptr, "Object"},
  };
  return all;
}

const Operation* find_operation(const std::string& id) {
  const auto found = std::find_if(operations().begin(), operations().end(),
                                  [&](const Operation& o) { return id == o.id; });
  return found == operations().end() ? nullptr : &*found;
}

std::string pattern_of(const Operation& operation) {
  std::string pattern = operation.path;
  for (const std::string& name : names_in(operation.path)) {
    const std::string what = name == "service"                       ? "\\d{1,19}"
                             : name == "kind"                        ? any_kind()
                             : name == "issuer" || name == "payment" ? "[^/]{1,256}"
                                                                     : "[a-z0-9-]{1,64}";
    const std::string braced = "{" + name + "}";
    pattern.replace(pattern.find(braced), braced.size(), "(" + what + ")");
  }
  return pattern;
}

json openapi(const std::string& version) {
  json paths = json::object();
  for (const Operation& o : operations()) {
    std::string method = o.method;
    std::transform(method.begin(), method.end(), method.begin(),
                   [](char c) { return static_cast<char>(c | 0x20); });
    if (std::string_view(o.path).find(kAnyKind) == std::string_view::npos)
      paths[o.path][method] = describe(o);
    else
      describe_kinds(o, method, paths);
  }
  return {{"openapi", "3.1.0"},
          {"info",
           {{"title", "Anabranch gateway"},
            {"version", version},
            {"license", {{"name", "BSD-3-Clause"}, {"identifier", "BSD-3-Clause"}}}}},
          {"security", json::array({{{"token", json::array()}}})},
          {"paths", paths},
          {"components",
           {{"securitySchemes", {{"token", {{"type", "http"}, {"scheme", "bearer"}}}}},
            {"schemas", all_schemas()}}}};
}

}  // namespace anabranch::control
