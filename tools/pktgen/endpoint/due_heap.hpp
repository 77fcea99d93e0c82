// SPDX-License-Identifier: Apache-2.0
// Which of many numbered things is due next: a binary heap whose keys can be changed in place.
// Equal times are ordered by number, so that runs repeat exactly.
#pragma once

#include "tools/pktgen/roce/stamp.hpp"

#include <cstddef>
#include <vector>

namespace pktgen {

class DueHeap {
 public:
  // Numbers count up from 0 in the order of this call.
  void add(Time due) {
    due_.push_back(due);
    place_.push_back(order_.size());
    order_.push_back(due_.size() - 1);
    rise(order_.size() - 1);
  }

  bool empty() const noexcept { return order_.empty(); }
  std::size_t first() const noexcept { return order_.front(); }
  Time first_due() const noexcept { return order_.empty() ? never : due_[order_.front()]; }

  void change(std::size_t number, Time due) {
    if (due_[number] == due) return;
    due_[number] = due;
    rise(place_[number]);
    sink(place_[number]);
  }

 private:
  bool before(std::size_t a, std::size_t b) const noexcept {
    return due_[a] != due_[b] ? due_[a] < due_[b] : a < b;
  }
  void put(std::size_t place, std::size_t number) noexcept {
    order_[place] = number;
    place_[number] = place;
  }
  void rise(std::size_t place) noexcept {
    const std::size_t number = order_[place];
    while (place > 0 && before(number, order_[(place - 1) / 2])) {
      put(place, order_[(place - 1) / 2]);
      place = (place - 1) / 2;
    }
    put(place, number);
  }
  void sink(std::size_t place) noexcept {
    const std::size_t number = order_[place];
    for (std::size_t child = 2 * place + 1; child < order_.size(); child = 2 * place + 1) {
      if (child + 1 < order_.size() && before(order_[child + 1], order_[child])) ++child;
      if (!before(order_[child], number)) break;
      put(place, order_[child]);
      place = child;
    }
    put(place, number);
  }

  std::vector<Time> due_;           // By number.
  std::vector<std::size_t> place_;  // By number, in order_.
  std::vector<std::size_t> order_;  // The heap: numbers.
};

}  // namespace pktgen
