// SPDX-License-Identifier: Apache-2.0
// An object in memory of one socket, for what one worker reads and writes all the time.
#pragma once

#include <rte_malloc.h>

#include <memory>
#include <new>
#include <utility>

namespace dp {

template <class T>
struct FreeOnSocket {
  bool is_of_dpdk = true;
  void operator()(T* object) const noexcept {
    std::destroy_at(object);
    if (is_of_dpdk) {
      rte_free(object);
    } else {
      ::operator delete(object, std::align_val_t{alignof(T)});
    }
  }
};
template <class T>
using OnSocket = std::unique_ptr<T, FreeOnSocket<T>>;

// Where DPDK has no memory there, wherever the heap takes it from. `socket`: SOCKET_ID_ANY too.
template <class T, class... Arguments>
OnSocket<T> make_on_socket(int socket, Arguments&&... arguments) {
  void* memory = rte_malloc_socket(nullptr, sizeof(T), alignof(T), socket);
  const bool is_of_dpdk = memory != nullptr;
  if (!is_of_dpdk) memory = ::operator new(sizeof(T), std::align_val_t{alignof(T)});
  return OnSocket<T>(new (memory) T(std::forward<Arguments>(arguments)...),
                     FreeOnSocket<T>{.is_of_dpdk = is_of_dpdk});
}

}  // namespace dp
