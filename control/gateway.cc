// SPDX-License-Identifier: BSD-3-Clause
#include "control/gateway.h"

#include <poll.h>
#include <pthread.h>
#include <rte_cycles.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <sched.h>
#include <signal.h>
#include <spdlog/spdlog.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <filesystem>

#include "billing/wall_clock.h"
#include "control/kernel/interface.h"
#include "control/ordered_paths.h"
#include "control/toml_file.h"
#include "dataplane/eal.h"

namespace anabranch::control {
namespace {

constexpr auto kReact = std::chrono::milliseconds(5);
constexpr auto kTick = std::chrono::milliseconds(20);
constexpr auto kSecond = std::chrono::seconds(1);
constexpr auto kAttendPending = std::chrono::milliseconds(200);
constexpr auto kFlows = std::chrono::milliseconds(100);
constexpr uint64_t kFlowFile = 64u << 20;
constexpr auto kFlowsLast = std::chrono::seconds(2);  // that a collector may take at the end
constexpr uint64_t kFlowIdleMax = 15;                 // seconds
constexpr int kAttendEvery = 50;                      // of those, when nothing is pending
constexpr int kTellEvery = 10;                        // seconds
constexpr uint64_t kRekeyAfter = uint64_t{1} << 32;   // segments under one key

dataplane::Mac parse_mac(const std::string& text) {
  dataplane::Mac mac{};
  std::sscanf(text.c_str(), "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &mac[0], &mac[1], &mac[2], &mac[3],
              &mac[4], &mac[5]);
  return mac;
}

// Threads started later inherit this.
void use_cpus(const std::vector<uint16_t>& cpus) {
  if (cpus.empty()) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  for (uint16_t cpu : cpus) CPU_SET(cpu, &set);
  pthread_setaffinity_np(pthread_self(), sizeof set, &set);
}

uint16_t first_cpu() {
  cpu_set_t set;
  pthread_getaffinity_np(pthread_self(), sizeof set, &set);
  for (uint16_t cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &set)) return cpu;
  }
  return 0;
}

FlowRecords::Now now_by_both_clocks() {
  const auto ticks = static_cast<dataplane::Uint128>(rte_rdtsc());
  return {.worker_ns = static_cast<uint64_t>(ticks * 1'000'000'000u / rte_get_tsc_hz()),
          .wall_ms = static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(
                                               std::chrono::system_clock::now().time_since_epoch())
                                               .count())};
}

}  // namespace

Gateway::Gateway(Config config, DocumentStore documents, std::unique_ptr<Identity> identity)
    : config_(std::move(config)),
      documents_(std::move(documents)),
      identity_(std::move(identity)) {}

tl::expected<std::unique_ptr<Gateway>, std::string> Gateway::open(
    Config config, DocumentStore documents, std::unique_ptr<Identity> identity) {
  std::unique_ptr<Gateway> g(
      new Gateway(std::move(config), std::move(documents), std::move(identity)));
  if (const auto text = read_whole(g->config_.file, "the gateway's configuration"))
    g->fields_ = fields_of(*text);
  g->watch_signals();  // first: threads inherit the mask
  use_cpus(g->config_.control_cpus);
  for (const auto step : {&Gateway::check_interfaces, &Gateway::open_books, &Gateway::open_meters,
                          &Gateway::open_ports, &Gateway::open_workers, &Gateway::open_control}) {
    if (auto done = (g.get()->*step)(); !done) return tl::unexpected(done.error());
  }
  return g;
}

Gateway::~Gateway() {
  if (api_) api_->stop();
  stop_workers();
  telemetry_.reset();
  workers_.reset();
  for (const dataplane::Port& port : ports_) dataplane::close_port(port);
  if (signal_fd_ >= 0) close(signal_fd_);
}

