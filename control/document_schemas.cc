// SPDX-License-Identifier: BSD-3-Clause
#include "control/document_schemas.h"

#include <array>
#include <string_view>

namespace anabranch::control {
namespace {

using nlohmann::json;

// Those of a client's: what control reads.
constexpr const char* kOfClients = R"json({
  "clients": {
    "type": "object",
    "required": ["id", "name", "profile", "tariff", "prefixes"],
    "additionalProperties": false,
    "properties": {
      "id": {"$ref": "#/$defs/id"},
      "name": {"$ref": "#/$defs/text"},
      "profile": {"$ref": "#/$defs/id", "description": "its segmentation profile"},
      "tariff": {"$ref": "#/$defs/id"},
      "sla": {"$ref": "#/$defs/id", "description": "its service level agreement"},
      "prefixes": {
        "type": "array",
        "description": "what it may ask service for",
        "items": {"$ref": "#/$defs/text"}
      },
      "address": {"$ref": "#/$defs/address"},
      "vat_id": {"$ref": "#/$defs/vat_id"},
      "email": {"$ref": "#/$defs/email"},
      "reseller": {
        "type": "object",
        "description": "who has a share of the net of its statements",
        "required": ["id", "margin_percent"],
        "additionalProperties": false,
        "properties": {
          "id": {"$ref": "#/$defs/text"},
          "margin_percent": {"$ref": "#/$defs/percent"}
        }
      },
      "paid_by": {"$ref": "#/$defs/text", "description": "the client who pays its statements"},
      "card": {
        "type": "object",
        "description": "the processor's tokens; never the number of a card",
        "required": ["customer", "method"],
        "additionalProperties": false,
        "properties": {
          "customer": {"$ref": "#/$defs/token"},
          "method": {"$ref": "#/$defs/token"}
        }
      }
    },
    "examples": [{
      "id": "acme", "name": "Acme Ltd", "profile": "bonded", "tariff": "standard", "sla": "gold",
      "prefixes": ["10.10.0.0/24", "2001:db8:1::/48"],
      "address": {"street": "1 High Street", "postcode": "D02 AF30", "city": "Dublin", "country": "IE"},
      "vat_id": "IE6388047V", "email": "accounts@acme.example",
      "card": {"customer": "cus_NffrFeUfNV2Hib", "method": "pm_1MqLiJLkdIwHu7ix"}
    }]
  },
  "profiles": {
    "type": "object",
    "required": ["id"],
    "additionalProperties": false,
    "properties": {
      "id": {"$ref": "#/$defs/id"},
      "providers": {"$ref": "#/$defs/standings"},
      "networks": {"$ref": "#/$defs/standings"},
      "prefer_highest_rated": {"enum": ["provider", "network"]},
      "pre_approved": {
        "type": "array",
        "description": "providers that may be asked for quotes",
        "uniqueItems": true,
        "items": {"$ref": "#/$defs/id"}
      },
      "quality_percent": {
        "type": "integer",
        "description": "100: only quality counts; 0: only price",
        "minimum": 0,
        "maximum": 100,
        "default": 100
      },
      "segmentation": {"type": "array", "items": {"enum": ["flow", "packet"]}},
      "dispersion": {
        "type": "array",
        "items": {
          "enum": ["weighted", "earliest-delivery", "flow", "flowlet", "redundant", "priority",
                   "standby"]
        }
      },
      "weight": {
        "type": "integer",
        "description": "share against others while all paths are busy",
        "minimum": 1,
        "maximum": 100,
        "default": 1
      },
      "priority": {
        "type": "integer",
        "description": "services of higher ones have the rates they ask for first",
        "minimum": 0,
        "maximum": 7,
        "default": 0
      },
      "rate_up_max": {"$ref": "#/$defs/rate"},
      "rate_down_max": {"$ref": "#/$defs/rate"},
      "classes": {
        "type": "object",
        "description": "by DSCP",
        "additionalProperties": {"enum": ["urgent", "normal", "background"]}
      },
      "segmentation_rules": {
        "type": "array",
        "description": "the first that fits all traffic of a request says how it is segmented and dispersed",
        "minItems": 1,
        "maxItems": 16,
        "items": {
          "type": "object",
          "required": ["class"],
          "anyOf": [
            {"required": ["dscp"]}, {"required": ["protocol"]},
            {"required": ["source_ports"]}, {"required": ["destination_ports"]}
          ],
          "additionalProperties": false,
          "properties": {
            "class": {"$ref": "#/$defs/id"},
            "dscp": {"type": "array", "items": {"type": "string"}},
            "protocol": {"enum": ["tcp", "udp", "icmp"]},
            "source_ports": {"type": "string"},
            "destination_ports": {"type": "string"},
            "segmentation": {"type": "array", "items": {"enum": ["flow", "packet"]}},
            "dispersion": {
              "type": "array",
              "items": {
                "enum": ["weighted", "earliest-delivery", "flow", "flowlet", "redundant", "priority",
                         "standby"]
              }
            },
            "quality_percent": {"type": "integer", "minimum": 0, "maximum": 100},
            "latency_ms_max": {"type": "number", "minimum": 0, "maximum": 60000},
            "loss_percent_max": {"type": "number", "minimum": 0, "maximum": 100}
          }
        }
      },
      "billing": {"$ref": "#/$defs/billing"}
    },
    "examples": [{
      "id": "bonded",
      "providers": {"northfibre": "prefer", "airmobile": "avoid"},
      "networks": {"northfibre-ftth": "prefer"},
      "prefer_highest_rated": "provider",
      "pre_approved": ["northfibre"],
      "quality_percent": 80,
      "dispersion": ["earliest-delivery", "flow"],
      "weight": 2,
      "priority": 3,
      "rate_up_max": "50 Mbit/s",
      "classes": {"EF": "urgent", "CS1": "background"},
      "segmentation_rules": [
        {"class": "voice", "dscp": ["EF"], "protocol": "udp", "dispersion": ["redundant"],
         "latency_ms_max": 80},
        {"class": "bulk", "dscp": ["CS1"], "segmentation": ["packet"], "quality_percent": 10}
      ],
      "billing": {"statements": "by-provider", "provider_charges": "summarised"}
    }, {
      "id": "prepaid",
      "billing": {
        "payment": {
          "by": "card",
          "charge": "ahead",
          "top_up": "20",
          "floor": "5.00",
          "used_up": "slow",
          "slow_kbps": 256
        }
      }
    }, {
      "id": "often",
      "billing": {"payment": {"by": "card", "charge": "threshold", "threshold": "100"}}
    }]
  },
  "networks": {
    "type": "object",
    "required": ["id", "provider"],
    "additionalProperties": false,
    "properties": {
      "id": {"$ref": "#/$defs/id", "description": "as in the gateway's configuration"},
      "provider": {"$ref": "#/$defs/id"},
      "name": {"$ref": "#/$defs/text"},
      "kind": {"enum": ["fibre", "cable", "dsl", "mobile", "satellite", "radio", "other"]},
      "region": {"$ref": "#/$defs/text"},
      "maintenance": {"$ref": "#/$defs/maintenance"}
    },
    "examples": [{
      "id": "airmobile-5g", "provider": "airmobile", "name": "Air Mobile 5G", "kind": "mobile", "region": "IE",
      "maintenance": [
        {"from": "2026-12-01T01:00:00Z", "until": "2026-12-01T03:00:00Z", "why": "new antennas"}
      ]
    }]
  },
  "uplinks": {
    "type": "object",
    "required": ["id"],
    "additionalProperties": false,
    "properties": {
      "id": {"$ref": "#/$defs/id", "description": "as in the gateway's configuration"},
      "committed_rate_up": {"$ref": "#/$defs/rate"},
      "committed_rate_down": {"$ref": "#/$defs/rate"},
      "maintenance": {"$ref": "#/$defs/maintenance"}
    },
    "examples": [{
      "id": "mobile", "committed_rate_up": "20 Mbit/s", "committed_rate_down": "80 Mbit/s",
      "maintenance": [{"from": "2026-12-24T22:00:00Z", "until": "2026-12-25T04:00:00Z"}]
    }]
  },
  "quotas": {
    "type": "object",
    "required": ["id", "octets", "at_limit"],
    "additionalProperties": false,
    "properties": {
      "id": {"$ref": "#/$defs/id"},
      "uplink": {"$ref": "#/$defs/text"},
      "network": {"$ref": "#/$defs/text"},
      "provider": {"$ref": "#/$defs/text"},
      "octets": {"$ref": "#/$defs/octets", "description": "a month"},
      "counts": {"enum": ["up", "down", "both"], "default": "both"},
      "cycle_day": {"$ref": "#/$defs/cycle_day"},
      "zone": {"$ref": "#/$defs/text"},
      "rollover": {
        "type": "object",
        "additionalProperties": false,
        "properties": {
          "cycles": {"type": "integer", "minimum": 1, "maximum": 12, "default": 1},
          "max": {"$ref": "#/$defs/octets"}
        }
      },
      "alerts": {
        "type": "array",
        "description": "percentages, rising",
        "maxItems": 16,
        "items": {"type": "integer", "minimum": 1, "maximum": 1000}
      },
      "at_limit": {"enum": ["stop", "slow", "pay"]},
      "slow_to": {"$ref": "#/$defs/rate"},
      "overage_per_gb": {"$ref": "#/$defs/decimal9"}
    },
    "oneOf": [{"required": ["uplink"]}, {"required": ["network"]}, {"required": ["provider"]}],
    "if": {"required": ["at_limit"], "properties": {"at_limit": {"const": "slow"}}},
    "then": {"required": ["slow_to"]},
    "else": {
      "not": {"required": ["slow_to"]},
      "if": {"required": ["at_limit"], "properties": {"at_limit": {"const": "pay"}}},
      "then": {"required": ["overage_per_gb"]}
    },
    "examples": [{
      "id": "fibre-month", "uplink": "fibre", "octets": "500 GB", "cycle_day": 15,
      "zone": "Europe/Berlin", "rollover": {"cycles": 1, "max": "100 GB"}, "alerts": [75, 95, 100],
      "at_limit": "slow", "slow_to": "1 Mbit/s"
    }]
  },
  "tokens": {
    "type": "object",
    "required": ["id", "role", "sha256"],
    "additionalProperties": false,
    "properties": {
      "id": {"$ref": "#/$defs/id"},
      "role": {"enum": ["operator", "auditor", "client"]},
      "client": {"$ref": "#/$defs/id", "description": "whose, where the role is client"},
      "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$", "description": "of the secret"},
      "revoked": {"type": "boolean", "default": false}
    },
    "if": {"properties": {"role": {"const": "client"}}},
    "then": {"required": ["client"]},
    "else": {"not": {"required": ["client"]}},
    "examples": [{
      "id": "reports",
      "role": "auditor",
      "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
    }]
  }
})json";

