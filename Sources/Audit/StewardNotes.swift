// StewardNotes: what the notes allow to be missing from the record, read for a verification.
//
//   migrate {rows, last_id}          so many rows, up to this id, are of a version without leaves
//   prune   {before_us, held}        rows that began before are gone, but those of these collections
//   pruned  {rows, checkpoints}      these checkpoints' leaves are gone with their rows
//   pruned  {ids} or {gaps}          these requests, or these counts of floods, are gone
//   forget  {principals, rows}       the names of these persons and their clients are gone

import Foundation
import GRDB

struct StewardNotes {
  private struct Pruning {
    let before: Int64
    let held: Set<Int64>
  }

  private struct Detail: Decodable {
    var rows: Int64?
    var lastID: Int64?
    var before: Int64?
    var held: [Int64]?
    var checkpoints: [Int64]?
    var principals: [Int64]?
    var ids: [Int64]?
    var gaps: [Int64]?

    enum CodingKeys: String, CodingKey {
      case rows, held, checkpoints, principals, ids, gaps
      case lastID = "last_id"
      case before = "before_us"
    }
  }

  private var prunings: [Pruning] = []
  private(set) var prunedCheckpoints: Set<Int64> = []
  private var prunedIDs: Set<Int64> = []
  private var prunedGaps: Set<Int64> = []
  /// Rows without a name, by person.
  private(set) var forgotten: [Int64: Int64] = [:]
  private(set) var uncovered = 0
  private(set) var lastUncoveredID: Int64 = 0

  init(_ db: Database) throws {
    let rows = try Row.fetchCursor(
      db,
      sql: """
        SELECT command, detail FROM note
        WHERE command IN ('migrate', 'prune', 'pruned', 'forget') ORDER BY note_id
        """)
    while let row = try rows.next() {
      let text: String = row["detail"]
      guard let detail = try? JSONDecoder().decode(Detail.self, from: Data(text.utf8)) else {
        continue  // a changed note: the chain tells
      }
      add(row["command"], detail)
    }
  }

  private mutating func add(_ command: String, _ detail: Detail) {
    switch command {
    case "migrate":
      uncovered = Int(detail.rows ?? 0)
      lastUncoveredID = detail.lastID ?? 0
    case "prune":
      prunings.append(Pruning(before: detail.before ?? 0, held: Set(detail.held ?? [])))
    case "pruned":
      prunedCheckpoints.formUnion(detail.checkpoints ?? [])
      prunedIDs.formUnion(detail.ids ?? [])
      prunedGaps.formUnion(detail.gaps ?? [])
    default:
      for person in detail.principals ?? [] { forgotten[person, default: 0] += detail.rows ?? 0 }
    }
  }

  /// Whether a pruning covers the row of this leaf.
  func mayBePruned(_ leaf: Leaf) -> Bool {
    switch leaf.kind {
    case .gap: return prunedGaps.contains(leaf.rowID)
    case .note: return false
    case .request: if prunedIDs.contains(leaf.rowID) { return true }
    }
    return prunings.contains { pruning in
      leaf.rowID < RequestIDGenerator.first(atMicroseconds: pruning.before)
        && !(leaf.collection.map(pruning.held.contains) ?? false)
    }
  }
}
