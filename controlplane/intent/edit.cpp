// SPDX-License-Identifier: Apache-2.0
#include "controlplane/intent/edit.hpp"

#include "controlplane/intent/fields.hpp"

#include <algorithm>

namespace cp {
namespace {

Error error_of(base::Errc code, std::string object, std::string message) {
  return {.code = code,
          .message = std::move(message),
          .object = std::move(object),
          .field = {},
          .file = {},
          .place = {},
          .suggestion = {}};
}

// Where the object of this key is, or would be.
template <class T>
auto place_in(std::vector<T>& list, const T& object) {
  return std::lower_bound(list.begin(), list.end(), object,
                          [](const T& left, const T& right) { return key_less(left, right); });
}
template <class T>
auto place_in(SharedList<T>& list, const T& object) {
  return list.partition_point([&](const T& each) { return key_less(each, object); });
}

template <class T>
void replace_at(std::vector<T>&, typename std::vector<T>::iterator at, T object) {
  *at = std::move(object);
}
template <class T>
void replace_at(SharedList<T>& list, typename SharedList<T>::const_iterator at, T object) {
  list.replace(at, std::move(object));
}

// Names that an endpoint says get the text of the object that has them: there may be a million, and
// names that share one are compared without a look at it.
void share_names(const Intent& intent, Endpoint& endpoint) {
  const auto share = [](Name& name, const auto* object) {
    if (object != nullptr) name = object->name;
  };
  share(endpoint.network, find_network(intent, endpoint.network.view()));
  share(endpoint.vtep, find_vtep(intent, endpoint.vtep.view()));
  share(endpoint.port, find_port(intent, endpoint.port.view()));
}
template <class T>
void share_names(const Intent&, T&) {}

template <class T>
bool is_at(const ListOf<T>& list, typename ListOf<T>::const_iterator at, const T& object) {
  return at != list.end() && !key_less(object, *at);
}

}  // namespace

Error no_such(const Intent& intent, ObjectKind kind, std::string_view key) {
  Error error = error_of(base::Errc::not_found, title_of(kind, key),
                         "there is no such " + std::string(noun(kind)));
  std::vector<std::string> keys;
  visit_kind(kind, [&]<class T>(std::type_identity<T>) {
    // Among more than this nobody searches by eye, and the distance costs time.
    constexpr std::size_t keys_max = 10'000;
    for (const T& object : list_of<T>(intent)) {
      if (keys.size() < keys_max) keys.push_back(key_of(object));
    }
  });
  error.suggestion = nearest(key, {keys.begin(), keys.end()});
  return error;
}

namespace {

std::unexpected<Errors> not_found(const Intent& intent, ObjectKind kind, std::string_view key) {
  return fail(no_such(intent, kind, key));
}

// Calls f(title) for each object that refers to the one of `kind` and `name`.
template <class F>
void for_each_user(const Intent& intent, ObjectKind kind, std::string_view name, F&& f) {
  const auto scan = [&]<class T>(const ListOf<T>& list, Name T::* member) {
    for (const T& object : list) {
      if ((object.*member).view() == name) f(object);
    }
  };
  const auto scan_lists = [&]<class T>(const std::vector<T>& list, std::vector<Name> T::* member) {
    for (const T& object : list) {
      const std::vector<Name>& names = object.*member;
      if (std::any_of(names.begin(), names.end(),
                      [&](const Name& used) { return used.view() == name; })) {
        f(object);
      }
    }
  };
  switch (kind) {
    case ObjectKind::port:
      scan(intent.ports, &Port::peer);
      scan(intent.vteps, &Vtep::port);
      scan(intent.endpoints, &Endpoint::port);
      scan(intent.next_hops, &NextHop::port);
      scan(intent.queues, &Queue::port);
      return;
    case ObjectKind::vtep:
      scan(intent.vteps, &Vtep::source);
      scan_lists(intent.networks, &Network::flood);
      scan(intent.endpoints, &Endpoint::vtep);
      return;
    case ObjectKind::network:
      scan(intent.ports, &Port::network);
      scan(intent.endpoints, &Endpoint::network);
      return;
    case ObjectKind::next_hop: scan_lists(intent.vteps, &Vtep::next_hops); return;
    case ObjectKind::endpoint:
    case ObjectKind::host_rule:
    case ObjectKind::queue: return;
  }
}

struct Users {
  std::vector<std::string> titles;
  std::size_t count = 0;
};

Users find_users(const Intent& intent, ObjectKind kind, std::string_view key, std::size_t most) {
  Users users;
  for_each_user(intent, kind, key, [&]<class T>(const T& object) {
    const std::string own_key = key_of(object);
    if (kind_of_type<T> == kind && own_key == key) return;  // A port that is its own peer.
    ++users.count;
    if (users.titles.size() < most) users.titles.push_back(title_of(kind_of_type<T>, own_key));
  });
  return users;
}

std::string join(const Users& users) {
  std::string text;
  for (std::size_t i = 0; i < users.titles.size(); ++i) {
    const bool last = i + 1 == users.count;
    if (i > 0) text += last ? " and " : ", ";
    text += users.titles[i];
  }
  const std::size_t more = users.count - users.titles.size();
  if (more > 0) text += " and " + std::to_string(more) + " more";
  return text;
}

}  // namespace

Status add(Intent& intent, Object object) {
  return std::visit(
      [&]<class T>(T& concrete) -> Status {
        share_names(intent, concrete);
        auto& list = list_of<T>(intent);
        const auto at = place_in(list, concrete);
        if (is_at(list, at, concrete)) {
          return fail(error_of(base::Errc::already_exists, title_of(object),
                               "exists already; set changes it"));
        }
        list.insert(at, std::move(concrete));
        return {};
      },
      object);
}

Status replace(Intent& intent, Object object) {
  return std::visit(
      [&]<class T>(T& concrete) -> Status {
        share_names(intent, concrete);
        auto& list = list_of<T>(intent);
        const auto at = place_in(list, concrete);
        if (!is_at(list, at, concrete)) {
          return not_found(intent, kind_of(object), key_of(concrete));
        }
        replace_at(list, at, std::move(concrete));
        return {};
      },
      object);
}

void put(Intent& intent, Object object) {
  std::visit(
      [&]<class T>(T& concrete) {
        share_names(intent, concrete);
        auto& list = list_of<T>(intent);
        const auto at = place_in(list, concrete);
        if (is_at(list, at, concrete)) {
          replace_at(list, at, std::move(concrete));
        } else {
          list.insert(at, std::move(concrete));
        }
      },
      object);
}

Status remove(Intent& intent, ObjectKind kind, std::string_view key) {
  const auto object = find(intent, kind, key);
  if (!object) return not_found(intent, kind, key);
  constexpr std::size_t named_users_max = 5;
  const Users users = find_users(intent, kind, key, named_users_max);
  if (users.count > 0) {
    return fail(error_of(base::Errc::in_use, title_of(*object),
                         "is in use by " + join(users) + "; remove or change these first"));
  }
  std::visit(
      [&]<class T>(const T& concrete) {
        auto& list = list_of<T>(intent);
        list.erase(place_in(list, concrete));
      },
      *object);
  return {};
}

Status set(Intent& intent, ObjectKind kind, std::string_view key,
           const std::vector<FieldSetting>& settings) {
  auto object = find(intent, kind, key);
  if (!object) return not_found(intent, kind, key);
  Errors errors;
  for (const FieldSetting& setting : settings) {
    const FieldInfo* field = find_field(kind, setting.field);
    if (field != nullptr && field->key) {
      if (field_text(*object, setting.field) == setting.text) continue;
      Error error = error_of(
          base::Errc::invalid_argument, title_of(*object),
          "cannot be changed; add a new " + std::string(noun(kind)) + " and remove this one");
      error.field = setting.field;
      errors.push_back(std::move(error));
      continue;
    }
    auto done = set_field(*object, setting.field, setting.text);
    if (!done) errors.insert(errors.end(), done.error().begin(), done.error().end());
  }
  if (!errors.empty()) return std::unexpected(std::move(errors));
  return replace(intent, std::move(*object));
}

Status add(Intent& intent, ObjectKind kind, const std::vector<FieldSetting>& settings) {
  Object object = make_object(kind);
  Errors errors;
  for (const FieldSetting& setting : settings) {
    auto done = set_field(object, setting.field, setting.text);
    if (!done) errors.insert(errors.end(), done.error().begin(), done.error().end());
  }
  for (const FieldInfo& field : fields(kind)) {
    const auto given = std::any_of(settings.begin(), settings.end(),
                                   [&](const FieldSetting& s) { return s.field == field.name; });
    if (!field.required || given) continue;
    Error error = error_of(base::Errc::invalid_argument, title_of(object), "is missing");
    error.field = field.name;
    error.suggestion = "e.g. " + std::string(field.name) + " " + std::string(field.example);
    errors.push_back(std::move(error));
  }
  if (!errors.empty()) return std::unexpected(std::move(errors));
  return add(intent, std::move(object));
}

std::vector<std::string> users_of(const Intent& intent, ObjectKind kind, std::string_view key,
                                  std::size_t most) {
  return find_users(intent, kind, key, most).titles;
}

}  // namespace cp
