// SPDX-License-Identifier: Apache-2.0
// What a document says, in the order in which it says it, each with its place. The syntaxes tell it
// to whoever wants to know: Document makes an intent of it, tools make what they need.
#pragma once

#include "controlplane/intent/error.hpp"
#include "controlplane/intent/value.hpp"
#include "dataplane/base/error.hpp"

#include <string>
#include <string_view>

namespace cp {

class Events {
 public:
  virtual ~Events() = default;

  // false: stop, enough has been found wrong.
  virtual bool begin_map(Place place) = 0;
  virtual bool end_map() = 0;
  virtual bool begin_list(Place place) = 0;
  virtual bool end_list() = 0;
  virtual bool key(std::string_view text, Place place) = 0;
  virtual bool scalar(const Scalar& scalar, Place place) = 0;

  // What the syntax itself refuses.
  virtual void refuse(Place place, std::string message, std::string suggestion = {},
                      base::Errc code = base::Errc::malformed) = 0;
};

// The syntax of files for people.
void feed_yaml(std::string_view text, Events& events);

}  // namespace cp
