// SPDX-License-Identifier: Apache-2.0
#include "tools/pktgen/profile/read.hpp"

#include "controlplane/intent/value.hpp"
#include "tools/pktgen/profile/check.hpp"
#include "tools/pktgen/profile/fields.hpp"
#include "tools/pktgen/profile/tree.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>
#include <utility>

namespace pktgen {
namespace {

using cp::FieldInfo;
using cp::FieldType;
using cp::Scalar;

// "20k" → "20000"; nullopt where nothing is to be expanded.
std::optional<std::string> expanded(const std::string& text) {
  if (text.size() < 2) return std::nullopt;
  const std::string_view zeros = text.back() == 'k'   ? "000"
                                 : text.back() == 'M' ? "000000"
                                 : text.back() == 'G' ? "000000000"
                                                      : "";
  const std::string digits = text.substr(0, text.size() - 1);
  if (zeros.empty() || digits.find_first_not_of("0123456789") != std::string::npos) {
    return std::nullopt;
  }
  return digits + std::string(zeros);
}

class Reader final : public Visitor {
 public:
  Reader(const Node& root, const std::string& file) : file_(file), map_(&root) {}

  void read(Profile& profile) {
    if (map_->kind != Node::Kind::map) {
      // An empty file has no place in it.
      const cp::Place start{.line = 1, .column = 1};
      refuse(map_->place.line == 0 ? start : map_->place, "",
             "a profile is a map of fields: see weir-pktgen --fields");
      return;
    }
    visit(*this, profile);
    find_unknown();
  }
  cp::Errors take_errors() { return std::move(errors_); }

  void add_faults(const std::vector<Fault>& faults) {
    for (const Fault& fault : faults) {
      refuse(place_of(fault.path), fault.path, fault.message, fault.suggestion);
    }
  }

  void text(std::string_view name, std::string& value, std::string_view help) override {
    read_scalar(name, value, {.name = name, .type = FieldType::text, .help = help}, cp::parse_text);
  }
  void mac(std::string_view name, base::MacAddress& value, std::string_view help) override {
    read_scalar(name, value, {.name = name, .type = FieldType::mac, .help = help}, cp::parse_mac);
  }
  void ip(std::string_view name, base::IpAddress& value, std::string_view help) override {
    read_scalar(name, value, {.name = name, .type = FieldType::ip, .help = help}, cp::parse_ip);
  }
  void section(std::string_view name, std::string_view, const Fields& fields,
               bool* present) override {
    const Entry* entry = find(name);
    if (entry == nullptr) return;
    if (present != nullptr) *present = true;
    if (entry->value.kind != Node::Kind::map) {
      refuse(entry->value.place, path_of(name), "must be a map of fields");
      return;
    }
    inside(entry->value, path_of(name), fields);
  }
  void list(std::string_view name, std::string_view, const Fields& item) override {
    const Entry* entry = find(name);
    if (entry == nullptr) return;
    if (entry->value.kind != Node::Kind::list) {
      refuse(entry->value.place, path_of(name), "must be a list");
      return;
    }
    for (std::size_t i = 0; i < entry->value.items.size(); ++i) {
      const Node& node = entry->value.items[i];
      const std::string path = path_of(name) + "[" + std::to_string(i) + "]";
      if (node.kind == Node::Kind::map) {
        inside(node, path, item);
      } else {
        refuse(node.place, path, "must be a map of fields");
      }
    }
  }

 private:
  void visit_number(std::string_view name, std::uint64_t& value, const NumberText& what) override {
    const FieldInfo info{.name = name,
                         .type = FieldType::number,
                         .help = what.help,
                         .unit = what.unit,
                         .least = what.least,
                         .most = what.most};
    read_scalar(name, value, info, [&](const Scalar& scalar, const FieldInfo& field) {
      const auto long_form =
          what.scaled ? expanded(std::string(scalar.text)) : std::optional<std::string>{};
      return cp::parse_number({.text = long_form ? *long_form : scalar.text, .form = scalar.form},
                              field);
    });
  }
  void visit_choice(std::string_view name, std::size_t& value,
                    std::span<const std::string_view> words, std::string_view help) override {
    read_scalar(name, value,
                {.name = name, .type = FieldType::choice, .help = help, .choices = words},
                cp::parse_choice);
  }

