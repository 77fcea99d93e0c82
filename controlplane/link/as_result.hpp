// SPDX-License-Identifier: Apache-2.0
// For co_await: what an operation of Asio ends with, its error first, and not as a throw.
#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace cp {

inline constexpr auto as_result = boost::asio::as_tuple(boost::asio::use_awaitable);

}  // namespace cp
