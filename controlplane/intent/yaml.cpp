// SPDX-License-Identifier: Apache-2.0
// YAML by the events of libyaml. Aliases, anchors and tags are refused: an intent needs none, and
// without them the text's size bounds the work.
#include "controlplane/intent/events.hpp"

#include <yaml.h>

#include <algorithm>
#include <new>
#include <string>
#include <vector>

namespace cp {
namespace {

Place place_of(const yaml_mark_t& mark) noexcept {
  return {.line = static_cast<std::uint32_t>(mark.line + 1),
          .column = static_cast<std::uint32_t>(mark.column + 1)};
}

class Event {
 public:
  Event() = default;
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  ~Event() { yaml_event_delete(&event_); }

  bool parse(yaml_parser_t& parser) noexcept { return yaml_parser_parse(&parser, &event_) == 1; }
  const yaml_event_t& operator*() const noexcept { return event_; }

 private:
  yaml_event_t event_{};
};

class YamlReader {
 public:
  YamlReader(std::string_view text, Events& events) : text_(text), events_(events) {
    if (yaml_parser_initialize(&parser_) != 1) throw std::bad_alloc();
    yaml_parser_set_input_string(&parser_, reinterpret_cast<const unsigned char*>(text.data()),
                                 text.size());
  }
  YamlReader(const YamlReader&) = delete;
  YamlReader& operator=(const YamlReader&) = delete;
  ~YamlReader() { yaml_parser_delete(&parser_); }

  void run() {
    while (true) {
      Event event;
      if (!event.parse(parser_)) return refuse_syntax();
      if ((*event).type == YAML_STREAM_END_EVENT || !take(*event)) return;
    }
  }

 private:
  // Where the next node of the innermost map or list stands.
  enum class Next : std::uint8_t { key, value, item };

  bool take(const yaml_event_t& event) {
    const Place place = place_of(event.start_mark);
    switch (event.type) {
      case YAML_DOCUMENT_START_EVENT: return begin_document(place);
      case YAML_ALIAS_EVENT: return refuse(place, "an alias (*): write the value out");
      case YAML_SCALAR_EVENT: return scalar(event, place);
      case YAML_MAPPING_START_EVENT:
        if (!allowed(event.data.mapping_start.anchor, event.data.mapping_start.tag, place) ||
            !begin(Next::key, place)) {
          return false;
        }
        return events_.begin_map(place);
      case YAML_SEQUENCE_START_EVENT:
        if (!allowed(event.data.sequence_start.anchor, event.data.sequence_start.tag, place) ||
            !begin(Next::item, place)) {
          return false;
        }
        return events_.begin_list(place);
      case YAML_MAPPING_END_EVENT: end(); return events_.end_map();
      case YAML_SEQUENCE_END_EVENT: end(); return events_.end_list();
      case YAML_NO_EVENT:
      case YAML_STREAM_START_EVENT:
      case YAML_STREAM_END_EVENT:
      case YAML_DOCUMENT_END_EVENT: return true;
    }
    return true;
  }

  bool begin_document(Place place) {
    if (seen_document_) return refuse(place, "a second document: one file holds one");
    seen_document_ = true;
    return true;
  }

  bool begin(Next first, Place place) {
    constexpr std::size_t depth_max = 32;
    if (stack_.size() >= depth_max) return refuse(place, "more than 32 levels of nesting");
    if (!stack_.empty() && stack_.back() == Next::key) {
      return refuse(place, "a map or list as a key");
    }
    stack_.push_back(first);
    return true;
  }

  void end() {
    stack_.pop_back();
    value_ended();
  }

  void value_ended() {
    if (!stack_.empty() && stack_.back() == Next::value) stack_.back() = Next::key;
  }

  bool scalar(const yaml_event_t& event, Place place) {
    const auto& scalar = event.data.scalar;
    if (!allowed(scalar.anchor, scalar.tag, place)) return false;
    const std::string_view text(reinterpret_cast<const char*>(scalar.value), scalar.length);
    if (!stack_.empty() && stack_.back() == Next::key) {
      if (text == "<<") return refuse(place, "a merge key (<<): write the fields out");
      stack_.back() = Next::value;
      return events_.key(text, place);
    }
    value_ended();
    const bool plain = scalar.style == YAML_PLAIN_SCALAR_STYLE;
    return events_.scalar({.text = text, .form = plain ? Form::plain : Form::quoted}, place);
  }

  bool allowed(const unsigned char* anchor, const unsigned char* tag, Place place) {
    if (anchor != nullptr) return refuse(place, "an anchor (&): write each value out");
    if (tag != nullptr) return refuse(place, "a tag (!): the fields know their types");
    return true;
  }

  bool refuse(Place place, const char* what) {
    events_.refuse(place, std::string("YAML with ") + what, {}, base::Errc::unsupported);
    return false;
  }

  void refuse_syntax() {
    if (parser_.problem == nullptr) throw std::bad_alloc();
    std::string message = std::string("this is no YAML: ") + parser_.problem;
    if (parser_.error == YAML_READER_ERROR) {
      message += " (at byte " + std::to_string(parser_.problem_offset) + ")";
      return events_.refuse(place_of_byte(parser_.problem_offset), std::move(message));
    }
    if (parser_.context != nullptr) {
      message += std::string(", ") + parser_.context + " of line " +
                 std::to_string(parser_.context_mark.line + 1);
    }
    if (message.find("cannot start any token") != message.npos) {
      message += "; a tab cannot indent, and texts with @ or ` need quotes";
    }
    events_.refuse(place_of(parser_.problem_mark), std::move(message));
  }

  // The parser knows no line of what it cannot even read as text.
  Place place_of_byte(std::size_t offset) const {
    const std::string_view before = text_.substr(0, offset);
    const std::size_t line_start = before.rfind('\n') + 1;  // 0 where there is none: npos + 1.
    return {.line = static_cast<std::uint32_t>(1 + std::ranges::count(before, '\n')),
            .column = static_cast<std::uint32_t>(1 + offset - line_start)};
  }

  std::string_view text_;
  Events& events_;
  yaml_parser_t parser_{};
  std::vector<Next> stack_;
  bool seen_document_ = false;
};

}  // namespace

void feed_yaml(std::string_view text, Events& events) {
  YamlReader(text, events).run();
}

}  // namespace cp
