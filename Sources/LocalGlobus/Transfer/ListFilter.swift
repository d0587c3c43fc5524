// ListFilter: the `filter` and `orderby` parameters of Transfer's listing.
//
// A filter is `field:value[,value…]` clauses joined by `/`, all of which must hold; values in one
// clause are alternatives, and so are several filters. Names match by `~glob`, `!~glob`, `=exact`,
// `!=exact` or plainly; times by `start,end`, either of which may be missing.

import Glibc
import Reactor

struct ListFilter {
  private enum Test {
    case text(KeyPath<FileFields, String>, [(Operator, String)])
    case time(start: String, end: String)
  }

  private enum Operator: String, CaseIterable {
    case notGlob = "!~"
    case notExact = "!="
    case glob = "~"
    case exact = "="
  }

  private let tests: [Test]

  /// Throws a bad request for a field or a form that is not known.
  init(_ text: String) throws(TransferError) {
    var tests: [Test] = []
    for clause in text.split(separator: "/") {
      let parts = clause.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2 else {
        throw .badRequest("filter: '\(clause)' is not of the form field:value")
      }
      if parts[0] == "last_modified" {
        let ends = parts[1].split(
          separator: ",", maxSplits: 1, omittingEmptySubsequences: false)
        tests.append(.time(start: String(ends[0]), end: ends.count > 1 ? String(ends[1]) : ""))
      } else if let field = FileFields.texts[String(parts[0])] {
        tests.append(.text(field, parts[1].split(separator: ",").map(ListFilter.value)))
      } else {
        throw .badRequest("filter: unknown field '\(parts[0])'")
      }
    }
    self.tests = tests
  }

  func matches(_ file: FileFields) -> Bool {
    tests.allSatisfy { test in
      switch test {
      case .text(let field, let values):
        values.contains { ListFilter.matches(file[keyPath: field], $0.0, $0.1) }
      case .time(let start, let end):
        // Text order is time order; a date without a clock is a prefix.
        (start.isEmpty || file.modified >= start)
          && (end.isEmpty || file.modified <= end || file.modified.hasPrefix(end))
      }
    }
  }

  private static func value(_ text: Substring) -> (Operator, String) {
    let found = Operator.allCases.first { text.hasPrefix($0.rawValue) }
    return (found ?? .exact, String(text.dropFirst(found?.rawValue.count ?? 0)))
  }

  private static func matches(_ text: String, _ operation: Operator, _ value: String) -> Bool {
    switch operation {
    case .exact: text == value
    case .notExact: text != value
    case .glob: fnmatch(value, text, 0) == 0
    case .notGlob: fnmatch(value, text, 0) != 0
    }
  }
}

/// A listed file's fields, as they are filtered, sorted and shown.
struct FileFields {
  let name, type, permissions, user, group, modified: String
  let size: Int64
  let document: JSON

  static let texts: [String: KeyPath<FileFields, String> & Sendable] = [
    "name": \.name, "type": \.type, "permissions": \.permissions, "user": \.user, "group": \.group,
  ]

  /// `orderby`: fields with `ASC` or `DESC`, comma-separated.
  static func order(
    _ text: String
  ) throws(TransferError) -> (FileFields, FileFields) -> Bool {
    var keys: [(precedes: (FileFields, FileFields) -> Bool, descending: Bool)] = []
    for item in text.split(separator: ",") {
      let parts = item.split(separator: " ")
      let field = parts.first.map(String.init) ?? ""
      let direction = parts.count > 1 ? parts[1].uppercased() : "ASC"
      guard parts.count <= 2, direction == "ASC" || direction == "DESC" else {
        throw .badRequest("orderby: '\(item)' is not of the form field ASC|DESC")
      }
      let precedes: (FileFields, FileFields) -> Bool
      if field == "size" {
        precedes = { $0.size < $1.size }
      } else if field == "last_modified" {
        precedes = { $0.modified < $1.modified }
      } else if let path = texts[field] {
        precedes = { $0[keyPath: path] < $1[keyPath: path] }
      } else {
        throw .badRequest("orderby: unknown field '\(field)'")
      }
      keys.append((precedes, direction == "DESC"))
    }
    return { left, right in
      for (precedes, descending) in keys {
        if precedes(left, right) { return !descending }
        if precedes(right, left) { return descending }
      }
      return false
    }
  }
}
