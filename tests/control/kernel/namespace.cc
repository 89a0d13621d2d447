// SPDX-License-Identifier: BSD-3-Clause
#include "tests/control/kernel/namespace.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <vector>

namespace anabranch::control {
namespace {

int new_namespace() {
  EXPECT_EQ(unshare(CLONE_NEWNET), 0) << "network namespaces need root";
  sh("ip link set lo up; sysctl -qw net.ipv6.conf.all.disable_ipv6=1 "
     "net.ipv6.conf.default.disable_ipv6=1");
  return open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
}

// From the port to the same port, as gateways do it when nothing is between them.
void send_to(const char* address, uint16_t port, size_t payload) {
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  sockaddr_in own{}, to{};
  own.sin_family = to.sin_family = AF_INET;
  own.sin_port = to.sin_port = htons(port);
  inet_pton(AF_INET, address, &to.sin_addr);
  EXPECT_EQ(bind(fd, reinterpret_cast<const sockaddr*>(&own), sizeof own), 0);
  const std::vector<char> octets(payload);
  EXPECT_EQ(
      sendto(fd, octets.data(), payload, 0, reinterpret_cast<const sockaddr*>(&to), sizeof to),
      static_cast<ssize_t>(payload));
  close(fd);
}

}  // namespace

std::string sh(const std::string& command) {
  std::string output;
  FILE* pipe = popen((command + " 2>&1").c_str(), "re");
  std::array<char, 256> part;
  while (fgets(part.data(), part.size(), pipe) != nullptr) output += part.data();
  EXPECT_EQ(pclose(pipe), 0) << command << "\n" << output;
  return output;
}

TwoNamespaces::TwoNamespaces() {
  neighbours_ = new_namespace();
  ours_ = new_namespace();
  sh("ip link add here type veth peer name there netns /proc/" + std::to_string(getpid()) + "/fd/" +
     std::to_string(neighbours_));
  const std::string ipv6 = "sysctl -qw net.ipv6.conf.";
  sh(ipv6 + "here.disable_ipv6=0; ip address add 10.1.1.1/30 dev here; ip link set here up");
  in_neighbours_namespace(
      ipv6 + "there.disable_ipv6=0; ip address add 10.1.1.2/30 dev there; ip link set there up");
}

TwoNamespaces::~TwoNamespaces() {
  close(ours_);
  close(neighbours_);
}

void TwoNamespaces::in_neighbours_namespace(const std::string& command) {
  ASSERT_EQ(setns(neighbours_, CLONE_NEWNET), 0);
  sh(command);
  ASSERT_EQ(setns(ours_, CLONE_NEWNET), 0);
}

void TwoNamespaces::send_datagram(size_t payload) {
  send_to("10.1.1.2", kPort, payload);
}

void TwoNamespaces::neighbour_sends_datagram(size_t payload) {
  ASSERT_EQ(setns(neighbours_, CLONE_NEWNET), 0);
  send_to("10.1.1.1", kPort, payload);
  ASSERT_EQ(setns(ours_, CLONE_NEWNET), 0);
}

}  // namespace anabranch::control

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
