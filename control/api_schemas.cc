// SPDX-License-Identifier: BSD-3-Clause
#include "control/api_schemas.h"

namespace anabranch::control {
namespace {

constexpr const char* kSchemas = R"json({
  "Object": {"type": "object"},
  "Id": {"type": "string", "pattern": "^[a-z0-9-]{1,64}$"},
  "Rate": {"type": "string", "pattern": "^[0-9.]+ ?[kMG]?bit/s$", "examples": ["50 Mbit/s"]},
  "Prefix": {"type": "string", "examples": ["10.10.0.0/24", "2001:db8:1::/48"]},
  "Instant": {
    "type": "string",
    "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$",
    "examples": ["2026-12-31T18:00:00Z"]
  },
  "Money": {
    "type": "object",
    "required": ["amount", "currency"],
    "properties": {
      "amount": {"$ref": "#/components/schemas/Price"},
      "currency": {"type": "string"}
    }
  },
  "Ports": {"type": "string", "pattern": "^[0-9]{1,5}(-[0-9]{1,5})?$"},
  "Count": {"type": "integer", "minimum": 0},
  "Measure": {"type": "number", "minimum": 0},
  "Price": {"type": "string", "pattern": "^-?[0-9]+([.][0-9]+)?$"},
  "Problem": {
    "type": "object",
    "description": "RFC 9457",
    "required": ["type", "status", "title", "detail"],
    "properties": {
      "type": {"type": "string"},
      "status": {"type": "integer"},
      "title": {"type": "string"},
      "detail": {"type": "string"},
      "errors": {
        "type": "array",
        "items": {
          "type": "object",
          "required": ["pointer", "detail"],
          "properties": {"pointer": {"type": "string"}, "detail": {"type": "string"}}
        }
      },
      "nearest": {"$ref": "#/components/schemas/Nearest"}
    }
  },
  "Nearest": {
    "type": "object",
    "description": "of a request that cannot be met: what could be, by the scenario that gives the most; with `possible` in place of `asked` the request is kept, while the paths are as they are",
    "required": ["fields", "scenario"],
    "properties": {
      "fields": {
        "type": "array",
        "items": {
          "type": "object",
          "required": ["pointer", "asked", "possible"],
          "properties": {
            "pointer": {
              "description": "of the request; or of its client's agreement, behind /agreement",
              "oneOf": [
                {"enum": ["/rate_up", "/rate_down", "/latency_ms_max", "/loss_percent_max",
                          "/price_per_gb_max", "/budget"]},
                {"type": "string", "pattern": "^/agreement/objectives/[0-9]+$"}
              ]
            },
            "asked": {"type": ["string", "number"]},
            "possible": {"type": ["string", "number"]}
          }
        }
      },
      "scenario": {"$ref": "#/components/schemas/Scenario"}
    }
  },
  "Traffic": {
    "type": "object",
    "required": ["source"],
    "additionalProperties": false,
    "properties": {
      "source": {"$ref": "#/components/schemas/Prefix"},
      "destination": {"$ref": "#/components/schemas/Prefix"},
      "protocol": {"enum": ["tcp", "udp", "icmp"]},
      "source_ports": {"$ref": "#/components/schemas/Ports"},
      "destination_ports": {"$ref": "#/components/schemas/Ports"},
      "dscp": {"type": "integer", "minimum": 0, "maximum": 63}
    }
  },
  "ServiceRequest": {
    "type": "object",
    "required": ["client", "traffic"],
    "additionalProperties": false,
    "properties": {
      "client": {"$ref": "#/components/schemas/Id"},
      "key": {
        "$ref": "#/components/schemas/Id",
        "description": "asked for twice with the same key, it is one service"
      },
      "start": {
        "$ref": "#/components/schemas/Instant",
        "description": "when it begins; at once without"
      },
      "until": {
        "$ref": "#/components/schemas/Instant",
        "description": "when it ends by itself"
      },
      "duration": {
        "type": "string",
        "pattern": "^[0-9]+([.][0-9]+)? ?(d|h|min|s)$",
        "examples": ["8 h"],
        "description": "in place of until"
      },
      "volume": {
        "type": "string",
        "pattern": "^[0-9]+([.][0-9]+)? ?(PB|TB|GB|MB|kB|B)$",
        "examples": ["500 GB"],
        "description": "expected, both ways together"
      },
      "budget": {
        "$ref": "#/components/schemas/Price",
        "description": "it ends by itself when it has cost as much; with a volume, a limit of price"
      },
      "billing": {
        "type": "object",
        "description": "what profile and agreement leave open, while the service is there",
        "additionalProperties": false,
        "properties": {
          "statements": {"enum": ["aggregated", "by-provider"]},
          "provider_charges": {"enum": ["itemised", "summarised", "separate"]},
          "currency": {"type": "string", "pattern": "^[A-Z]{3}$", "description": "ISO 4217"},
          "delivery": {"$ref": "#/components/schemas/Formats"},
          "mail": {"$ref": "#/components/schemas/Formats"},
          "payment": {"$ref": "#/components/schemas/PaymentWish"}
        }
      },
      "traffic": {
        "type": "array",
        "minItems": 1,
        "maxItems": 16,
        "items": {"$ref": "#/components/schemas/Traffic"}
      },
      "rate_up": {"$ref": "#/components/schemas/Rate"},
      "rate_down": {"$ref": "#/components/schemas/Rate"},
      "latency_ms_max": {"type": "number", "minimum": 0, "maximum": 60000},
      "loss_percent_max": {"type": "number", "minimum": 0, "maximum": 100},
      "price_per_gb_max": {"$ref": "#/components/schemas/Price"}
    }
  },
  "Formats": {
    "type": "array",
    "minItems": 1,
    "uniqueItems": true,
    "items": {"enum": ["text", "json", "csv", "html", "pdf", "ubl"]}
  },
  "Share": {
    "type": "object",
    "required": ["path", "provider", "weight_up", "weight_down"],
    "properties": {
      "path": {"type": "string"},
      "provider": {"type": "string"},
      "weight_up": {"type": "integer", "minimum": 0, "maximum": 65535},
      "weight_down": {"type": "integer", "minimum": 0, "maximum": 65535},
      "reserved_up_bps": {"type": "integer", "minimum": 0},
      "reserved_down_bps": {"type": "integer", "minimum": 0}
    }
  },
  "Scenario": {
    "type": "object",
    "required": ["segmentation", "dispersion", "assemblage", "shares", "expected", "reasons"],
    "properties": {
      "segmentation": {"enum": ["flow", "packet"]},
      "dispersion": {
        "enum": ["weighted", "earliest-delivery", "flow", "flowlet", "redundant", "priority",
                 "standby"]
      },
      "assemblage": {"enum": ["resequence", "pass-through"]},
      "shares": {"type": "array", "items": {"$ref": "#/components/schemas/Share"}},
      "expected": {
        "type": "object",
        "required": ["goodput_up_bps", "goodput_down_bps", "latency_ms", "loss_percent",
                     "jitter_ms", "availability_percent", "risk_percent", "price_per_gb",
                     "currency"],
        "properties": {
          "goodput_up_bps": {"$ref": "#/components/schemas/Measure"},
          "goodput_down_bps": {"$ref": "#/components/schemas/Measure"},
          "latency_ms": {"$ref": "#/components/schemas/Measure"},
          "loss_percent": {"$ref": "#/components/schemas/Measure"},
          "jitter_ms": {"$ref": "#/components/schemas/Measure"},
          "availability_percent": {
            "$ref": "#/components/schemas/Measure",
            "description": "that a path is there, where providers fail each by itself"
          },
          "risk_percent": {
            "$ref": "#/components/schemas/Measure",
            "description": "that providers which fail leave less than what is asked for"
          },
          "price_per_gb": {"$ref": "#/components/schemas/Price"},
          "currency": {"type": "string"}
        }
      },
      "reasons": {"type": "array", "items": {"type": "string"}}
    }
  },
  "Service": {
    "type": "object",
    "required": ["id", "client", "state", "octets"],
    "properties": {
      "id": {"type": "integer", "minimum": 1},
      "client": {"type": "string"},
      "state": {"enum": ["scheduled", "starting", "active", "ending", "ended", "visiting"]},
      "home": {"type": "string", "description": "whose service it is, where it is visiting"},
      "request": {"$ref": "#/components/schemas/ServiceRequest"},
      "scenario": {"$ref": "#/components/schemas/Scenario"},
      "until": {"$ref": "#/components/schemas/Instant"},
      "expected_price": {"$ref": "#/components/schemas/Money"},
      "spent": {"$ref": "#/components/schemas/Money"},
      "note": {"type": "string", "description": "what of the request cannot be kept at present"},
      "overdue": {
        "type": "object",
        "description": "a statement of its client is; what became of the service",
        "required": ["statement", "then"],
        "properties": {
          "statement": {"type": "string"},
          "then": {"enum": ["nothing", "restrict", "suspend"]}
        }
      },
      "used_up": {
        "type": "object",
        "description": "what its client paid ahead is; what became of the service",
        "required": ["then"],
        "properties": {"then": {"enum": ["restrict", "suspend"]}}
      },
      "octets": {"$ref": "#/components/schemas/Count"},
      "forecast_error": {"$ref": "#/components/schemas/ForecastError"}
    }
  },
  "ForecastError": {
    "type": "object",
    "description": "what was expected beside what was measured ten seconds later: medians of |expected - measured| / measured over the last minute; null where there was nothing to compare",
    "required": ["goodput", "latency", "loss"],
    "properties": {
      "goodput": {"type": ["number", "null"], "description": "up; while all links in use were full"},
      "latency": {"type": ["number", "null"]},
      "loss": {"type": ["number", "null"]}
    }
  },
  "Orders": {
    "type": "array",
    "items": {
      "type": "object",
      "required": ["provider", "order", "negotiation", "client", "state", "bandwidth_mbps", "from",
                   "until", "prices", "currency"],
      "properties": {
        "provider": {"type": "string"},
        "order": {"type": "string", "description": "the provider's number"},
        "negotiation": {"type": "string"},
        "client": {"type": "string", "description": "for whose request"},
        "state": {"enum": ["in force", "reserved"]},
        "bandwidth_mbps": {"$ref": "#/components/schemas/Count"},
        "from": {"type": "string"},
        "until": {"type": "string"},
        "prices": {
          "type": "array",
          "items": {
            "type": "object",
            "required": ["per", "amount"],
            "properties": {
              "per": {"enum": ["gb", "month", "once"]},
              "amount": {"$ref": "#/components/schemas/Price"}
            }
          }
        },
        "currency": {"type": "string"}
      }
    }
  },
  "Negotiation": {
    "type": "object",
    "required": ["id", "client", "state", "began"],
    "properties": {
      "id": {"type": "string"},
      "client": {"type": "string"},
      "state": {"enum": ["begun", "ordered", "failed"]},
      "began": {"type": "string"},
      "told": {
        "type": "array",
        "items": {
          "type": "object",
          "required": ["provider", "won", "what"],
          "properties": {
            "provider": {"type": "string"},
            "won": {"type": "boolean"},
            "what": {"type": "string"},
            "total": {"$ref": "#/components/schemas/Price"}
          }
        }
      },
      "exchanges": {
        "type": "array",
        "items": {
          "type": "object",
          "required": ["ended", "provider", "method", "path", "status", "failure",
                       "request_sha256", "answer_sha256"]
        }
      }
    }
  },
  "Negotiations": {"type": "array", "items": {"$ref": "#/components/schemas/Negotiation"}},
  "Explanation": {
    "type": "object",
    "required": ["sentences", "inputs", "changes", "changes_complete"],
    "properties": {
      "sentences": {"type": "array", "items": {"type": "string"}},
      "inputs": {
        "type": "object",
        "additionalProperties": {
          "type": "object",
          "required": ["age_ms"],
          "properties": {"age_ms": {"$ref": "#/components/schemas/Count"}}
        }
      },
      "refusal": {"type": "string"},
      "preferred": {"$ref": "#/components/schemas/Weighed"},
      "best_quality": {"$ref": "#/components/schemas/Weighed"},
      "cheapest": {"$ref": "#/components/schemas/Weighed"},
      "lost": {"type": "array", "items": {"$ref": "#/components/schemas/Weighed"}},
      "changes": {
        "type": "array",
        "items": {
          "type": "object",
          "required": ["path", "input", "now", "at", "sentence"],
          "properties": {
            "path": {"type": "string"},
            "input": {"enum": ["loss", "rtt_ms", "rate_up_bps", "price_attos_per_octet"]},
            "now": {"type": "number"},
            "at": {"type": "number"},
            "sentence": {"type": "string"}
          }
        }
      },
      "changes_complete": {"type": "boolean"}
    }
  },
  "Weighed": {
    "type": "object",
    "required": ["scenario", "worth"],
    "properties": {
      "scenario": {"$ref": "#/components/schemas/Scenario"},
      "worth": {
        "type": "object",
        "required": ["total", "goodput", "latency", "price", "preference", "rating", "inertia"],
        "additionalProperties": {"type": "number"}
      },
      "why": {"type": "string"},
      "held_back": {
        "enum": ["change", "margin"],
        "description": "would be worth more, but not as much more as a change must be; or does not keep the request with the margin that a change needs"
      },
      "does_not_keep": {"type": "string"}
    }
  },
  "Rated": {
    "type": "object",
    "required": ["name", "rating", "confidence", "windows"],
    "properties": {
      "name": {"type": "string"},
      "rating": {"type": "number", "minimum": 0, "maximum": 100},
      "confidence": {"type": "number", "minimum": 0, "maximum": 1},
      "windows": {"type": "array", "items": {"type": "object"}}
    }
  },
  "Ratings": {
    "type": "object",
    "required": ["links", "networks", "providers", "forecast_error"],
    "properties": {"forecast_error": {"$ref": "#/components/schemas/ForecastError"}},
    "additionalProperties": {
      "type": "array",
      "items": {"$ref": "#/components/schemas/Rated"}
    }
  },
  "Services": {"type": "array", "items": {"$ref": "#/components/schemas/Service"}},
  "Statements": {"type": "array", "items": {"type": "object"}},
  "IssuedStatements": {
    "type": "array",
    "items": {
      "type": "object",
      "required": ["issuer", "number", "kind", "from", "to", "issued", "gross", "currency"],
      "properties": {
        "issuer": {"type": "string"},
        "number": {"type": "string"},
        "kind": {"enum": ["statement", "adjustment"]},
        "from": {"type": "string"},
        "to": {"type": "string"},
        "issued": {"type": "string"},
        "gross": {"type": "string"},
        "currency": {"type": "string"}
      }
    }
  },
  "Balances": {
    "type": "array",
    "items": {
      "type": "object",
      "required": ["currency", "credit", "used", "left", "reserved"],
      "properties": {
        "currency": {"type": "string"},
        "credit": {"type": "string", "description": "below zero: it is owed"},
        "used": {"type": "string", "description": "since the last statement"},
        "left": {"type": "string"},
        "reserved": {"type": "string", "description": "of what is left, by gateways"}
      }
    }
  },
  "PaymentWish": {
    "type": "object",
    "required": ["by"],
    "additionalProperties": false,
    "properties": {
      "by": {"enum": ["invoice", "card"]},
      "charge": {"enum": ["issued", "threshold", "ahead"], "default": "issued"},
      "threshold": {"$ref": "#/components/schemas/Price"},
      "top_up": {"$ref": "#/components/schemas/Price"},
      "floor": {"$ref": "#/components/schemas/Price"},
      "used_up": {"enum": ["stop", "slow"]},
      "slow_kbps": {"type": "integer", "minimum": 64, "maximum": 1000000}
    }
  },
  "Flushed": {
    "type": "object",
    "required": ["flushed"],
    "properties": {"flushed": {"const": true}}
  },
  "Reloaded": {
    "type": "object",
    "description": "fields of the configuration, and documents as kind/id",
    "required": ["applied", "documents", "needs_restart"],
    "additionalProperties": {"type": "array", "items": {"type": "string"}}
  },
  "Document": {
    "type": "object",
    "required": ["id"],
    "properties": {"id": {"$ref": "#/components/schemas/Id"}}
  },
  "Documents": {"type": "array", "items": {"$ref": "#/components/schemas/Document"}},
  "Path": {
    "type": "object",
    "required": ["id", "name", "provider", "network", "alive", "state", "rating", "rate_up_bps",
                 "rate_down_bps", "in_use"],
    "properties": {
      "id": {"type": "integer", "minimum": 0, "maximum": 15},
      "name": {"type": "string"},
      "provider": {"type": "string"},
      "network": {"type": "string"},
      "alive": {"type": "boolean"},
      "state": {"enum": ["dead", "suspected", "probing", "lossy", "slow", "up"]},
      "held_back_s": {"type": "integer", "minimum": 0},
      "rtt_ms": {"$ref": "#/components/schemas/Measure"},
      "rtt_min_ms": {"$ref": "#/components/schemas/Measure"},
      "rtt_variation_ms": {"$ref": "#/components/schemas/Measure"},
      "pto_ms": {"$ref": "#/components/schemas/Measure"},
      "mtu": {"$ref": "#/components/schemas/Count"},
      "loss_up_percent": {"type": "number", "minimum": 0, "maximum": 100},
      "loss_down_percent": {"type": "number", "minimum": 0, "maximum": 100},
      "availability_percent": {"type": "number", "minimum": 0, "maximum": 100},
      "rating": {"type": "number", "minimum": 0, "maximum": 100},
      "rate_up_bps": {"$ref": "#/components/schemas/Count"},
      "rate_down_bps": {"$ref": "#/components/schemas/Count"},
      "delivered_bps": {"$ref": "#/components/schemas/Count"},
      "queue_up_ms": {"$ref": "#/components/schemas/Measure"},
      "queue_down_ms": {"$ref": "#/components/schemas/Measure"},
      "in_use": {"type": "boolean"}
    }
  },
  "Paths": {"type": "array", "items": {"$ref": "#/components/schemas/Path"}},
  "QuotaUsage": {
    "type": "array",
    "items": {
      "type": "object",
      "required": ["id", "counts", "at_limit", "allowed", "rolled_over", "used", "left", "percent",
                   "projected", "cycle_begin", "cycle_end", "state", "alerts"],
      "properties": {
        "id": {"$ref": "#/components/schemas/Id"},
        "uplink": {"type": "string"},
        "network": {"type": "string"},
        "provider": {"type": "string"},
        "counts": {"enum": ["up", "down", "both"]},
        "at_limit": {"enum": ["stop", "slow", "pay"]},
        "allowed": {"$ref": "#/components/schemas/Count"},
        "rolled_over": {"$ref": "#/components/schemas/Count"},
        "used": {"$ref": "#/components/schemas/Count"},
        "left": {"$ref": "#/components/schemas/Count"},
        "percent": {"$ref": "#/components/schemas/Count"},
        "projected": {"$ref": "#/components/schemas/Count"},
        "cycle_begin": {"type": "string"},
        "cycle_end": {"type": "string"},
        "state": {"enum": ["ok", "scarce", "stopped", "slowed", "paying"]},
        "alerts": {"type": "array", "items": {"type": "integer", "minimum": 1}}
      }
    }
  },
  "Payment": {
    "type": "object",
    "required": ["key", "kind", "account", "issuer", "statement", "currency", "amount", "made", "state", "at"],
    "properties": {
      "key": {"type": "string"},
      "kind": {"enum": ["card", "transfer", "refund"]},
      "account": {"type": "string", "examples": ["client:acme"]},
      "issuer": {"type": "string"},
      "statement": {"type": "string", "description": "empty: for the oldest that is owed"},
      "of": {"type": "string", "description": "the payment that a refund is of"},
      "currency": {"type": "string"},
      "amount": {"$ref": "#/components/schemas/Price"},
      "made": {"type": "string"},
      "state": {"enum": ["pending", "succeeded", "failed", "unknown", "requires-customer"]},
      "at": {"type": "string", "description": "since when it is in that state"},
      "processor_id": {"type": "string"},
      "detail": {"type": "string"},
      "disputed": {"const": true, "description": "by the card's owner; not decided yet"},
      "lost": {"$ref": "#/components/schemas/Price", "description": "of it, in disputes"},
      "asked_again_at": {"type": "string", "description": "of what is not final"}
    }
  },
  "Payments": {"type": "array", "items": {"$ref": "#/components/schemas/Payment"}},
  "Transfer": {
    "type": "object",
    "required": ["client", "currency", "amount", "reference"],
    "additionalProperties": false,
    "properties": {
      "client": {"$ref": "#/components/schemas/Id"},
      "currency": {"type": "string", "pattern": "^[A-Z]{3}$", "description": "ISO 4217"},
      "amount": {"$ref": "#/components/schemas/Price", "description": "whole coins"},
      "reference": {"type": "string", "minLength": 1, "maxLength": 200, "description": "of the transfer"},
      "issuer": {"type": "string", "description": "of the statement"},
      "statement": {"type": "string", "description": "that it is for; without, for the oldest that is owed"}
    },
    "dependentRequired": {"issuer": ["statement"], "statement": ["issuer"]}
  },
  "Refund": {
    "type": "object",
    "required": ["amount"],
    "additionalProperties": false,
    "properties": {"amount": {"$ref": "#/components/schemas/Price", "description": "whole coins"}}
  },
  "Dunning": {
    "type": "object",
    "additionalProperties": false,
    "properties": {"client": {"$ref": "#/components/schemas/Id", "description": "this one alone"}}
  },
  "PayingReport": {
    "type": "object",
    "required": ["moved", "notes", "overdue", "problems", "next"],
    "properties": {
      "moved": {"$ref": "#/components/schemas/Payments"},
      "notes": {"type": "array", "items": {"type": "string"}, "description": "of disputes"},
      "overdue": {
        "type": "array",
        "items": {
          "type": "object",
          "required": ["account", "statement", "since", "then"],
          "properties": {
            "account": {"type": "string"},
            "statement": {"type": "string"},
            "since": {"type": "string"},
            "then": {"enum": ["nothing", "restrict", "suspend"]}
          }
        }
      },
      "problems": {"type": "object", "additionalProperties": {"type": "string"}, "description": "by account"},
      "next": {"type": ["string", "null"], "description": "when there is something to do"}
    }
  },
  "Received": {
    "type": "object",
    "required": ["received"],
    "properties": {"received": {"const": true}}
  },
  "Counters": {
    "type": "object",
    "required": ["rx", "tx", "drops"],
    "properties": {
      "drops": {
        "type": "object",
        "additionalProperties": {"$ref": "#/components/schemas/Count"}
      }
    }
  },
  "Events": {"type": "string", "description": "server-sent events; of each, id, event and data"},
  "Event": {
    "type": "object",
    "description": "the data of an event; the event is its name",
    "required": ["at"],
    "properties": {
      "at": {"type": "string"},
      "client": {"type": "string", "description": "of service-…: whose they are"},
      "services": {
        "type": "array",
        "description": "of service-started, -changed, -degraded, -restored and -ended",
        "items": {"type": "integer", "minimum": 1}
      },
      "scenario": {"$ref": "#/components/schemas/Scenario"},
      "note": {"type": "string", "description": "of service-degraded: what cannot be kept"},
      "octets": {"$ref": "#/components/schemas/Count"},
      "path": {"type": "string", "description": "of path-up, path-suspected, path-dead and path-left"},
      "left_by": {"type": "integer", "minimum": 1, "description": "of path-left: services"},
      "after_ms": {
        "$ref": "#/components/schemas/Measure",
        "description": "of path-left: since it was last seen alive, until scenarios without it were in force"
      },
      "state": {"type": "string"},
      "provider": {"type": "string"},
      "network": {"type": "string"},
      "of": {"enum": ["link", "network", "provider"], "description": "of rating-changed"},
      "name": {"type": "string"},
      "rating": {"type": "number", "minimum": 0, "maximum": 100},
      "before": {"type": "number", "minimum": 0, "maximum": 100},
      "kind": {"type": "string", "description": "of document-stored"},
      "id": {"type": ["string", "integer"]},
      "peer": {"type": "string", "description": "of session-up and session-down"},
      "quota": {"$ref": "#/components/schemas/Id", "description": "of quota-alert"},
      "percent": {"type": "integer", "minimum": 1, "description": "of the quota, is used"},
      "used": {"$ref": "#/components/schemas/Count"},
      "allowed": {"$ref": "#/components/schemas/Count"},
      "cycle_end": {"type": "string", "description": "of the quota's cycle, local time"},
      "what_follows": {"type": "string", "description": "when all of the quota is used"}
    }
  },
  "Status": {
    "type": "object",
    "required": ["gateway", "peer", "session", "paths"],
    "properties": {
      "gateway": {"type": "string"},
      "peer": {"type": "string"},
      "session": {"enum": ["up", "down"]},
      "paths": {"type": "array", "items": {"type": "object"}}
    }
  }
})json";

}  // namespace

nlohmann::json api_schemas() {
  return nlohmann::json::parse(kSchemas);
}

}  // namespace anabranch::control