constexpr const char* kOfBilling = R"json({
  "slas": {
    "type": "object",
    "required": ["id"],
    "additionalProperties": false,
    "properties": {
      "id": {"$ref": "#/$defs/text"},
      "billing": {"$ref": "#/$defs/billing"},
      "promises": {
        "type": "array",
        "minItems": 1,
        "maxItems": 16,
        "items": {"$ref": "#/$defs/promise"}
      },
      "objectives": {
        "type": "array",
        "description": "what a service is to be like: what else is not chosen",
        "minItems": 1,
        "maxItems": 16,
        "items": {"$ref": "#/$defs/objective"}
      }
    },
    "examples": [{
      "id": "gold",
      "objectives": [
        {"of": "latency", "ms": "60", "window": "1min"},
        {"of": "availability", "percent": "99.95", "window": "30d"},
        {"of": "rate-down", "rate": "20 Mbit/s", "window": "1h"}
      ],
      "billing": {"statements": "by-provider"},
      "promises": [
        {"of": "availability",
         "credits": [{"below": "99.9", "percent": "10"}, {"below": "99", "percent": "25"}]},
        {"of": "latency", "ms": "60", "credits": [{"below": "95", "percent": "5"}]},
        {"of": "loss", "percent": "0.5", "credits": [{"below": "99", "percent": "5"}]}
      ]
    }]
  },
  "providers": {
    "type": "object",
    "required": ["id", "tariff"],
    "additionalProperties": false,
    "properties": {
      "id": {"$ref": "#/$defs/text", "description": "as in the configuration"},
      "name": {"$ref": "#/$defs/text"},
      "tariff": {"$ref": "#/$defs/text", "description": "by which we owe the provider"},
      "zone": {"$ref": "#/$defs/text"},
      "cycle_day": {"$ref": "#/$defs/cycle_day"},
      "sells": {
        "type": "object",
        "description": "where paths may be ordered of it",
        "required": ["url"],
        "additionalProperties": false,
        "properties": {
          "url": {"$ref": "#/$defs/text"},
          "insecure_cleartext": {"type": "boolean", "default": false},
          "token_file": {"$ref": "#/$defs/text"},
          "ca": {"$ref": "#/$defs/text"},
          "certificate": {"$ref": "#/$defs/text"},
          "key": {"$ref": "#/$defs/text"},
          "without_availability": {"type": "boolean", "default": false}
        },
        "dependentRequired": {"certificate": ["key"], "key": ["certificate"]}
      },
      "address": {"$ref": "#/$defs/address"},
      "vat_id": {"$ref": "#/$defs/vat_id"},
      "email": {"$ref": "#/$defs/email"}
    },
    "examples": [
      {
        "id": "airmobile", "name": "Air Mobile", "tariff": "airmobile-wholesale",
        "zone": "Europe/Berlin", "cycle_day": 15
      },
      {
        "id": "skywave", "tariff": "skywave-ordered",
        "sells": {"url": "https://api.skywave.example/tmf-api"}
      }
    ]
  },
  "rates": {
    "type": "object",
    "description": "of exchange",
    "required": ["id", "date", "base", "rates"],
    "additionalProperties": false,
    "properties": {
      "id": {"$ref": "#/$defs/text"},
      "date": {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"},
      "base": {"$ref": "#/$defs/currency"},
      "rates": {
        "type": "object",
        "minProperties": 1,
        "propertyNames": {"$ref": "#/$defs/currency"},
        "additionalProperties": {"$ref": "#/$defs/decimal12"}
      }
    },
    "examples": [{
      "id": "ecb-2026-11-30", "date": "2026-11-30", "base": "EUR",
      "rates": {"USD": "1.0834", "GBP": "0.8652"}
    }]
  },
  "issuers": {
    "type": "object",
    "required": ["id", "name"],
    "additionalProperties": false,
    "properties": {
      "id": {"$ref": "#/$defs/text"},
      "name": {"$ref": "#/$defs/text", "description": "as on statements"},
      "zone": {"$ref": "#/$defs/text"},
      "grace_hours": {
        "type": "integer",
        "description": "so long after its end a period is closed",
        "minimum": 0,
        "maximum": 672,
        "default": 24
      },
      "payment_terms": {"$ref": "#/$defs/text", "description": "until when to pay, in words"},
      "cards": {
        "type": "object",
        "description": "the contract with a processor of cards",
        "required": ["key_file"],
        "additionalProperties": false,
        "properties": {
          "dialect": {"enum": ["payment-intents", "charges"], "default": "payment-intents"},
          "url": {"$ref": "#/$defs/text", "default": "https://api.stripe.com"},
          "key_file": {"$ref": "#/$defs/text", "description": "in it the secret key"},
          "events_key_file": {
            "$ref": "#/$defs/text",
            "description": "in it the secret that events are signed with, or two, a line each"
          },
          "ca": {"$ref": "#/$defs/text"}
        }
      },
      "address": {"$ref": "#/$defs/address"},
      "vat_id": {"$ref": "#/$defs/vat_id"},
      "email": {"$ref": "#/$defs/email"}
    },
    "examples": [{
      "id": "anabranch-co", "name": "Anabranch Co", "zone": "Europe/Berlin", "grace_hours": 24,
      "payment_terms": "within 14 days of the date of issue",
      "address": {"street": "Hauptstr. 1", "postcode": "10115", "city": "Berlin", "country": "DE"},
      "vat_id": "DE123456789", "email": "billing@anabranch.example",
      "cards": {"key_file": "/etc/anabranch/stripe.key"}
    }]
  }
})json";

