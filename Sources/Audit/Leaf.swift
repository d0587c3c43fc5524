// Leaf: what the chain keeps of each row of the record, in the order in which rows were inserted.
//
//   personal   SHA-256 of a salt of the row's own, and the person and client that it mentions
//   content    SHA-256 of the row's other columns and `personal`
//   digest     SHA-256 of the leaf's kind, row, collection and `content`; a checkpoint signs the
//              digests of all leaves since the one before it
//
// A row can so be pruned while its leaf still vouches for the rest, and a person can be forgotten:
// their names and the salts go, `personal` stays, and nothing that is signed changes.

import Crypto
import Foundation
import GRDB

struct Leaf {
  enum Kind: Int64 {
    case request = 0
    case gap = 1
    case note = 2
  }

  let kind: Kind
  let rowID: Int64
  let collection: Int64?
  let content: [UInt8]

  init(kind: Kind, rowID: Int64, collection: Int64?, content: [UInt8]) {
    self.kind = kind
    self.rowID = rowID
    self.collection = collection
    self.content = content
  }

  /// A row of `leaf`.
  init(_ row: Row) throws {
    guard let kind = Kind(rawValue: row["kind"]) else {
      throw AuditError(.notOurs, "a leaf of the record's chain is of an unknown kind")
    }
    let content: Data = row["content"]
    self.init(
      kind: kind, rowID: row["row_id"], collection: row["collection_pk"], content: Array(content))
  }

  /// What a checkpoint signs of this leaf.
  var digest: [UInt8] {
    var canonical = Canonical(Self.purpose)
    Self.encode(
      kind: kind.rawValue, row: rowID, collection: collection, content, in: &canonical)
    return SHA256.hash(canonical.bytes)
  }

  static let purpose: StaticString = "gs3 audit leaf v1"

  /// What `digest` is the hash of, in memory that serves for many leaves.
  static func encode(
    kind: Int64, row: Int64, collection: Int64?, _ content: [UInt8], in canonical: inout Canonical
  ) {
    canonical.restart(purpose)
    canonical.append(kind)
    canonical.append(row)
    canonical.append(collection)
    canonical.append(content)
  }

  static let insertion = """
    INSERT INTO leaf(seq, kind, row_id, collection_pk, salt, personal, content)
    VALUES (?, ?, ?, ?, ?, ?, ?)
    """

  /// The columns of `request` that `content` covers, in its order; the collection's id and
  /// `personal` follow them.
  static let requestColumns = [
    "id", "run_id", "start_us", "duration_us", "ttfb_us", "host", "method", "operation", "auth",
    "auth_result", "object_key", "range", "status", "error_code", "error_detail", "outcome",
    "bytes_in", "bytes_out", "object_size", "upstream_host", "upstream_status", "upstream_calls",
    "truncated",
  ]

  /// The columns that `personal` covers, by table and in its order.
  static let personalColumns = [
    "principal.identity_id", "principal.username", "credential.fingerprint", "client.remote_ip",
    "client.peer_ip", "client.user_agent",
  ]

  static let personalPurpose: StaticString = "gs3 audit personal v1"
  static let requestPurpose: StaticString = "gs3 audit request v1"

  static func personal(salt: [UInt8], _ values: [DatabaseValue]) -> [UInt8] {
    var canonical = Canonical(personalPurpose)
    canonical.append(salt)
    for value in values { canonical.append(value) }
    return SHA256.hash(canonical.bytes)
  }

  /// Of a request: `values` are those of `requestColumns`.
  static func content(
    _ values: some Sequence<DatabaseValue>, collectionID: String?, personal: [UInt8]
  ) -> [UInt8] {
    var canonical = Canonical(requestPurpose)
    for value in values { canonical.append(value) }
    canonical.append(collectionID.databaseValue)
    canonical.append(personal)
    return SHA256.hash(canonical.bytes)
  }

  /// Of a gap or a note: `values` are all its columns, in the order of the table.
  static func content(_ kind: Kind, _ values: some Sequence<DatabaseValue>) -> [UInt8] {
    var canonical = Canonical("gs3 audit event v1")
    canonical.append(kind.rawValue)
    for value in values { canonical.append(value) }
    return SHA256.hash(canonical.bytes)
  }

  /// The number that the next leaf gets; another process may append, so within a transaction only.
  static func next(_ db: Database) throws -> Int64 {
    let last = try Int64.fetchOne(
      db.cachedStatement(sql: "SELECT seq FROM sqlite_sequence WHERE name = 'leaf'"))
    return (last ?? 0) + 1
  }

  /// Appends a gap or a note that was just inserted into `table`.
  static func append(_ kind: Kind, row: Int64, of table: String, _ db: Database) throws {
    guard
      let values = try Row.fetchOne(
        db, sql: "SELECT * FROM \(table) WHERE rowid = ?", arguments: [row])
    else { return }
    try db.execute(
      sql: insertion,
      arguments: [
        next(db), kind.rawValue, row, nil, nil, nil, Data(content(kind, values.databaseValues)),
      ])
  }
}
