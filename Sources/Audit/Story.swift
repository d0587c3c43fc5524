// Story: one request told in sentences, with what came before and after it: how `audit show` begins.

import Foundation
import GRDB

extension QueryReader {
  /// The sentences; nil: the request is not in the record.
  public func story(_ id: RequestID) throws -> [String]? {
    try queue.read { db in
      guard
        let row = try Row.fetchOne(
          db, sql: "SELECT * FROM requests WHERE id = ?", arguments: [id.value])
      else { return nil }
      return Story(row).sentences + (try signIn(row, db)) + (try neighbours(row, db))
    }
  }

  /// The sign-in that gave the credential.
  private func signIn(_ row: Row, _ db: Database) throws -> [String] {
    guard let credential: String = row["credential"], row["operation"] != "AuthCallback" else {
      return []
    }
    let found = try Row.fetchOne(
      db,
      sql: """
        SELECT time, request_id, remote_ip FROM requests
        WHERE operation = 'AuthCallback' AND credential = ? ORDER BY start_us LIMIT 1
        """, arguments: [credential])
    guard let found else { return ["The sign-in that gave the credential is not in the record."] }
    return [
      "The credential was given at \(found["time"] as String) to \(found["remote_ip"] as String) "
        + "(request \(found["request_id"] as String))."
    ]
  }

  private func neighbours(_ row: Row, _ db: Database) throws -> [String] {
    guard let collection: String = row["collection_id"], let key: String = row["object_key"] else {
      return []
    }
    let others = try Row.fetchOne(
      db,
      sql: """
        SELECT count(*) AS requests, count(DISTINCT identity_id) AS persons FROM requests
        WHERE collection_id = ? AND object_key = ? AND id <> ?
        """, arguments: [collection, key, row["id"] as Int64])
    let count = (others?["requests"] as Int64?) ?? 0
    guard count > 0 else { return ["No other request in the record is for this object."] }
    return [
      "\(count) other requests in the record are for this object, by "
        + "\((others?["persons"] as Int64?) ?? 0) persons."
    ]
  }
}

private struct Story {
  private let row: Row

  init(_ row: Row) {
    self.row = row
  }

  private func text(_ column: String) -> String? { row[column] }
  private func number(_ column: String) -> Int64? { row[column] }

  var sentences: [String] { [who, what, upstream, answer].compactMap { $0 } }

  private var who: String {
    let person = text("username") ?? text("identity_id") ?? "somebody without a known name"
    let address = text("remote_ip") ?? ""
    let peer = text("peer_ip") ?? ""
    let way = peer == address ? "" : ", through the proxy \(peer)"
    let agent = text("user_agent").flatMap { $0.isEmpty ? nil : " with \($0)" } ?? ""
    return "At \(text("time") ?? "") \(person) asked from \(address)\(way)\(agent)."
  }

  private var what: String {
    var sentence = "The request was \(text("operation") ?? "")"
    if let key = text("object_key") { sentence += " of \(key)" }
    if let collection = text("collection_id") { sentence += " in the collection \(collection)" }
    if let range = text("range") { sentence += ", \(range)" }
    return sentence + "; \(authentication)."
  }

  private var authentication: String {
    switch text("auth_result") {
    case "verified": "its signature was verified"
    case "unverified": "its signature was not verified, its access key id was genuine"
    case "expired": "its credential had expired"
    case "revoked": "its credential was revoked"
    case "bad_signature": "its signature was wrong"
    case "malformed": "its credential could not be read"
    default: "it had no credential"
    }
  }

  private var upstream: String? {
    guard let calls = number("upstream_calls"), calls > 0 else { return "Globus was not asked." }
    let status = number("upstream_status").map { ", which answered \($0)" } ?? ""
    return "Globus was asked \(calls) times, at last \(text("upstream_host") ?? "")\(status)."
  }

  private var answer: String {
    let error = text("error_code").map { " \($0)" } ?? ""
    let status = number("status").map { "The answer was \($0)\(error)" } ?? "There was no answer"
    let bytes = "with \(number("bytes_out") ?? 0) bytes"
    let end =
      switch text("outcome") {
      case "client_abort": "the client left before its end"
      case "upstream_abort": "it was cut because the storage failed"
      case "timeout": "it was given up after too long a wait"
      case "lost": "the server ended before it did: whether it took effect is not known"
      default: "it was sent whole"
      }
    let time = (row["duration_ms"] as Double?).map { " after \($0) ms" } ?? ""
    return "\(status), \(bytes)\(time); \(end)."
  }
}
