// SPDX-License-Identifier: Apache-2.0
// A list of objects whose copies share what neither has changed since: a million endpoints lie in
// blocks, a copy costs a pointer per block, a change a copy of the block that it is in. So a change
// of one endpoint has a whole next intent beside the one in force, and two intents that differ by
// little are compared in little time (merge.hpp).
//
// A reference into a list ends with the next change of that list. Lists that share blocks belong to
// one thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <iterator>
#include <memory>
#include <utility>
#include <vector>

namespace cp {

// `T` has a key_less(left, right); sort() brings the list to its order, and what names a place
// (partition_point, insert) keeps it.
template <class T>
class SharedList {
  // 1 KiB of endpoints: small enough that 10,000 changes all over a million copy and compare a
  // quarter of them, large enough that the million are 31,000 pointers.
  static constexpr std::size_t block_size_max = 32;

 public:
  using value_type = T;
  using Block = std::vector<T>;  // Never empty.

  // Forward only. Names a place until the next change of the list.
  class const_iterator {
   public:
    using iterator_category = std::forward_iterator_tag;
    using value_type = T;
    using difference_type = std::ptrdiff_t;
    using pointer = const T*;
    using reference = const T&;

    const_iterator() = default;
    reference operator*() const noexcept { return (**block_)[index_]; }
    pointer operator->() const noexcept { return &**this; }
    const_iterator& operator++() noexcept {
      if (++index_ == (*block_)->size()) {
        ++block_;
        index_ = 0;
      }
      return *this;
    }
    const_iterator operator++(int) noexcept {
      const_iterator before = *this;
      ++*this;
      return before;
    }
    friend bool operator==(const const_iterator&, const const_iterator&) = default;

    // For who compares lists: equal pointers are equal elements.
    const Block* block() const noexcept { return block_->get(); }
    bool begins_block() const noexcept { return index_ == 0; }
    void skip_block() noexcept {
      ++block_;
      index_ = 0;
    }

   private:
    friend class SharedList;
    const_iterator(const std::shared_ptr<Block>* block, std::size_t index) noexcept
        : block_(block), index_(index) {}

    const std::shared_ptr<Block>* block_ = nullptr;
    std::size_t index_ = 0;
  };
  using iterator = const_iterator;

  const_iterator begin() const noexcept { return {blocks_.data(), 0}; }
  const_iterator end() const noexcept { return {blocks_.data() + blocks_.size(), 0}; }
  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }

  // By position, in a time that grows with the list; the second for a change.
  const T& operator[](std::size_t index) const noexcept {
    const auto [block, rest] = find_index(index);
    return (*blocks_[block])[rest];
  }
  T& operator[](std::size_t index) {
    const auto [block, rest] = find_index(index);
    is_sorted_ = false;  // Whatever the caller makes of it.
    return own(block)[rest];
  }
  // Of an element of this list, likewise.
  std::size_t position_of(const T& element) const noexcept {
    std::size_t before = 0;
    for (const auto& block : blocks_) {
      const std::less<const T*> less;
      if (!less(&element, block->data()) && less(&element, block->data() + block->size())) {
        return before + static_cast<std::size_t>(&element - block->data());
      }
      before += block->size();
    }
    return size_;
  }

  void push_back(T element) {
    if (is_sorted_ && size_ > 0) is_sorted_ = !key_less(element, blocks_.back()->back());
    if (blocks_.empty() || blocks_.back()->size() == block_size_max) {
      blocks_.push_back(std::make_shared<Block>());
      blocks_.back()->reserve(block_size_max);
    }
    own(blocks_.size() - 1).push_back(std::move(element));
    ++size_;
  }
  void reserve(std::size_t size) { blocks_.reserve((size + block_size_max - 1) / block_size_max); }
  void clear() noexcept { *this = SharedList(); }

