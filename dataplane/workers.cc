// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/workers.h"

#include <algorithm>

namespace anabranch::dataplane {

tl::expected<std::unique_ptr<Workers>, std::string> Workers::create(const WorkerOptions& options,
                                                                    const Ports& ports,
                                                                    PlanTable& plans,
                                                                    MeterRegion& meters) {
  std::unique_ptr<Workers> all(new Workers);
  WorkerOptions own = options;
  if (ports.workers > 1) {
    all->crew_ = std::make_unique<Crew>(ports.workers, ports.ring_size);
    if (!all->crew_->is_mapped()) {
      return tl::unexpected<std::string>("workers: no memory for the rings between them");
    }
    all->crew_->ports = ports.queues;
    own.crew = all->crew_.get();
    if (options.flow_accounts) all->crew_->make_note_rings();
  }
  own.owners = meters.owners;
  own.listens = !ports.sockets.empty();
  for (own.id = 0; own.id < ports.workers; ++own.id) {
    own.sockets.clear();
    for (size_t p = own.id; p < ports.sockets.size(); p += ports.workers)  // as Crew::attendant()
      own.sockets.push_back(ports.sockets[p]);
    auto worker = Worker::create(own, plans, meters.workers[own.id]);
    if (!worker) return tl::unexpected(worker.error());
    all->workers_.push_back(std::move(*worker));
  }
  return all;
}

uint32_t Workers::poll(uint64_t now) {
  uint32_t packets = 0;
  uint64_t between = 0;
  for (const auto& worker : workers_) packets += worker->poll(now);
  for (const auto& worker : workers_)
    between += worker->counters().handed_over.get() - worker->counters().taken_over.get();
  return packets + static_cast<uint32_t>(between);
}

void Workers::finish(uint64_t now) {
  uint32_t packets = 0;
  do {
    packets = 0;
    for (const auto& worker : workers_) packets += worker->finish(now);
  } while (packets != 0);
}

Counters Workers::counters() const {
  Counters sum;
  for (const auto& worker : workers_) sum.add(worker->counters());
  return sum;
}

// The peer's beats reach the first, which tells the others.
PathTelemetry Workers::telemetry(uint8_t path) const {
  PathTelemetry joined = workers_.front()->telemetry(path);
  for (const auto& worker : each().subspan(1)) {
    const PathTelemetry& one = worker->telemetry(path);
    joined.received.add(one.received.get());
    joined.expected.add(one.expected.get());
    joined.arrived.add(one.arrived.get());
    joined.given.add(one.given.get());
    joined.suspected.set(std::max(joined.suspected.get(), one.suspected.get()));
    const uint64_t fits = one.fits_octets.get();
    if (fits != 0) joined.fits_octets.set(std::min(joined.fits_octets.get(), fits));
  }
  return joined;
}

Address Workers::wanted_neighbour() {
  for (const auto& worker : workers_) {
    if (const Address address = worker->wanted_neighbour()) return address;
  }
  return 0;
}

}  // namespace anabranch::dataplane