  template <class T, class Parse>
  void read_scalar(std::string_view name, T& value, const FieldInfo& info, Parse&& parse) {
    const Entry* entry = find(name);
    if (entry == nullptr) return;
    if (entry->value.kind != Node::Kind::scalar) {
      refuse(entry->place, path_of(name), "must be a single value: " + cp::range_text(info));
      return;
    }
    auto parsed = parse(Scalar{.text = entry->value.text, .form = entry->value.form}, info);
    if (parsed) {
      value = std::move(*parsed);
    } else {
      refuse(entry->value.place, path_of(name), parsed.error().message, parsed.error().suggestion);
    }
  }

  const Entry* find(std::string_view name) {
    known_.push_back(name);
    const Entry* entry = map_->find(name);
    if (entry != nullptr) places_[path_of(name)] = entry->value.place;
    return entry;
  }
  void inside(const Node& map, const std::string& path, const Fields& fields) {
    const Node* outer_map = std::exchange(map_, &map);
    const std::string outer_path = std::exchange(path_, path);
    const auto outer_known = std::exchange(known_, {});
    places_[path] = map.place;
    fields(*this);
    find_unknown();
    map_ = outer_map;
    path_ = outer_path;
    known_ = outer_known;
  }
  // After all fields that there are have been asked for.
  void find_unknown() {
    for (const Entry& entry : map_->entries) {
      if (std::ranges::find(known_, std::string_view(entry.key)) != known_.end()) continue;
      refuse(entry.place, path_of(entry.key), "there is no such field",
             cp::nearest(entry.key, known_));
    }
  }

  std::string path_of(std::string_view name) const {
    return path_.empty() ? std::string(name) : path_ + "." + std::string(name);
  }
  // Of the field, or of what it would stand in.
  cp::Place place_of(std::string path) const {
    while (true) {
      if (const auto found = places_.find(path); found != places_.end()) return found->second;
      const std::size_t dot = path.find_last_of(".[");
      if (dot == std::string::npos) return {.line = 1, .column = 1};
      path.resize(dot);
    }
  }
  void refuse(cp::Place place, std::string field, std::string message,
              std::string suggestion = {}) {
    errors_.push_back({.code = base::Errc::invalid_argument,
                       .message = std::move(message),
                       .object = {},
                       .field = std::move(field),
                       .file = file_,
                       .place = place,
                       .suggestion = std::move(suggestion)});
  }

  const std::string& file_;
  const Node* map_;
  std::string path_;
  std::vector<std::string_view> known_;  // Names asked for in this map.
  std::map<std::string, cp::Place, std::less<>> places_;
  cp::Errors errors_;
};

cp::Result<std::string> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (file) text << file.rdbuf();
  if (!file) {
    return cp::fail({.code = base::Errc::io,
                     .message = std::string("cannot be read: ") + std::strerror(errno),
                     .file = path});
  }
  return text.str();
}

}  // namespace

cp::Result<Profile> read_profile(std::string_view text, const std::string& file) {
  const auto tree = read_tree(text, file);
  if (!tree) return std::unexpected(tree.error());
  Profile profile;
  profile.name = std::filesystem::path(file).stem().string();
  Reader reader(*tree, file);
  reader.read(profile);
  cp::Errors errors = reader.take_errors();
  if (errors.empty()) {
    reader.add_faults(find_faults(profile));
    errors = reader.take_errors();
  }
  if (!errors.empty()) return std::unexpected(std::move(errors));
  return profile;
}

cp::Result<Profile> load_profile(const std::string& name_or_path) {
  std::vector<std::string_view> names;
  for (const ShippedProfile& shipped : shipped_profiles()) {
    if (name_or_path == shipped.name) return read_profile(shipped.text, name_or_path);
    names.push_back(shipped.name);
  }
  std::error_code ignored;
  if (!std::filesystem::exists(name_or_path, ignored)) {
    return cp::fail({.code = base::Errc::not_found,
                     .message = "is neither a file nor a profile that comes with the program "
                                "(weir-pktgen --list)",
                     .file = name_or_path,
                     .suggestion = cp::nearest(name_or_path, names)});
  }
  const auto text = read_file(name_or_path);
  if (!text) return std::unexpected(text.error());
  return read_profile(*text, name_or_path);
}

}  // namespace pktgen