  // The first element for which before(element) is false; of a sorted list.
  template <class F>
  const_iterator partition_point(F&& before) const {
    const auto block = std::partition_point(blocks_.begin(), blocks_.end(),
                                            [&](const auto& each) { return before(each->back()); });
    if (block == blocks_.end()) return end();
    const auto at = std::partition_point((*block)->begin(), (*block)->end(), before);
    return {&*block, static_cast<std::size_t>(at - (*block)->begin())};
  }

  void insert(const_iterator at, T element) {
    if (at == end()) return push_back(std::move(element));
    std::size_t number = number_of(at);
    std::size_t index = at.index_;
    if (blocks_[number]->size() == block_size_max) {
      split(number);
      if (index >= block_size_max / 2) {
        ++number;
        index -= block_size_max / 2;
      }
    }
    Block& block = own(number);
    block.insert(block.begin() + static_cast<std::ptrdiff_t>(index), std::move(element));
    ++size_;
  }
  // By one of the same key.
  void replace(const_iterator at, T element) { own(number_of(at))[at.index_] = std::move(element); }
  void erase(const_iterator at) {
    const std::size_t number = number_of(at);
    Block& block = own(number);
    block.erase(block.begin() + static_cast<std::ptrdiff_t>(at.index_));
    --size_;
    if (block.empty()) {
      blocks_.erase(blocks_.begin() + static_cast<std::ptrdiff_t>(number));
    } else if (number + 1 < blocks_.size() &&
               block.size() + blocks_[number + 1]->size() <= block_size_max / 2) {
      append_next(number);
    }
  }

  // Stable. Costs nothing where the list is known to be in order.
  void sort() {
    if (is_sorted_) return;
    const auto less = [](const T& left, const T& right) {
      return key_less(left, right);
    };
    if (!std::is_sorted(begin(), end(), less)) {
      std::vector<T> all(begin(), end());
      std::stable_sort(all.begin(), all.end(), less);
      clear();
      reserve(all.size());
      for (T& element : all) push_back(std::move(element));
    }
    is_sorted_ = true;
  }
  bool is_sorted() const noexcept { return is_sorted_; }

  friend bool operator==(const SharedList& left, const SharedList& right) noexcept {
    if (left.size_ != right.size_) return false;
    const_iterator other = right.begin();
    for (const_iterator at = left.begin(); at != left.end();) {
      if (at.begins_block() && other.begins_block() && at.block() == other.block()) {
        at.skip_block();
        other.skip_block();
      } else if (!(*at++ == *other++)) {
        return false;
      }
    }
    return true;
  }

 private:
  std::pair<std::size_t, std::size_t> find_index(std::size_t index) const noexcept {
    std::size_t block = 0;
    for (; index >= blocks_[block]->size(); ++block) index -= blocks_[block]->size();
    return {block, index};
  }
  std::size_t number_of(const_iterator at) const noexcept {
    return static_cast<std::size_t>(at.block_ - blocks_.data());
  }

  // The block for a change: a copy, where another list has it too.
  Block& own(std::size_t number) {
    std::shared_ptr<Block>& block = blocks_[number];
    if (block.use_count() != 1) {
      auto copy = std::make_shared<Block>();
      copy->reserve(block_size_max);
      copy->assign(block->begin(), block->end());
      block = std::move(copy);
    }
    return *block;
  }
  void split(std::size_t number) {
    Block& first = own(number);
    const auto half = first.begin() + static_cast<std::ptrdiff_t>(block_size_max / 2);
    auto second = std::make_shared<Block>();
    second->reserve(block_size_max);
    second->assign(std::make_move_iterator(half), std::make_move_iterator(first.end()));
    first.erase(half, first.end());
    blocks_.insert(blocks_.begin() + static_cast<std::ptrdiff_t>(number + 1), std::move(second));
  }
  void append_next(std::size_t number) {
    Block& block = own(number);
    const Block& next = *blocks_[number + 1];
    block.insert(block.end(), next.begin(), next.end());
    blocks_.erase(blocks_.begin() + static_cast<std::ptrdiff_t>(number + 1));
  }

  std::vector<std::shared_ptr<Block>> blocks_;
  std::size_t size_ = 0;
  bool is_sorted_ = true;
};

}  // namespace cp
