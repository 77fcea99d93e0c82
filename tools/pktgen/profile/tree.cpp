// SPDX-License-Identifier: Apache-2.0
#include "tools/pktgen/profile/tree.hpp"

namespace pktgen {
namespace {

class Builder final : public cp::Events {
 public:
  explicit Builder(const std::string& file) : file_(file) {}

  bool begin_map(cp::Place place) override { return begin(Node::Kind::map, place); }
  bool begin_list(cp::Place place) override { return begin(Node::Kind::list, place); }
  bool end_map() override { return end(); }
  bool end_list() override { return end(); }

  bool key(std::string_view text, cp::Place place) override {
    Node& map = *open_.back();
    if (const Entry* before = map.find(text)) {
      refuse(place,
             std::string(text) + " is given twice (before in line " +
                 std::to_string(before->place.line) + ")",
             {}, base::Errc::invalid_argument);
    }
    map.entries.push_back({.key = std::string(text), .place = place, .value = {}});
    return go_on();
  }
  bool scalar(const cp::Scalar& scalar, cp::Place place) override {
    Node& node = next();
    node.kind = Node::Kind::scalar;
    node.place = place;
    node.text = scalar.text;
    node.form = scalar.form;
    return go_on();
  }
  void refuse(cp::Place place, std::string message, std::string suggestion,
              base::Errc code) override {
    errors_.push_back({.code = code,
                       .message = std::move(message),
                       .object = {},
                       .field = {},
                       .file = file_,
                       .place = place,
                       .suggestion = std::move(suggestion)});
  }

  cp::Result<Node> take() {
    if (!errors_.empty()) return std::unexpected(std::move(errors_));
    return std::move(root_);
  }

 private:
  bool go_on() const noexcept { return errors_.size() < cp::error_count_max; }

  // The node that comes into being. Pointers to open nodes stay valid: only the innermost grows.
  Node& next() {
    if (open_.empty()) return root_;
    Node& parent = *open_.back();
    if (parent.kind == Node::Kind::map) return parent.entries.back().value;
    return parent.items.emplace_back();
  }
  bool begin(Node::Kind kind, cp::Place place) {
    Node& node = next();
    node.kind = kind;
    node.place = place;
    open_.push_back(&node);
    return go_on();
  }
  bool end() {
    open_.pop_back();
    return go_on();
  }

  const std::string& file_;
  Node root_;
  std::vector<Node*> open_;
  cp::Errors errors_;
};

}  // namespace

const Entry* Node::find(std::string_view key) const noexcept {
  for (const Entry& entry : entries) {
    if (entry.key == key) return &entry;
  }
  return nullptr;
}

cp::Result<Node> read_tree(std::string_view text, const std::string& file) {
  Builder builder(file);
  cp::feed_yaml(text, builder);
  return builder.take();
}

}  // namespace pktgen
