// Checkpoint: a signature over all leaves since the one before, chained to it. Leaves are taken in
// the order of insertion, because a long download is inserted long after its id was given.

import Crypto
import Foundation
import GRDB

struct Checkpoint {
  let id: Int64
  let firstSeq: Int64
  let lastSeq: Int64
  let leaves: Int64
  let leavesDigest: [UInt8]
  let previous: [UInt8]
  let atMicroseconds: Int64
  let publicKey: [UInt8]

  init(
    id: Int64, firstSeq: Int64, lastSeq: Int64, leaves: Int64, leavesDigest: [UInt8],
    previous: [UInt8], atMicroseconds: Int64, publicKey: [UInt8]
  ) {
    self.id = id
    self.firstSeq = firstSeq
    self.lastSeq = lastSeq
    self.leaves = leaves
    self.leavesDigest = leavesDigest
    self.previous = previous
    self.atMicroseconds = atMicroseconds
    self.publicKey = publicKey
  }

  /// A row of `checkpoint` with its signer.
  init(_ row: Row) {
    func bytes(_ column: String) -> [UInt8] { Array((row[column] as Data?) ?? Data()) }
    self.init(
      id: row["checkpoint_id"], firstSeq: row["first_seq"], lastSeq: row["last_seq"],
      leaves: row["leaves"], leavesDigest: bytes("leaves_sha256"),
      previous: bytes("prev_sha256"), atMicroseconds: row["at_us"],
      publicKey: bytes("public_key"))
  }

  /// What the checkpoint before the first has for a head.
  static let genesis = [UInt8](repeating: 0, count: SHA256.byteCount)

  /// What is signed, and what the next checkpoint names.
  var head: [UInt8] {
    var canonical = Canonical("gs3 audit checkpoint v1")
    for integer in [id, firstSeq, lastSeq, leaves, atMicroseconds] { canonical.append(integer) }
    canonical.append(leavesDigest)
    canonical.append(previous)
    canonical.append(publicKey)
    return SHA256.hash(canonical.bytes)
  }

  /// The next one; nil when there is nothing new to sign.
  static func next(
    _ db: Database, publicKey: [UInt8], atMicroseconds now: Int64
  ) throws -> Checkpoint? {
    let last = try Row.fetchOne(
      db,
      sql: """
        SELECT checkpoint_id, last_seq, head_sha256 FROM checkpoint
        ORDER BY checkpoint_id DESC LIMIT 1
        """)
    let before: Int64 = last?["last_seq"] ?? 0
    var digests = SHA256()
    var digest = SHA256()
    var leaves: Int64 = 0
    var ends = (first: before, last: before)
    let rows = try Row.fetchCursor(
      db,
      sql: """
        SELECT seq, kind, row_id, collection_pk, content FROM leaf WHERE seq > ? ORDER BY seq
        """, arguments: [before])
    var canonical = Canonical(Leaf.purpose)
    while let row = try rows.next() {
      let content: Data = row[4]
      Leaf.encode(kind: row[1], row: row[2], collection: row[3], Array(content), in: &canonical)
      digest.update(canonical.bytes)
      digests.update(digest.finalize())
      ends.last = row[0]
      if leaves == 0 { ends.first = ends.last }
      leaves += 1
    }
    guard leaves > 0 else { return nil }
    return Checkpoint(
      id: (last?["checkpoint_id"] ?? 0) + 1, firstSeq: ends.first, lastSeq: ends.last,
      leaves: leaves, leavesDigest: digests.finalize(),
      previous: (last?["head_sha256"] as Data?).map { Array($0) } ?? genesis,
      atMicroseconds: now, publicKey: publicKey)
  }

  func insert(_ db: Database, signedWith key: Ed25519.PrivateKey) throws {
    try db.execute(
      sql: "INSERT OR IGNORE INTO signer(public_key, first_seen_us) VALUES (?, ?)",
      arguments: [Data(publicKey), atMicroseconds])
    try db.execute(
      sql: """
        INSERT INTO checkpoint(
          checkpoint_id, first_seq, last_seq, leaves, leaves_sha256, prev_sha256, head_sha256,
          at_us, signer_pk, signature)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, (SELECT signer_pk FROM signer WHERE public_key = ?), ?)
        """,
      arguments: [
        id, firstSeq, lastSeq, leaves, Data(leavesDigest), Data(previous), Data(head),
        atMicroseconds, Data(publicKey), Data(try key.sign(head)),
      ])
  }
}
