// Verifier: whether the record is what the server wrote: every row follows from its leaf, every
// leaf from its checkpoint, every checkpoint from the one before it and a signature.
//
// A row may be missing when a `prune` note covers it, and a person when a `forget` note does; the
// notes themselves are in the chain. What was cut off at the end, or rewritten whole by someone who
// has the key, shows only against heads that left the machine with the log.

import Crypto
import Foundation
import GRDB

/// What `audit verify` found.
public struct Verification: Sendable {
  public internal(set) var checkpoints = 0
  /// Rows whose content was proven.
  public internal(set) var proven = 0
  /// Rows that a note says were pruned, and rows whose person was forgotten.
  public internal(set) var pruned = 0
  public internal(set) var forgotten = 0
  /// Rows behind the last checkpoint: proven only when the next one is signed.
  public internal(set) var unsigned = 0
  /// Rows of a version without a chain.
  public internal(set) var uncovered = 0
  /// The public keys that signed, in hexadecimal.
  public internal(set) var keys: [String] = []
  /// The newest head, in hexadecimal: what to compare with the log's.
  public internal(set) var head: String?
  /// One line each; the first `Limits.problemsShown` of `problemCount`.
  public internal(set) var problems: [String] = []
  public internal(set) var problemCount = 0

  public var isIntact: Bool { problemCount == 0 }

  mutating func problem(_ line: String) {
    problemCount += 1
    if problems.count < Limits.problemsShown { problems.append(line) }
  }
}

/// What a verification is held to from outside.
public struct Witness: Sendable {
  /// Public keys, in hexadecimal, that may have signed; empty: any.
  public var keys: Set<String> = []
  /// Heads by number of the checkpoint, as the log had them.
  public var heads: [Int64: String] = [:]

  public init() {}

  /// Takes heads out of the lines of a log, text or JSON; others are passed over.
  public mutating func readLog(_ text: String) {
    for line in text.split(whereSeparator: \.isNewline) {
      guard let number = line.firstMatch(of: /checkpoint"?[=:]\s*"?(\d{1,18})\b/),
        let head = line.firstMatch(of: /head"?[=:]\s*"?([0-9a-f]{64})\b/),
        let id = Int64(number.1)
      else { continue }
      heads[id] = String(head.1)
    }
  }
}

extension QueryReader {
  /// Proves the record, as it is at this moment.
  public func verify(_ witness: Witness) throws -> Verification {
    do {
      return try queue.read { db in
        var verifier = Verifier(witness: witness, notes: try StewardNotes(db))
        try verifier.verify(db)
        return verifier.result
      }
    } catch let error as DatabaseError {
      throw QueryError("SQLite: \(error.message ?? "\(error.resultCode)")")
    }
  }
}

struct Verifier {
  private let witness: Witness
  private let notes: StewardNotes
  private(set) var result = Verification()

  init(witness: Witness, notes: StewardNotes) {
    self.witness = witness
    self.notes = notes
  }

  mutating func verify(_ db: Database) throws {
    let last = try verifyCheckpoints(db)
    var leaves = LeafVerifier(notes: notes, lastSigned: last)
    try leaves.verify(db, &result)
    try verifyNothingIsAdded(db)
    try verifyEnd(db)
  }

  // MARK: Checkpoints

  /// Returns the last number of a leaf that is signed for.
  private mutating func verifyCheckpoints(_ db: Database) throws -> Int64 {
    var previous = Checkpoint.genesis
    var (number, seq): (Int64, Int64) = (0, 0)
    let rows = try Row.fetchCursor(
      db,
      sql: "SELECT * FROM checkpoint LEFT JOIN signer USING(signer_pk) ORDER BY checkpoint_id")
    while let row = try rows.next() {
      let checkpoint = Checkpoint(row)
      let name = "checkpoint \(checkpoint.id)"
      if checkpoint.id != number + 1 || checkpoint.firstSeq != seq + 1 {
        result.problem("before \(name): a checkpoint was removed")
      }
      if checkpoint.previous != previous { result.problem("\(name): is not chained to the last") }
      verifySignature(checkpoint, row, name)
      try verifyLeaves(checkpoint, prunedBy: row["pruned_by"], name, db)
      (number, seq, previous) = (checkpoint.id, checkpoint.lastSeq, checkpoint.head)
      result.checkpoints += 1
    }
    result.head = result.checkpoints > 0 ? Hex.encode(previous) : nil
    for (id, _) in witness.heads.sorted(by: { $0.key < $1.key }) where id > number {
      result.problem("checkpoint \(id): the log has it, the record does not")
    }
    return seq
  }

