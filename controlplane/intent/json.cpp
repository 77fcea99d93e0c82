// SPDX-License-Identifier: Apache-2.0
// JSON by Boost.JSON's parser of events. That parser does not say where it is: it is fed one token
// at a time, so that we know. The only source that includes Boost.JSON's parser (compile time).
#include "controlplane/intent/document.hpp"

#include <boost/json/basic_parser_impl.hpp>

#include <algorithm>
#include <string>

namespace cp {
namespace {

namespace json = boost::json;
using boost::system::error_code;

// The parser's handler; place_ and word_place_ are set before each token is fed.
class Handler {
 public:
  static constexpr std::size_t max_object_size = std::size_t(-1);
  static constexpr std::size_t max_array_size = std::size_t(-1);
  static constexpr std::size_t max_key_size = std::size_t(-1);
  static constexpr std::size_t max_string_size = std::size_t(-1);

  explicit Handler(Document& document) : document_(document) {}

  void set_place(Place place, bool is_word) noexcept {
    place_ = place;
    if (is_word) word_place_ = place;
  }
  bool stopped() const noexcept { return stopped_; }

  bool on_document_begin(error_code&) { return true; }
  bool on_document_end(error_code&) { return true; }
  bool on_object_begin(error_code& ec) { return go_on(document_.begin_map(place_), ec); }
  bool on_object_end(std::size_t, error_code& ec) { return go_on(document_.end_map(), ec); }
  bool on_array_begin(error_code& ec) { return go_on(document_.begin_list(place_), ec); }
  bool on_array_end(std::size_t, error_code& ec) { return go_on(document_.end_list(), ec); }

  bool on_key_part(json::string_view part, std::size_t, error_code&) { return append(part); }
  bool on_key(json::string_view part, std::size_t, error_code& ec) {
    append(part);
    const bool more = document_.key(text_, place_);
    text_.clear();
    return go_on(more, ec);
  }
  bool on_string_part(json::string_view part, std::size_t, error_code&) { return append(part); }
  bool on_string(json::string_view part, std::size_t, error_code& ec) {
    append(part);
    const bool more = document_.scalar({.text = text_, .form = Form::quoted}, place_);
    text_.clear();
    return go_on(more, ec);
  }

  // A number is known to have ended when the token behind it is fed.
  bool on_number_part(json::string_view part, error_code&) { return append(part); }
  bool on_int64(std::int64_t, json::string_view part, error_code& ec) { return number(part, ec); }
  bool on_uint64(std::uint64_t, json::string_view part, error_code& ec) { return number(part, ec); }
  bool on_double(double, json::string_view part, error_code& ec) { return number(part, ec); }
  bool on_bool(bool value, error_code& ec) {
    return word({.text = value ? "true" : "false", .form = Form::boolean}, ec);
  }
  bool on_null(error_code& ec) { return word({.text = "null", .form = Form::null}, ec); }
  bool on_comment_part(json::string_view, error_code&) { return true; }
  bool on_comment(json::string_view, error_code&) { return true; }

 private:
  bool append(json::string_view part) {
    text_.append(part.data(), part.size());
    return true;
  }
  bool number(json::string_view part, error_code& ec) {
    append(part);
    const bool more = word({.text = text_, .form = Form::number}, ec);
    text_.clear();
    return more;
  }
  bool word(const Scalar& scalar, error_code& ec) {
    return go_on(document_.scalar(scalar, word_place_), ec);
  }
  bool go_on(bool more, error_code& ec) {
    if (more) return true;
    stopped_ = true;
    ec = boost::system::errc::make_error_code(boost::system::errc::operation_canceled);
    return false;
  }

  Document& document_;
  Place place_;
  Place word_place_;
  std::string text_;
  bool stopped_ = false;
};

bool is_space(char c) noexcept {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}
bool is_structural(char c) noexcept {
  return c == '{' || c == '}' || c == '[' || c == ']' || c == ',' || c == ':';
}

class JsonReader {
 public:
  JsonReader(std::string_view text, Document& document)
      : text_(text), document_(document), parser_(json::parse_options{}, document) {}

  void run() {
    while (at_ < text_.size()) {
      if (!feed_token()) return;
    }
    error_code error;
    parser_.write_some(false, "", 0, error);
    if (error) refuse(error, place());
  }

 private:
  Place place() const noexcept {
    return {.line = line_, .column = static_cast<std::uint32_t>(at_ - line_start_ + 1)};
  }

  // Blanks and the token behind them.
  bool feed_token() {
    const std::size_t start = at_;
    skip_blanks();
    const Place token_place = place();
    const bool is_word = at_ < text_.size() && !is_structural(text_[at_]) && text_[at_] != '"';
    parser_.handler().set_place(token_place, is_word);
    skip_token();

    error_code error;
    const std::size_t used = parser_.write_some(true, text_.data() + start, at_ - start, error);
    if (!error && used == at_ - start) return true;
    if (!error) error = json::error::extra_data;
    at_ = start + used;
    refuse(error, token_place);
    return false;
  }

  void skip_blanks() noexcept {
    for (; at_ < text_.size() && is_space(text_[at_]); ++at_) {
      if (text_[at_] != '\n') continue;
      ++line_;
      line_start_ = at_ + 1;
    }
  }

  void skip_token() noexcept {
    if (at_ == text_.size()) return;
    const char first = text_[at_++];
    if (is_structural(first)) return;
    if (first == '"') return skip_string();
    while (at_ < text_.size() && !is_space(text_[at_]) && !is_structural(text_[at_]) &&
           text_[at_] != '"') {
      ++at_;
    }
  }

  void skip_string() noexcept {
    for (; at_ < text_.size(); ++at_) {
      if (text_[at_] == '\\') {
        ++at_;
      } else if (text_[at_] == '"') {
        break;
      }
    }
    at_ = std::min(at_ + 1, text_.size());
  }

  void refuse(const error_code& error, Place where) {
    if (parser_.handler().stopped()) return;
    std::string message = "this is no JSON: ";
    if (error == json::error::incomplete) {
      message += "it ends too early";
    } else if (error == json::error::extra_data) {
      message += "something follows behind its end";
    } else if (error == json::error::too_deep) {
      message += "more than 32 levels of nesting";
    } else {
      message += error.message();
    }
    document_.refuse(where, std::move(message));
  }

  std::string_view text_;
  Document& document_;
  json::basic_parser<Handler> parser_;
  std::size_t at_ = 0;
  std::size_t line_start_ = 0;
  std::uint32_t line_ = 1;
};

}  // namespace

void feed_json(std::string_view text, Document& document) {
  JsonReader(text, document).run();
}

}  // namespace cp
