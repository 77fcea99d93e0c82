// SPDX-License-Identifier: Apache-2.0
// Events of a document of any syntax → intent or object. The syntaxes know nothing of fields, this
// knows nothing of commas; what it does not expect it names, skips and reads on.
#pragma once

#include "controlplane/intent/describe.hpp"
#include "controlplane/intent/events.hpp"
#include "controlplane/intent/read.hpp"
#include "controlplane/intent/value.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <vector>

namespace cp {

// Bit i: field i of the description.
using FieldMask = std::uint32_t;

// Where an object and each of its fields stand in the text.
template <class T>
struct ObjectPlace {
  Place start;
  std::array<Place, field_count<T>> fields;
};

class Document final : public Events {
 public:
  // A whole intent.
  explicit Document(const ReadOptions& options);
  // One object. Fields of `given` need not be in the text, those of `fixed` cannot differ from it.
  Document(const ReadOptions& options, Object start, FieldMask given, FieldMask fixed);

  bool begin_map(Place place) override;
  bool end_map() override;
  bool begin_list(Place place) override;
  bool end_list() override;
  bool key(std::string_view text, Place place) override;
  bool scalar(const Scalar& scalar, Place place) override;

  void refuse(Place place, std::string message, std::string suggestion = {},
              base::Errc code = base::Errc::malformed) override;
  bool has_errors() const noexcept { return !errors_.empty(); }
  // Behind the end of a document another one begins, which goes on with the same lists. False: it
  // is one object that is read, and there is no more of it.
  bool begin_again();

  // After the last event. The intent is validated and sorted.
  Result<Intent> take_intent();
  Result<Object> take_object();

 private:
  enum class Level : std::uint8_t { before, intent, kind_list, object, item_list, after };

  bool go_on() const noexcept { return errors_.size() < error_count_max && !full_; }
  bool unexpected(Place place, std::string_view found);
  std::string expected() const;
  bool skip_container();
  bool begin_object(Place place);
  bool end_object();
  bool key_of_intent(std::string_view text, Place place);
  bool key_of_object(std::string_view text, Place place);
  // Calls f(list) with the member that is the list being read.
  template <class F>
  void visit_list(F&& f);
  bool item_of_list(const Scalar& scalar, Place place);
  template <class T>
  bool set(T& object, const Scalar& scalar, Place place);
  template <class M>
  std::expected<M, ValueFault> parse(const Scalar& scalar, const FieldInfo& field);
  void refuse_field(Place place, ValueFault fault);
  void find_missing(Place place);
  void name_errors();
  void add_places(std::vector<struct Finding> findings);

  const ReadOptions& options_;  // Borrowed from the caller of read_…().
  Errors errors_;
  Level level_ = Level::before;
  bool only_object_;         // One object instead of an intent.
  bool full_ = false;        // A count limit was passed; nothing more is read.
  bool skip_value_ = false;  // The value of a key that was refused comes next.
  std::uint32_t skip_depth_ = 0;

  Intent intent_;
  std::tuple<std::vector<ObjectPlace<Port>>, std::vector<ObjectPlace<Vtep>>,
             std::vector<ObjectPlace<Network>>, std::vector<ObjectPlace<Endpoint>>,
             std::vector<ObjectPlace<NextHop>>, std::vector<ObjectPlace<HostRule>>,
             std::vector<ObjectPlace<Queue>>>
      places_;
  std::uint32_t kinds_seen_ = 0;  // Bit per ObjectKind.

  // The object being read.
  ObjectKind kind_ = ObjectKind::port;
  Object start_;
  FieldMask start_given_ = 0;
  FieldMask fixed_ = 0;
  Object object_;
  FieldMask given_ = 0;
  FieldMask seen_ = 0;
  Place object_place_;
  std::array<Place, 24> field_places_{};
  std::size_t errors_before_ = 0;
  std::size_t field_ = 0;

  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept {
      return std::hash<std::string_view>{}(text);
    }
  };
  // So that equal names share their text.
  std::unordered_map<std::string, Name, TextHash, std::equal_to<>> known_names_;
};

// The other syntax (feed_yaml(): events.hpp).
void feed_json(std::string_view text, Document& document);

}  // namespace cp