constexpr const char* kTariffs = R"json({
  "type": "object",
  "required": ["id", "currency"],
  "additionalProperties": false,
  "properties": {
    "id": {"$ref": "#/$defs/text"},
    "currency": {"$ref": "#/$defs/currency"},
    "zone": {"$ref": "#/$defs/text"},
    "tax": {"$ref": "#/$defs/tax"},
    "items": {
      "type": "array",
      "minItems": 1,
      "maxItems": 256,
      "items": {"$ref": "#/$defs/item"}
    },
    "prices": {
      "type": "array",
      "description": "instead of items: a price for each provider",
      "minItems": 1,
      "items": {
        "type": "object",
        "required": ["provider", "per_gb"],
        "additionalProperties": false,
        "properties": {
          "provider": {"$ref": "#/$defs/text"},
          "per_gb": {"$ref": "#/$defs/decimal9"}
        }
      }
    },
    "charged": {"type": "array", "items": {"$ref": "#/$defs/kind"}}
  },
  "oneOf": [
    {"required": ["items"], "not": {"anyOf": [{"required": ["prices"]}, {"required": ["charged"]}]}},
    {"required": ["prices"], "not": {"required": ["items"]}}
  ],
  "examples": [
    {
      "id": "standard",
      "currency": "EUR",
      "prices": [
        {"provider": "northfibre", "per_gb": "0.50"}, {"provider": "airmobile", "per_gb": "2.40"}
      ],
      "charged": ["first", "repair", "copy", "overhead"]
    },
    {
      "id": "business",
      "currency": "EUR",
      "zone": "Europe/Berlin",
      "tax": {"category": "S", "percent": "19"},
      "items": [
        {"id": "night", "times": [{"days": ["mon", "tue"], "from": "22:00", "to": "06:00"}],
         "per_gb": "0.10"},
        {"id": "mobile", "providers": ["airmobile"], "pass_through": {"margin_percent": "7.5"}},
        {"id": "up", "direction": "sent", "paths": ["dsl"], "kinds": ["first", "repair"],
         "per_octet": "0.0000000005"},
        {"id": "burst", "networks": ["northfibre-ftth"],
         "percentile": {"percent": 95, "of": "higher", "per_mbps": "2.00", "commit_mbps": "10",
                        "overage_per_mbps": "3.00"}},
        {"id": "small", "providers": ["coppertel"], "prorated": false,
         "allowance": {"gb": "100", "per_gb": "0.50"}},
        {"id": "bulk", "providers": ["bulk"], "volume": [{"per_gb": "0.20"}]},
        {"id": "own", "description": "between sites", "providers": ["own"], "free": true},
        {"id": "day",
         "graduated": [{"up_to_gb": "100", "per_gb": "0.50"}, {"per_gb": "0.30"}]},
        {"id": "least", "commit": "100.00", "items": ["day"]},
        {"id": "line", "flat": "49.00", "tax": {"category": "Z"}}
      ]
    }
  ]
})json";