void Gateway::watch_signals() {
  signal(SIGPIPE, SIG_IGN);  // a peer that hangs up is an error of the write
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal_fd_ = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

// Before anything is made: what is wrong with them is known without DPDK.
Gateway::Status Gateway::check_interfaces() {
  std::vector<const PortConfig*> all{&config_.lan};
  for (const UplinkConfig& uplink : config_.uplinks) all.push_back(&uplink.port);
  for (const PortConfig* port : all) {
    if (port->interface.empty()) continue;
    const auto facts = interface_facts(port->interface, config_.mtu_max);
    if (!facts) return tl::unexpected(facts.error());
    const auto lacks = [&](const char* family, const std::string& but) {
      return tl::unexpected("interface " + port->interface + " has no " + family + " address" +
                            but + " (ip address add … dev " + port->interface + ")");
    };
    if (port == &config_.lan && !facts->address.is_given()) return lacks("IPv4", "");
    if (port == &config_.lan && config_.has_ipv6_hosts() && !facts->address6.is_given())
      return lacks("IPv6", ", but lan.prefixes has IPv6 ones");
    for (const PathConfig& path : config_.peer.paths) {
      if (&config_.find_uplink(path.uplink)->port != port) continue;
      const bool ipv6 = config_.is_ipv6(path);
      if ((ipv6 ? facts->address6 : facts->address).is_given()) continue;
      return lacks(ipv6 ? "IPv6" : "IPv4", ", but path " + std::to_string(path.id) + " is of it");
    }
  }
  return {};
}

Gateway::Status Gateway::open_books() {
  std::error_code error;
  for (const std::string& folder : {config_.state_dir, config_.runtime_dir}) {
    std::filesystem::create_directories(folder, error);
    if (error) return tl::unexpected("folder " + folder + " cannot be made: " + error.message());
  }
  auto books = Books::open(config_);
  if (!books) return tl::unexpected(books.error());
  books_ = std::move(*books);
  return documents_.add_stored(*books_);
}

Places Gateway::current_places() {
  Places places{};
  const auto set = [&](dataplane::Place place, size_t uplink, const std::string& name) {
    const UplinkConfig& u = config_.uplinks[uplink];
    places[place] = {books_->path_id(name, u.provider, u.network).value_or(0),
                     static_cast<uint8_t>(uplink)};
  };
  for (size_t u = 0; u < config_.uplinks.size(); ++u) {
    set(dataplane::uplink_place(static_cast<uint8_t>(u)), u,
        config_.uplinks[u].name + " (no path)");
  }
  for (const PathConfig& path : config_.peer.paths) {
    const auto u = static_cast<size_t>(config_.find_uplink(path.uplink) - config_.uplinks.data());
    set(dataplane::path_place(path.id), u, path.uplink);
  }
  return places;
}

// Meters of an earlier process go on where they were, when each still stands for the same path. If
// not, what they counted is journaled as what it was counted as, and new ones begin.
Gateway::Status Gateway::open_meters() {
  const std::string file = config_.runtime_dir + "/meters-" + config_.name;
  auto meters = dataplane::Meters::open(file, config_.workers());
  if (!meters) return tl::unexpected(meters.error());
  places_ = current_places();
  Places counted_as{};
  bool same = true;
  for (size_t p = 0; p < places_.size(); ++p) {
    const auto catalogue = static_cast<uint16_t>(meters->region().places[p].catalogue);
    counted_as[p].catalogue = catalogue;
    same = same && catalogue == places_[p].catalogue;
  }
  if (!meters->fresh() && !same) {
    Usage old(meters->region(), meters->workers(), counted_as);
    auto done = std::make_shared<std::promise<Books::Status>>();
    books_->flush(old.read(true),
                  [done](Books::Status status) { done->set_value(std::move(status)); });
    if (auto status = done->get_future().get(); !status) return status;
    std::filesystem::remove(file);
    meters = dataplane::Meters::open(file, config_.workers());
    if (!meters) return tl::unexpected(meters.error());
  }
  meters_.emplace(std::move(*meters));
  for (size_t p = 0; p < places_.size(); ++p)
    meters_->region().places[p].catalogue = places_[p].catalogue;
  meters_->region().clean = 0;
  usage_ = std::make_unique<Usage>(meters_->region(), meters_->workers(), places_);
  return {};
}

Gateway::Status Gateway::open_port(const PortConfig& config, PortFacts& facts) {
  if (!config.interface.empty()) {
    const auto interface = interface_facts(config.interface, config_.mtu_max);
    if (!interface) return tl::unexpected(interface.error());
    if (auto forbidden = forbid_merging(config.interface); !forbidden) return forbidden;
    facts = {interface->index, interface->mac,      interface->address,  interface->network,
             interface->mtu,   interface->address6, interface->network6, {}};
  }
  const uint16_t mtu = config.interface.empty() ? config.mtu : facts.mtu;
  const auto port = dataplane::open_port({config.interface, config.device, mtu}, pool_,
                                         static_cast<uint8_t>(config_.workers()));
  if (!port)
    return tl::unexpected("port " + (config.interface.empty() ? config.device : config.interface) +
                          ": " + port.error());
  ports_.push_back(*port);
  if (config.interface.empty()) {
    facts = {0,
             port->mac,
             config.address.value_or(Ip{}),
             config.network.value_or(Prefix{}),
             config.mtu,
             config.address6.value_or(Ip{}),
             config.network6.value_or(Prefix{}),
             parse_mac(config.next_hop_mac)};
  }
  return {};
}

Gateway::Status Gateway::open_ports() {
  auto eal = dataplane::start_eal(
      {.runtime_dir = config_.runtime_dir,
       .name = config_.name,
       .worker_cpus = config_.worker_cpus,
       .control_cpu = config_.control_cpus.empty() ? first_cpu() : config_.control_cpus.front(),
       .memory_mb = config_.memory_mb,
       .hugepages = config_.hugepages});
  if (!eal) return eal;
  const auto workers = static_cast<uint32_t>(config_.workers());
  const auto pool =
      dataplane::create_pool(dataplane::packets_for(workers), "packets", config_.mtu_max);
  if (!pool) return tl::unexpected(pool.error());
  pool_ = *pool;
  const auto frames = dataplane::create_pool(
      dataplane::frames_for(static_cast<uint32_t>(config_.uplinks.size()), workers), "frames",
      config_.mtu_max);
  if (!frames) return tl::unexpected(frames.error());
  frames_ = *frames;
  if (auto witness = open_witness(); !witness) return witness;
  uplinks_.resize(config_.uplinks.size());
  if (auto lan = open_port(config_.lan, lan_); !lan) return lan;
  for (size_t u = 0; u < uplinks_.size(); ++u) {
    if (auto opened = open_port(config_.uplinks[u].port, uplinks_[u]); !opened) return opened;
  }
  return {};
}

Gateway::Status Gateway::open_witness() {
  std::vector<std::string> interfaces;
  for (size_t u = 0; u < config_.uplinks.size(); ++u) {
    if (config_.uplinks[u].port.interface.empty()) continue;
    shared_uplinks_.push_back(static_cast<uint8_t>(u));
    interfaces.push_back(config_.uplinks[u].port.interface);
  }
  if (interfaces.empty()) return {};
  auto witness = Witness::open(config_.name, config_.peer.port, interfaces, config_.lan.interface);
  if (!witness) return tl::unexpected(witness.error());
  witness_.emplace(std::move(*witness));
  if (witness_->reused() && !meters_->fresh()) return {};
  if (meters_->unclean()) {
    spdlog::error(
        "the kernel's counters of the killed process are gone: what crossed while none attended is "
        "on no account");
  }
  const auto counts = witness_->read();
  if (!counts) return tl::unexpected(counts.error());
  usage_->rebase(shared_uplinks_, to_counts(*counts));
  return {};
}

Gateway::Status Gateway::open_workers() {
  const auto flows_each = static_cast<uint32_t>(config_.flows_max / config_.workers());
  dataplane::WorkerOptions options{.lan_port = ports_[0].id,
                                   .uplinks = static_cast<uint8_t>(uplinks_.size()),
                                   .pool = pool_,
                                   .frames = frames_,
                                   .tsc_hz = rte_get_tsc_hz(),
                                   .flows_max = flows_each,
                                   .flows6_max = flows_each,
                                   .flow_idle_s = config_.flow_idle_s,
                                   .hole_wait_ms_max = config_.hole_wait_ms_max,
                                   .held_max = dataplane::kHeldMax,
                                   .retained_max = dataplane::kHeldMax,
                                   .packet_max = config_.mtu_max};
  for (size_t u = 0; u < uplinks_.size(); ++u) options.uplink_port[u] = ports_[u + 1].id;
  if (config_.flows) {
    const uint64_t active_s = config_.flows->active_s;
    options.flow_accounts = {.active_ns = active_s * 1'000'000'000,
                             .idle_ns = std::min(active_s, kFlowIdleMax) * 1'000'000'000};
  }
  dataplane::Workers::Ports ports{.workers = static_cast<uint8_t>(config_.workers())};
  if (std::all_of(ports_.begin(), ports_.end(),
                  [](const dataplane::Port& port) { return port.socket >= 0; })) {
    for (const dataplane::Port& port : ports_) ports.sockets.push_back(port.socket);
  }
  for (size_t p = 0; p < ports_.size(); ++p) ports.queues[p] = ports_[p].queues;
  auto workers = dataplane::Workers::create(options, ports, plans_, meters_->region());
  if (!workers) return tl::unexpected(workers.error());
  workers_ = std::move(*workers);
  open_telemetry();
  return {};
}

void Gateway::open_telemetry() {
  std::array<dataplane::WatchedPath, dataplane::kPathsMax> paths;
  for (const PathConfig& path : config_.peer.paths)
    paths[path.id] = {path.uplink, config_.find_uplink(path.uplink)->rate_up_bps};
  std::vector<const dataplane::Worker*> all;
  for (const auto& worker : workers_->each()) all.push_back(worker.get());
  telemetry_.emplace(std::move(all), paths);
}

Gateway::Status Gateway::open_control() {
  auto neighbours = Neighbours::open();
  if (!neighbours) return tl::unexpected(neighbours.error());
  neighbours_.emplace(std::move(*neighbours));
  carrier_ = std::make_unique<Carrier>(plans_, *meters_);
  topology_ = std::make_unique<Topology>(config_, lan_, uplinks_, *neighbours_, plans_);
  carrier_->set_path_sizes(topology_->path_sizes());
  topology_->tick({}, {});
  monitor_ = std::make_unique<PathMonitor>(config_, *workers_);
  if (witness_)
    attendance_ = std::make_unique<Attendance>(*usage_, *witness_, *workers_, shared_uplinks_);

  quotas_ = std::make_unique<Quotas>(config_, documents_, plans_, *workers_, places_,
                                     config_.state_dir + "/journal");
  quotas_->wait(*usage_);

  std::map<uint8_t, Session::Ends> ends;
  for (const PathConfig& path : config_.peer.paths) {
    const auto u = static_cast<size_t>(config_.find_uplink(path.uplink) - config_.uplinks.data());
    const PortFacts& port = uplinks_[u];
    ends[path.id] = {config_.is_ipv6(path) ? port.address6 : port.address, path.peer_address};
  }
  keyring_ = std::make_unique<Keyring>(
      plans_, [this](size_t phase) { return workers_->counters().opened[phase].get(); });
  peering_ = std::make_unique<Peering>(
      loop_, config_, *identity_, *carrier_, *keyring_, ends,
      Peering::Events{
          .up = [this] { services_->announce_all(); },
          .refused = [this](uint64_t id,
                            const std::string& reason) { services_->refused(id, reason); },
          .limits = [this](const Limits& limits) { quotas_->peer_said(limits); }});
  const auto flush_function = [this](std::function<void(Books::Status)> done) {
    flush(std::move(done), true);
  };
  open_chronicle();
  market_ = std::make_unique<Market>(loop_, config_, documents_, *books_);
  if (auto reopened = market_->reopen(); !reopened) return reopened;
  services_ =
      std::make_unique<Services>(config_, documents_, *books_, *carrier_, *peering_, *monitor_,
                                 *topology_, *market_, flush_function, *chronicle_);
  services_->adjust_paths([this](PathState& path) {
    quotas_->apply(path);
    apply_ordered(path, peering_->peer_ordered());
  });
  if (auto reopened = services_->reopen(); !reopened) return reopened;
  watch_payments();
  shop_ = std::make_unique<Shopfront>(config_, documents_, *books_, *services_);
  if (auto reopened = shop_->reopen(); !reopened) return reopened;
  if (config_.flows) open_flows();
  if (auto started = peering_->start(); !started) return started;
  api_ = std::make_unique<Api>(
      loop_, ApiTarget{*services_, documents_, *books_, *feed_, *market_, *shop_, flush_function,
                       [this] { return counters(); }, [this] { return status(); },
                       [this] { return quotas_->usage(); }, [this] { return reload(); }});
  return api_->start(config_.api_listen);
}

void Gateway::watch_payments() {
  arrears_ = std::make_unique<Arrears>(*books_, [this](const Arrears::ByClient& overdue) {
    overdue_ = overdue;
    services_->set_overdue(stricter(overdue_, used_up_));
  });
  credits_ = std::make_unique<Credits>(
      [this](const Credits::Asked& asked) { return books_->look_at_credit(asked); },
      [this](const Credits::ByClient& used_up) {
        used_up_ = used_up;
        services_->set_overdue(stricter(overdue_, used_up_));
      });
  services_->count_spending(
      [this](const std::string& client) { return credits_->pays_ahead(client); });
  tariff_uses_ = std::make_unique<TariffUses>(
      [this](const TariffUses::Clients& clients) { return books_->tariff_uses(clients); },
      [this](TariffUses::ByClient uses) { services_->set_tariff_uses(std::move(uses)); });
}

void Gateway::open_chronicle() {
  feed_ =
      std::make_unique<Feed>(Feed::Limits{}, static_cast<uint64_t>(billing::wall_now_ns() / 1000));
  decisions_ = std::make_unique<DecisionLog>(
      DecisionLog::Options{.folder = config_.state_dir + "/decisions",
                           .gateway = config_.name,
                           .retention = {.file_octets = uint64_t{config_.decisions_file_mb} << 20,
                                         .keep_octets = uint64_t{config_.decisions_keep_mb} << 20,
                                         .keep_days = config_.decisions_keep_days},
                           .notice = [](const std::string& what) { spdlog::warn("{}", what); }});
  chronicle_ = std::make_unique<Chronicle>(*decisions_, *feed_);
  watch_ = std::make_unique<Watch>(*feed_);
  quotas_->on_alert(
      [this](const QuotaAlert& alert) { feed_->publish("quota-alert", to_json(alert)); });
}

void Gateway::open_flows() {
  const FlowsConfig& flows = *config_.flows;
  std::vector<dataplane::FlowAccounts*> accounts;
  for (const auto& worker : workers_->each()) accounts.push_back(worker->accounts());
  flow_records_ =
      std::make_unique<FlowRecords>(config_, std::move(accounts), meters_->region(), *carrier_);
  const billing::IpfixDomain domain{.observation_domain = flows.domain,
                                    .enterprise = flows.enterprise};
  if (flows.collector) {
    flow_export_ = std::make_unique<FlowExport>(
        loop_, FlowExport::Options{.transport = flows.over_tcp ? FlowExport::Transport::tcp
                                                               : FlowExport::Transport::udp,
                                   .collector = *flows.collector,
                                   .domain = domain,
                                   .templates_every = std::chrono::seconds(flows.template_s)});
  }
  if (flows.keep_days != 0) {
    flow_files_ = std::make_unique<FlowFiles>(
        FlowFiles::Options{.folder = config_.state_dir + "/flows",
                           .domain = domain,
                           .retention = {.file_octets = kFlowFile,
                                         .keep_octets = uint64_t{flows.keep_mb} << 20,
                                         .keep_days = flows.keep_days},
                           .notice = [](const std::string& what) { spdlog::warn("{}", what); }});
  }
  loop_.every(kFlows, [this] { put_flows(flow_records_->take(now_by_both_clocks())); });
}

void Gateway::put_flows(std::vector<billing::FlowRecord> records) {
  if (records.empty()) return;
  if (flow_export_) flow_export_->put(records);
  if (flow_files_) flow_files_->put(std::move(records));
}

// Of flows that go on, too: the workers have ended.
void Gateway::put_last_flows() {
  put_flows(flow_records_->take_last(now_by_both_clocks()));
  if (!flow_export_) return;
  flow_export_->finish(kFlowsLast);
  const uint64_t waiting = flow_export_->counts().waiting;
  if (waiting != 0) spdlog::warn("{} flow records did not reach the collector", waiting);
}

// `totals`: with those of paths, which are evidence and may come less often.
void Gateway::flush(std::function<void(Books::Status)> done, bool totals) {
  // A service's slot may go to another after its last flush.
  if (flow_records_) flow_records_->read_rest(now_by_both_clocks());
  books_->flush(usage_->read(totals), [this, done = std::move(done)](Books::Status status) {
    loop_.post([done, status = std::move(status)] { done(status); });
  });
}

void Gateway::tick() {
  while (const dataplane::Address address = workers_->wanted_neighbour())
    topology_->want({address});
  const Ordered ordered = services_->ordered();
  peering_->tell(ordered);
  topology_->tick({.in_use = carrier_->paths_in_use(),
                   .doubted = monitor_->doubted(),
                   .ordered_bps = ordered_rates(ordered, peering_->peer_ordered())},
                  monitor_->remotes());
  services_->tick();
  carrier_->tick();
  watch_->paths(monitor_->states(topology_->path_sizes()));
  watch_->session(peering_->is_up(), config_.peer.name);
}

void Gateway::second() {
  monitor_->measure();
  carrier_->set_path_sizes(monitor_->fitting(topology_->path_sizes()));
  keep_quotas();
  arrears_->tick();
  services_->rate();
  services_->recompute();
  shop_->tick();
  services_->look();
  credits_->tick(services_->spent_by_client(), Credits::Clock::now());
  tariff_uses_->tick([this] { return services_->priced_by_use(); }, TariffUses::Clock::now());
  watch_->ratings(services_->rated());
  keep_keys();
  const bool tell = ++told_ % kTellEvery == 0;
  if (tell) peering_->tell(count_paths());
  if (flushing_) return;  // a slow disk: the next flush covers it
  flushing_ = true;
  flush(
      [this](const Books::Status& status) {
        flushing_ = false;
        if (!status) spdlog::error("usage is not journaled yet: {}", status.error());
      },
      tell || quotas_->any());
}

// Bills and quotas are of the same readings: where there are quotas, those are journaled as often.
void Gateway::keep_quotas() {
  quotas_->second(*usage_);
  if (quotas_->any()) peering_->tell(quotas_->for_peer());
}

void Gateway::keep_keys() {
  double rtt_ms = 0;
  for (const PathState& path : monitor_->states({})) rtt_ms = std::max(rtt_ms, path.rtt_ms);
  keyring_->tick(Keyring::Clock::now(), std::chrono::duration_cast<std::chrono::nanoseconds>(
                                            std::chrono::duration<double, std::milli>(rtt_ms)));
  if (workers_->counters().sealed.get() > kRekeyAfter) peering_->change_keys();
}

Counted Gateway::count_paths() const {
  Counted counted;
  for (const PathConfig& path : config_.peer.paths) {
    const UplinkCount count = usage_->place(dataplane::path_place(path.id));
    counted.paths.push_back({path.id, count.octets[0], count.octets[1]});
  }
  return counted;
}

void Gateway::start_workers() {
  workers_running_ = true;
  for (unsigned w = 0; w < workers_->each().size(); ++w) {
    rte_eal_remote_launch(
        [](void* self) {
          auto* gateway = static_cast<Gateway*>(self);
          gateway->workers_->each()[rte_lcore_id() - dataplane::kWorkerLcore]->run(
              gateway->workers_stop_, gateway->config_.spin);
          return 0;
        },
        this, dataplane::kWorkerLcore + w);
  }
}

void Gateway::stop_workers() {
  if (!workers_running_) return;
  workers_stop_.store(true, std::memory_order_release);
  for (unsigned w = 0; w < workers_->each().size(); ++w)
    rte_eal_wait_lcore(dataplane::kWorkerLcore + w);
  workers_running_ = false;
}

tl::expected<void, std::string> Gateway::run() {
  start_workers();
  loop_.every(kReact, [this] { services_->react(); });
  loop_.every(kTick, [this] { tick(); });
  loop_.every(kSecond, [this] { second(); });
  loop_.every(kAttendPending, [this, skipped = 0]() mutable {
    if (!attendance_ || (!attendance_->pending() && ++skipped < kAttendEvery)) return;
    skipped = 0;
    attendance_->check();
  });
  std::thread stopper;
  loop_.watch(signal_fd_, POLLIN, [this, &stopper](short) {
    signalfd_siginfo info;
    if (read(signal_fd_, &info, sizeof info) != sizeof info || stopper.joinable()) return;
    if (info.ssi_signo == SIGHUP) {
      reload();
      return;
    }
    spdlog::info("stopping");
    // The API may wait for this loop, so it is stopped from elsewhere while the loop goes on.
    stopper = std::thread([this] {
      api_->stop();
      loop_.stop();
    });
  });
  spdlog::info("{} is ready; api on {}", config_.name, to_string(config_.api_listen));
  loop_.run();
  stopper.join();

  stop_workers();
  workers_->finish(rte_rdtsc());
  auto done = std::make_shared<std::promise<Books::Status>>();
  books_->flush(usage_->read(true),
                [done](Books::Status status) { done->set_value(std::move(status)); });
  auto status = done->get_future().get();
  if (flow_records_) put_last_flows();
  if (!status) return status;
  meters_->region().clean = 1;
  spdlog::info("ended; all usage is journaled");
  return {};
}

nlohmann::json Gateway::counters() const {
  const dataplane::Counters c = workers_->counters();
  nlohmann::json drops, flow_records;
  if (flow_export_) {
    const FlowExport::Counts counts = flow_export_->counts();
    flow_records = {{"made", counts.put},
                    {"sent", counts.sent},
                    {"waiting", counts.waiting},
                    {"not_sent", counts.not_sent},
                    {"refused", counts.refused},
                    {"messages", counts.messages},
                    {"connections", counts.connections},
                    {"connected", counts.is_connected}};
  }
  if (flow_files_) {
    const WrittenCounts kept = flow_files_->counts();
    flow_records["kept"] = {
        {"written", kept.written}, {"waiting", kept.waiting}, {"lost", kept.lost}};
  }
  for (size_t i = 0; i < dataplane::kDropCount; ++i)
    drops[std::string(dataplane::kDropNames[i])] = c.drops[i].get();
  return {{"rx", c.rx.get()},
          {"made", c.made.get()},
          {"tx", c.tx.get()},
          {"held", c.held.get()},
          {"absorbed", c.absorbed.get()},
          {"to_kernel", c.to_kernel.get()},
          {"taken_over", c.taken_over.get()},
          {"handed_over", c.handed_over.get()},
          {"repaired", c.repaired.get()},
          {"repaired_in_vain", c.repaired_in_vain.get()},
          {"given_up", c.given_up.get()},
          {"retained", c.retained.get()},
          {"unretained", c.unretained.get()},
          {"diverted", c.diverted.get()},
          {"late", c.late.get()},
          {"gaps", c.gaps.get()},
          {"forced", c.forced.get()},
          {"flows", c.flows.get()},
          {"flows_aged", c.flows_aged.get()},
          {"flows_displaced", c.flows_displaced.get()},
          {"flow_records", flow_records},
          {"drops", drops}};
}

// Octets of each path, as counted here and as the peer said last: what it sent and we did not
// receive was lost on the way.
nlohmann::json Gateway::counted() const {
  nlohmann::json result = nlohmann::json::array();
  const Counted ours = count_paths();
  for (const Counted::Path& path : ours.paths) {
    nlohmann::json entry{{"id", path.id}, {"sent", path.sent}, {"received", path.received}};
    for (const Counted::Path& theirs : peering_->peer_counted().paths) {
      if (theirs.id != path.id) continue;
      entry["peer_sent"] = theirs.sent;
      entry["peer_received"] = theirs.received;
    }
    result.push_back(entry);
  }
  return result;
}

nlohmann::json Gateway::status() const {
  const WrittenCounts kept = decisions_->counts();
  return {{"gateway", config_.name},
          {"peer", config_.peer.name},
          {"session", peering_->is_up() ? "up" : "down"},
          {"session_reached_at", peering_->reached_at()},
          {"key_phases", keyring_->phases()},
          {"paths", counted()},
          {"decisions",
           {{"written", kept.written},
            {"waiting", kept.waiting},
            {"failures", kept.failures},
            {"lost", kept.lost}}},
          {"listeners", feed_->listeners()},
          {"quota_alerts", quotas_->alerts()},
          {"meters_pending", attendance_ != nullptr && attendance_->pending()},
          {"meters_went_backwards", books_->meters_went_backwards()},
          {"meters_alarms", attendance_ == nullptr ? 0 : attendance_->alarms()}};
}

}  // namespace anabranch::control
