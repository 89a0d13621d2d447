// SPDX-License-Identifier: BSD-3-Clause
// Two network namespaces of this process, joined by a cable: ours (10.1.1.1) with the interface
// `here`, and the neighbour's (10.1.1.2) with `there`. Made afresh for each test; gone with it.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

namespace anabranch::control {

// Runs a shell command in the current namespace; a failure fails the test.
std::string sh(const std::string& command);

class TwoNamespaces : public ::testing::Test {
 protected:
  static constexpr uint16_t kPort = 9188;

  TwoNamespaces();
  ~TwoNamespaces() override;
  TwoNamespaces(const TwoNamespaces&) = delete;
  TwoNamespaces& operator=(const TwoNamespaces&) = delete;

  void in_neighbours_namespace(const std::string& command);
  // A datagram of `payload` octets from 10.1.1.1 or from the neighbour to the other's kPort.
  void send_datagram(size_t payload);
  void neighbour_sends_datagram(size_t payload);

 private:
  int ours_ = -1, neighbours_ = -1;
};

}  // namespace anabranch::control