constexpr const char* kDefs = R"json({
  "id": {"type": "string", "pattern": "^[a-z0-9-]{1,64}$"},
  "text": {"type": "string", "minLength": 1},
  "rate": {
    "type": "string",
    "pattern": "^([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)? ?[kMG]?bit/s$",
    "description": "such as 50 Mbit/s; at least 64 kbit/s"
  },
  "instant": {
    "type": "string",
    "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$",
    "description": "UTC"
  },
  "maintenance": {
    "type": "array",
    "description": "when it is not to be used",
    "minItems": 1,
    "maxItems": 64,
    "items": {
      "type": "object",
      "required": ["from", "until"],
      "additionalProperties": false,
      "properties": {
        "from": {"$ref": "#/$defs/instant"},
        "until": {"$ref": "#/$defs/instant"},
        "why": {"$ref": "#/$defs/text"}
      }
    }
  },
  "octets": {
    "type": "string",
    "pattern": "^[0-9]+([.][0-9]+)? ?(B|kB|MB|GB|TB|PB)$",
    "description": "such as 500 GB"
  },
  "standings": {
    "type": "object",
    "description": "by name",
    "additionalProperties": {"enum": ["prefer", "allow", "avoid", "never"]}
  },
  "currency": {"type": "string", "pattern": "^[A-Z]{3}$", "description": "ISO 4217"},
  "cycle_day": {"type": "integer", "minimum": 1, "maximum": 31, "default": 1},
  "billing": {
    "type": "object",
    "description": "what an agreement says is before what a profile says",
    "additionalProperties": false,
    "properties": {
      "statements": {"enum": ["aggregated", "by-provider"]},
      "provider_charges": {"enum": ["itemised", "summarised", "separate"]},
      "currency": {"$ref": "#/$defs/currency"},
      "cycle_day": {"$ref": "#/$defs/cycle_day"},
      "zone": {"$ref": "#/$defs/text"},
      "delivery": {"$ref": "#/$defs/formats", "description": "files in the folder of statements"},
      "mail": {"$ref": "#/$defs/formats", "description": "attached to a mail to the client's email"},
      "payment": {
        "type": "object",
        "required": ["by"],
        "additionalProperties": false,
        "properties": {
          "by": {"enum": ["invoice", "card"]},
          "due_days": {"type": "integer", "minimum": 0, "maximum": 365, "default": 14},
          "retry_days": {
            "type": "array",
            "description": "after the first try of a card; ascending",
            "minItems": 1,
            "maxItems": 10,
            "uniqueItems": true,
            "items": {"type": "integer", "minimum": 1, "maximum": 365},
            "default": [3, 7]
          },
          "then": {
            "enum": ["nothing", "restrict", "suspend"],
            "description": "of its services, when a statement is overdue",
            "default": "nothing"
          },
          "restrict_kbps": {"$ref": "#/$defs/kbps"},
          "charge": {
            "enum": ["issued", "threshold", "ahead"],
            "description": "when: a statement is issued, a threshold is reached, or before any use",
            "default": "issued"
          },
          "threshold": {"$ref": "#/$defs/sum"},
          "top_up": {"$ref": "#/$defs/sum", "description": "by card, when too little is left"},
          "floor": {
            "type": "string",
            "pattern": "^[0-9]{1,15}([.][0-9]{1,4})?$",
            "description": "below which it is too little",
            "default": "0"
          },
          "used_up": {
            "enum": ["stop", "slow"],
            "description": "what becomes of its services when what was paid ahead is",
            "default": "stop"
          },
          "slow_kbps": {"$ref": "#/$defs/kbps"}
        },
        "allOf": [
          {
            "if": {"required": ["charge"], "properties": {"charge": {"const": "threshold"}}},
            "then": {"required": ["threshold"], "properties": {"by": {"const": "card"}}},
            "else": {"not": {"required": ["threshold"]}}
          },
          {
            "if": {"required": ["charge"], "properties": {"charge": {"const": "ahead"}}},
            "else": {"not": {"anyOf": [{"required": ["used_up"]}, {"required": ["slow_kbps"]}]}}
          },
          {
            "if": {
              "required": ["charge"],
              "properties": {"charge": {"const": "ahead"}, "by": {"const": "card"}}
            },
            "then": {"required": ["top_up"]},
            "else": {"not": {"anyOf": [{"required": ["top_up"]}, {"required": ["floor"]}]}}
          }
        ]
      }
    }
  },
  "kbps": {"type": "integer", "minimum": 64, "maximum": 1000000, "default": 64},
  "sum": {
    "type": "string",
    "pattern": "^[0-9]{1,15}([.][0-9]{1,4})?$",
    "not": {"pattern": "^[0.]*$"}
  },
  "token": {"type": "string", "minLength": 1, "maxLength": 255},
  "formats": {
    "type": "array",
    "minItems": 1,
    "uniqueItems": true,
    "items": {"enum": ["text", "json", "csv", "html", "pdf", "ubl"]}
  },
  "address": {
    "type": "object",
    "description": "as on invoices",
    "required": ["country"],
    "additionalProperties": false,
    "properties": {
      "street": {"$ref": "#/$defs/text"},
      "postcode": {"$ref": "#/$defs/text"},
      "city": {"$ref": "#/$defs/text"},
      "country": {"type": "string", "pattern": "^[A-Z1][A-Z]$", "description": "ISO 3166"}
    }
  },
  "vat_id": {"type": "string", "pattern": "^[A-Z1][A-Z][A-Za-z0-9]{2,12}$"},
  "email": {"type": "string", "pattern": "^[^@]+@[^@]+$", "maxLength": 254},
  "percent": {
    "type": "string",
    "pattern": "^(0*[0-9]{1,2}([.][0-9]{1,4})?|0*100([.]0{1,4})?)$",
    "description": "0 to 100"
  },
  "promise": {
    "type": "object",
    "required": ["of", "credits"],
    "additionalProperties": false,
    "properties": {
      "of": {"enum": ["availability", "latency", "loss"]},
      "ms": {"type": "string", "pattern": "^[0-9]+([.][0-9]{1,3})?$"},
      "percent": {"$ref": "#/$defs/percent"},
      "credits": {
        "type": "array",
        "minItems": 1,
        "maxItems": 8,
        "items": {
          "type": "object",
          "required": ["below", "percent"],
          "additionalProperties": false,
          "properties": {
            "below": {"$ref": "#/$defs/percent"},
            "percent": {"$ref": "#/$defs/percent"}
          }
        }
      }
    },
    "allOf": [
      {"if": {"properties": {"of": {"const": "latency"}}},
       "then": {"required": ["ms"]}, "else": {"not": {"required": ["ms"]}}},
      {"if": {"properties": {"of": {"const": "loss"}}},
       "then": {"required": ["percent"]}, "else": {"not": {"required": ["percent"]}}}
    ]
  },
  "objective": {
    "type": "object",
    "required": ["of", "window"],
    "additionalProperties": false,
    "properties": {
      "of": {"enum": ["rate-up", "rate-down", "latency", "jitter", "loss", "availability"]},
      "window": {"enum": ["1s", "1min", "1h", "30d"], "description": "over which it is measured"},
      "rate": {"$ref": "#/$defs/rate"},
      "ms": {"type": "string", "pattern": "^(0*([0-9]{1,4}|[1-5][0-9]{4})([.][0-9]{1,18})?|0*60000([.]0{1,18})?)$"},
      "percent": {"type": "string", "pattern": "^(0*[0-9]{1,2}([.][0-9]{1,18})?|0*100([.]0{1,18})?)$"}
    },
    "allOf": [
      {"if": {"properties": {"of": {"enum": ["rate-up", "rate-down"]}}},
       "then": {"required": ["rate"]}, "else": {"not": {"required": ["rate"]}}},
      {"if": {"properties": {"of": {"enum": ["latency", "jitter"]}}},
       "then": {"required": ["ms"]}, "else": {"not": {"required": ["ms"]}}},
      {"if": {"properties": {"of": {"enum": ["loss", "availability"]}}},
       "then": {"required": ["percent"]}, "else": {"not": {"required": ["percent"]}}}
    ]
  },
  "decimal6": {"type": "string", "pattern": "^[0-9]+([.][0-9]{1,6})?$"},
  "decimal9": {"type": "string", "pattern": "^[0-9]+([.][0-9]{1,9})?$"},
  "decimal12": {"type": "string", "pattern": "^[0-9]+([.][0-9]{1,12})?$"},
  "decimal18": {"type": "string", "pattern": "^[0-9]+([.][0-9]{1,18})?$"},
  "kind": {"enum": ["first", "repair", "copy", "overhead", "control", "refused", "unattended"]},
  "names": {
    "type": "array",
    "minItems": 1,
    "uniqueItems": true,
    "items": {"$ref": "#/$defs/text"}
  },
  "tax": {
    "type": "object",
    "description": "EN 16931",
    "required": ["category"],
    "additionalProperties": false,
    "properties": {
      "category": {"enum": ["S", "Z", "E", "AE", "O", "G", "K"]},
      "percent": {"type": "string", "pattern": "^[0-9]+([.][0-9]{1,4})?$"},
      "reason": {"$ref": "#/$defs/text"}
    },
    "allOf": [
      {"if": {"properties": {"category": {"const": "S"}}}, "then": {"required": ["percent"]}},
      {"if": {"properties": {"category": {"enum": ["S", "Z"]}}},
       "then": {"not": {"required": ["reason"]}}, "else": {"required": ["reason"]}}
    ]
  },
  "time": {"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][05]$|^24:00$"},
  "window": {
    "type": "object",
    "additionalProperties": false,
    "properties": {
      "days": {
        "type": "array",
        "minItems": 1,
        "items": {"enum": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]}
      },
      "from": {"$ref": "#/$defs/time"},
      "to": {"$ref": "#/$defs/time"}
    }
  },
  "tiers": {
    "type": "array",
    "minItems": 1,
    "maxItems": 64,
    "items": {
      "type": "object",
      "required": ["per_gb"],
      "additionalProperties": false,
      "properties": {
        "up_to_gb": {"$ref": "#/$defs/decimal9", "description": "the last tier has no end"},
        "per_gb": {"$ref": "#/$defs/decimal9"}
      }
    }
  },
  "item": {
    "type": "object",
    "required": ["id"],
    "additionalProperties": false,
    "properties": {
      "id": {"$ref": "#/$defs/text"},
      "description": {"$ref": "#/$defs/text"},
      "providers": {"$ref": "#/$defs/names"},
      "networks": {"$ref": "#/$defs/names"},
      "paths": {"$ref": "#/$defs/names"},
      "direction": {"enum": ["sent", "received"]},
      "kinds": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/kind"}},
      "times": {
        "type": "array",
        "minItems": 1,
        "maxItems": 64,
        "items": {"$ref": "#/$defs/window"}
      },
      "per_gb": {"$ref": "#/$defs/decimal9"},
      "per_octet": {"$ref": "#/$defs/decimal18"},
      "graduated": {"$ref": "#/$defs/tiers"},
      "volume": {"$ref": "#/$defs/tiers"},
      "allowance": {
        "type": "object",
        "required": ["gb", "per_gb"],
        "additionalProperties": false,
        "properties": {
          "gb": {"$ref": "#/$defs/decimal9"},
          "per_gb": {"$ref": "#/$defs/decimal9"}
        }
      },
      "percentile": {
        "type": "object",
        "required": ["per_mbps"],
        "additionalProperties": false,
        "properties": {
          "percent": {"type": "integer", "minimum": 1, "maximum": 100, "default": 95},
          "of": {"enum": ["higher", "sum"]},
          "per_mbps": {"$ref": "#/$defs/decimal9"},
          "commit_mbps": {"$ref": "#/$defs/decimal6"},
          "overage_per_mbps": {"$ref": "#/$defs/decimal9"}
        },
        "dependentRequired": {"overage_per_mbps": ["commit_mbps"]}
      },
      "pass_through": {
        "type": "object",
        "additionalProperties": false,
        "properties": {
          "margin_percent": {"$ref": "#/$defs/decimal9"},
          "margin_per_gb": {"$ref": "#/$defs/decimal9"}
        }
      },
      "flat": {"$ref": "#/$defs/decimal18"},
      "commit": {"$ref": "#/$defs/decimal18"},
      "items": {"$ref": "#/$defs/names", "description": "of a commit: those it counts"},
      "free": {"type": "boolean"},
      "prorated": {"type": "boolean", "default": true},
      "tax": {"$ref": "#/$defs/tax"}
    },
    "oneOf": [
      {"required": ["per_gb"]},
      {"required": ["per_octet"]},
      {"required": ["graduated"]},
      {"required": ["volume"]},
      {"required": ["allowance"]},
      {"required": ["percentile"]},
      {"required": ["pass_through"]},
      {"required": ["flat"]},
      {"required": ["commit"]},
      {"required": ["free"], "properties": {"free": {"const": true}}}
    ],
    "dependentRequired": {"items": ["commit"]}
  }
})json";