  private mutating func verifySignature(_ checkpoint: Checkpoint, _ row: Row, _ name: String) {
    let head = checkpoint.head
    let key = Hex.encode(checkpoint.publicKey)
    if Array((row["head_sha256"] as Data?) ?? Data()) != head {
      result.problem("\(name): was changed")
    }
    if let logged = witness.heads[checkpoint.id], logged != Hex.encode(head) {
      result.problem("\(name): the log has another head")
    }
    let signature = Array((row["signature"] as Data?) ?? Data())
    if !Ed25519.verify(signature, of: head, publicKey: checkpoint.publicKey) {
      result.problem("\(name): the signature is not of this checkpoint")
    }
    if !witness.keys.isEmpty, !witness.keys.contains(key) {
      result.problem("\(name): signed by a key that is not among those given, \(key)")
    }
    if !result.keys.contains(key) { result.keys.append(key) }
  }

  private mutating func verifyLeaves(
    _ checkpoint: Checkpoint, prunedBy note: Int64?, _ name: String, _ db: Database
  ) throws {
    var digests = SHA256()
    var count: Int64 = 0
    let rows = try Row.fetchCursor(
      db,
      sql: """
        SELECT kind, row_id, collection_pk, content FROM leaf
        WHERE seq BETWEEN ? AND ? ORDER BY seq
        """, arguments: [checkpoint.firstSeq, checkpoint.lastSeq])
    while let row = try rows.next() {
      digests.update(try Leaf(row).digest)
      count += 1
    }
    if note != nil, count == 0 {
      if notes.prunedCheckpoints.contains(checkpoint.id) {
        result.pruned += Int(checkpoint.leaves)
      } else {
        result.problem("\(name): its rows were removed, and no note says that they were pruned")
      }
    } else if count != checkpoint.leaves || digests.finalize() != checkpoint.leavesDigest {
      result.problem("\(name): its leaves were changed, removed or added to")
    }
  }

  // MARK: The rest

  private mutating func verifyNothingIsAdded(_ db: Database) throws {
    let rows = try Int64.fetchCursor(
      db,
      sql: """
        SELECT request.id FROM request LEFT JOIN leaf ON leaf.seq = request.seq
        WHERE leaf.seq IS NULL OR leaf.kind <> 0 OR leaf.row_id <> request.id ORDER BY request.id
        """)
    while let id = try rows.next() {
      if id <= notes.lastUncoveredID, result.uncovered < notes.uncovered {
        result.uncovered += 1
      } else {
        result.problem("request \(RequestID(value: id)): was inserted")
      }
    }
    for (table, kind) in [("gap", Leaf.Kind.gap), ("note", .note)] {
      let added = try Int64.fetchAll(
        db,
        sql: """
          SELECT rowid FROM \(table)
          WHERE rowid NOT IN (SELECT row_id FROM leaf WHERE kind = ?) ORDER BY rowid
          """, arguments: [kind.rawValue])
      for number in added where !(kind == .gap && notes.uncovered > 0) {
        result.problem("\(table) \(number): was inserted")
      }
    }
  }

  /// The counter of leaves outlives the leaves.
  private mutating func verifyEnd(_ db: Database) throws {
    let given = try Leaf.next(db) - 1
    let last = max(
      try Int64.fetchOne(db, sql: "SELECT max(seq) FROM leaf") ?? 0,
      try Int64.fetchOne(db, sql: "SELECT max(last_seq) FROM checkpoint") ?? 0)
    if last < given { result.problem("rows behind leaf \(last) were removed") }
  }
}
