// LeafVerifier: each leaf against the row that it stands for.

import Crypto
import Foundation
import GRDB

struct LeafVerifier {
  private let notes: StewardNotes
  private let lastSigned: Int64
  private var forgotten: [Int64: Int64] = [:]
  private var expected: Int64?

  init(notes: StewardNotes, lastSigned: Int64) {
    self.notes = notes
    self.lastSigned = lastSigned
  }

  private static let fixed = Leaf.requestColumns.count
  private static let personal = Leaf.personalColumns.count

  private static let leaves = """
    SELECT \(Leaf.requestColumns.map { "request.\($0)" }.joined(separator: ", ")),
      collection_id, \(Leaf.personalColumns.joined(separator: ", ")),
      request.principal_pk AS person, request.seq AS own_seq,
      leaf.seq AS seq, leaf.kind AS kind, leaf.row_id AS row_id,
      leaf.collection_pk AS collection_pk, leaf.salt AS salt, leaf.personal AS personal,
      leaf.content AS content
    FROM leaf
      LEFT JOIN request ON leaf.kind = 0 AND request.id = leaf.row_id
      LEFT JOIN client ON client.client_pk = request.client_pk
      LEFT JOIN principal ON principal.principal_pk = request.principal_pk
      LEFT JOIN credential ON credential.credential_pk = request.credential_pk
      LEFT JOIN collection ON collection.collection_pk = request.collection_pk
    ORDER BY leaf.seq
    """

  mutating func verify(_ db: Database, _ result: inout Verification) throws {
    let rows = try Row.fetchCursor(db, sql: Self.leaves)
    while let row = try rows.next() {
      let leaf = try Leaf(row)
      let seq: Int64 = row["seq"]
      if seq > lastSigned {
        result.unsigned += 1
        if seq != expected ?? (lastSigned + 1) { result.problem("leaf \(seq): was inserted") }
        expected = seq + 1
      }
      switch leaf.kind {
      case .request: verify(leaf, row, &result)
      case .gap: try verify(leaf, in: "gap", db, &result)
      case .note: try verify(leaf, in: "note", db, &result)
      }
    }
    for (person, count) in forgotten where count > notes.forgotten[person] ?? 0 {
      result.problem("person \(person): more rows are without a name than the note says")
    }
  }

  private mutating func verify(_ leaf: Leaf, _ row: Row, _ result: inout Verification) {
    let name = "request \(RequestID(value: leaf.rowID))"
    let values = Array(row.databaseValues)
    guard !values[0].isNull else {
      if notes.mayBePruned(leaf) {
        result.pruned += 1
      } else {
        result.problem("\(name): was removed")
      }
      return
    }
    guard (row["own_seq"] as Int64?) == row["seq"] else {
      return result.problem("\(name): was changed")
    }
    let personal = Array((row["personal"] as Data?) ?? Data())
    let content = Leaf.content(
      values.prefix(Self.fixed), collectionID: row["collection_id"], personal: personal)
    guard content == leaf.content else { return result.problem("\(name): was changed") }
    guard let salt = row["salt"] as Data? else {
      guard let person = row["person"] as Int64?, notes.forgotten[person] != nil else {
        return result.problem("\(name): its person was removed, and no note says so")
      }
      forgotten[person, default: 0] += 1
      result.forgotten += 1
      return
    }
    let names = Array(values[(Self.fixed + 1)...].prefix(Self.personal))
    guard Leaf.personal(salt: Array(salt), names) == personal else {
      return result.problem("\(name): the person or the client was changed")
    }
    result.proven += 1
  }

  private func verify(
    _ leaf: Leaf, in table: String, _ db: Database, _ result: inout Verification
  ) throws {
    let row = try Row.fetchOne(
      db, sql: "SELECT * FROM \(table) WHERE rowid = ?", arguments: [leaf.rowID])
    guard let row else {
      if !notes.mayBePruned(leaf) { result.problem("\(table) \(leaf.rowID): was removed") }
      return
    }
    if Leaf.content(leaf.kind, row.databaseValues) != leaf.content {
      result.problem("\(table) \(leaf.rowID): was changed")
    }
  }
}