constexpr std::array<std::pair<std::string_view, const char*>, 11> kSchemaNames{
    {{"clients", "Client"},
     {"profiles", "Profile"},
     {"slas", "Agreement"},
     {"tariffs", "Tariff"},
     {"providers", "Provider"},
     {"rates", "ExchangeRates"},
     {"issuers", "Issuer"},
     {"tokens", "Token"},
     {"quotas", "Quota"},
     {"networks", "Network"},
     {"uplinks", "Uplink"}}};

// The definitions that `schema` refers to, and theirs.
void add_definitions(const json& schema, const json& all, json& used) {
  if (schema.is_structured()) {
    for (const json& inner : schema) add_definitions(inner, all, used);
  }
  if (!schema.is_object() || !schema.contains("$ref")) return;
  constexpr std::string_view kPrefix = "#/$defs/";
  const std::string name = schema["$ref"].get<std::string>().substr(kPrefix.size());
  if (used.contains(name)) return;
  used[name] = all.at(name);
  add_definitions(all.at(name), all, used);
}

}  // namespace

const char* schema_name(const std::string& kind) {
  for (const auto& [known, name] : kSchemaNames) {
    if (kind == known) return name;
  }
  return nullptr;
}

json document_schema(const std::string& kind) {
  static const json of_clients = json::parse(kOfClients), of_billing = json::parse(kOfBilling),
                    definitions = json::parse(kDefs);
  json schema = kind == "tariffs"           ? json::parse(kTariffs)
                : of_clients.contains(kind) ? of_clients.at(kind)
                                            : of_billing.at(kind);
  json used = json::object();
  add_definitions(schema, definitions, used);
  schema["$schema"] = "https://json-schema.org/draft/2020-12/schema";
  schema["title"] = schema_name(kind);
  schema["$defs"] = std::move(used);
  return schema;
}

}  // namespace anabranch::control
