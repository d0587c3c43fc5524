// Inserter: turns a record into a row and its leaf, with the numbers of the names that it mentions.
//
// A batch is a transaction: `beginBatch`, records, `endBatch`. The numbers are remembered, within a
// limit, until somebody else writes to the database; the hours' sums are added up until `endBatch`.
// Whoever rolls a transaction back calls `forget`. Values are bound and hashed in one pass.

import Crypto
import Foundation
import GRDB

final class Inserter {
  private struct Principal: Hashable {
    let identity: String
    let username: String?
  }

  private struct Client: Hashable {
    let remoteIP: String
    let peerIP: String
    let userAgent: String
  }

  private var collections: [String: Int64] = [:]
  private var principals: [Principal: Int64] = [:]
  private var credentials: [String: Int64] = [:]
  private var clients: [Client: Int64] = [:]
  private var rollup = Rollup()

  /// Of the database, when the names were remembered.
  private var dataVersion: Int64?

  // Of the transaction in progress.
  private var rows: CoveredInsert?
  private var leaves = LeafBatch()
  /// The number of the next leaf; nil: to be asked for.
  private var nextSeq: Int64?

  private var names = Canonical(Leaf.personalPurpose)
  private var hash = SHA256()
  private var salts: ArraySlice<UInt8> = []

  func forget() {
    collections.removeAll(keepingCapacity: true)
    principals.removeAll(keepingCapacity: true)
    credentials.removeAll(keepingCapacity: true)
    clients.removeAll(keepingCapacity: true)
    rollup = Rollup()
    leaves = LeafBatch()
    (rows, nextSeq) = (nil, nil)
  }

  /// The first call of a transaction.
  func beginBatch(_ db: Database) throws {
    // Changes when another connection has written: a steward's command may have deleted names.
    let version = try Int64.fetchOne(db.cachedStatement(sql: "PRAGMA data_version"))
    if version != dataVersion { forget() }
    dataVersion = version
    rows = CoveredInsert(try InsertStatement(db, Self.insertion))
    nextSeq = nil
  }

  /// To be called before another leaf is appended in this transaction.
  func writeLeaves(_ db: Database) throws {
    try leaves.write(db)
    nextSeq = nil
  }

  /// Writes the sums of the batch; the last call of its transaction.
  func endBatch(_ db: Database) throws {
    try writeLeaves(db)
    try rollup.write(db)
    rows = nil
  }

  private static let insertion = """
    INSERT INTO request(
      \(Leaf.requestColumns.joined(separator: ", ")),
      client_pk, principal_pk, credential_pk, collection_pk, seq)
    VALUES (\(Array(repeating: "?", count: Leaf.requestColumns.count + 5).joined(separator: ", ")))
    ON CONFLICT(id) DO NOTHING
    """

  /// Inserts a record; one whose id is there already is left as it is.
  func insert(_ record: Record, run: Int64, _ db: Database) throws {
    let intent = record.intent
    let end = record.completion
    let now = intent.startMicroseconds
    let collectionID = intent.collectionID ?? end?.collectionIDs.first
    let identity = end?.identityID ?? intent.identityID
    let username = end?.username ?? intent.username
    let fingerprint = end?.credentialFingerprint ?? intent.credentialFingerprint
    let collection = try collectionID.map { try self.collection($0, now, db) }
    let principal = try identity.map { try self.principal($0, named: username, now, db) }
    let credential = try fingerprint.map { try self.credential($0, of: principal, now, db) }
    let client = try client(intent, db)
    let seq = try nextSeq ?? Leaf.next(db)
    try withRows { rows in
      add(record, run: run, to: &rows)
      rows.addUncovered(client)
      rows.addUncovered(principal)
      rows.addUncovered(credential)
      rows.addUncovered(collection)
      rows.addUncovered(seq)
      try rows.execute()
      guard db.changesCount > 0 else { return }
      let salt = nextSalt()
      let personal = personal(record, salt: salt)
      let content = rows.content(collectionID: text(collectionID), personal: personal, &hash)
      try leaves.add(
        LeafBatch.Row(
          seq: seq, request: intent.requestID, collection: collection, salt: salt,
          personal: personal, content: content), db)
      nextSeq = seq + 1
      rollup.add(record, collection: collection, principal: principal)
    }
    if let credential, let opened = end?.collectionIDs {
      for identifier in opened {
        try db.execute(
          sql: "INSERT OR IGNORE INTO credential_collection VALUES (?, ?)",
          arguments: [credential, self.collection(identifier, now, db)])
      }
    }
  }

  /// Out of the object, so that Swift needn't check each access for itself.
  private func withRows(_ body: (inout CoveredInsert) throws -> Void) throws {
    guard var taken = rows.take() else { preconditionFailure("a row outside of a batch") }
    defer { rows = taken }
    try body(&taken)
  }

  /// As `Leaf.personal`.
  private func personal(_ record: Record, salt: [UInt8]) -> [UInt8] {
    let intent = record.intent
    let end = record.completion
    let identity = end?.identityID ?? intent.identityID
    names.restart(Leaf.personalPurpose)
    names.append(salt)
    names.append(text(identity))
    names.append(identity == nil ? nil : text(end?.username ?? intent.username))
    names.append(text(end?.credentialFingerprint ?? intent.credentialFingerprint))
    names.append(text(intent.remoteIP))
    names.append(text(intent.peerIP))
    names.append(text(intent.userAgent))
    hash.update(names.bytes)
    return hash.finalize()
  }

  /// Randomness is cheaper in greater pieces.
  private func nextSalt() -> [UInt8] {
    if salts.isEmpty { salts = Random.bytes(Limits.saltBytes * Limits.saltsAtOnce)[...] }
    defer { salts.removeFirst(Limits.saltBytes) }
    return Array(salts.prefix(Limits.saltBytes))
  }

  /// The values of `Leaf.requestColumns`, in its order.
  private func add(_ record: Record, run: Int64, to rows: inout CoveredInsert) {
    let intent = record.intent
    let end = record.completion
    rows.begin()
    rows.add(intent.requestID.value)
    rows.add(run)
    rows.add(intent.startMicroseconds)
    rows.add(end?.durationMicroseconds)
    rows.add(end?.timeToFirstByteMicroseconds)
    rows.add(text(intent.host))
    rows.add(text(intent.method))
    rows.add(text(intent.operation))
    rows.add(intent.auth.name)
    rows.add((end?.authResult ?? intent.authResult).name)
    rows.add(text(intent.objectKey))
    rows.add(text(intent.range))
    rows.add(end?.status.map(Int64.init))
    rows.add(text(end?.errorCode))
    rows.add(text(end?.errorDetail))
    rows.add((end?.outcome ?? .lost).name)
    rows.add(end?.bytesIn ?? 0)
    rows.add(end?.bytesOut ?? 0)
    rows.add(end?.objectSize)
    rows.add(text(end?.upstreamHost))
    rows.add(end?.upstreamStatus.map(Int64.init))
    rows.add(Int64(end?.upstreamCalls ?? 0))
    rows.add(record.isTruncated ? 1 : 0)
  }

  /// SQLite's C strings end at a NUL; its picture keeps the rest of the text.
  private func text(_ text: String?) -> String? {
    guard var text else { return nil }
    let hasNUL = text.withUTF8 { utf8 in
      utf8.baseAddress.map { memchr($0, 0, utf8.count) != nil } ?? false
    }
    guard hasNUL else { return text }
    return String(String.UnicodeScalarView(text.unicodeScalars.map { $0 == "\0" ? "␀" : $0 }))
  }

  private func collection(_ identifier: String, _ now: Int64, _ db: Database) throws -> Int64 {
    if let number = collections[identifier] { return number }
    let number = try number(
      db, select: "SELECT collection_pk FROM collection WHERE collection_id = ?",
      insert: "INSERT INTO collection(collection_id, first_seen_us) VALUES (?, ?)",
      names: [text(identifier)], others: [now])
    if collections.count >= Limits.rememberedNames { collections.removeAll() }
    collections[identifier] = number
    return number
  }

  private func principal(
    _ identity: String, named username: String?, _ now: Int64, _ db: Database
  ) throws -> Int64 {
    let principal = Principal(identity: identity, username: username)
    if let number = principals[principal] { return number }
    let number = try number(
      db, select: "SELECT principal_pk FROM principal WHERE identity_id = ? AND username IS ?",
      insert: "INSERT INTO principal(identity_id, username, first_seen_us) VALUES (?, ?, ?)",
      names: [text(identity), text(username)], others: [now])
    if principals.count >= Limits.rememberedNames { principals.removeAll() }
    principals[principal] = number
    return number
  }

  private func credential(
    _ fingerprint: String, of principal: Int64?, _ now: Int64, _ db: Database
  ) throws -> Int64 {
    if let number = credentials[fingerprint] { return number }
    let number = try number(
      db, select: "SELECT credential_pk FROM credential WHERE fingerprint = ?",
      insert: """
        INSERT INTO credential(fingerprint, principal_pk, first_seen_us) VALUES (?, ?, ?)
        """,
      names: [text(fingerprint)], others: [principal, now])
    if credentials.count >= Limits.rememberedNames { credentials.removeAll() }
    credentials[fingerprint] = number
    return number
  }

  private func client(_ intent: Intent, _ db: Database) throws -> Int64 {
    let client = Client(
      remoteIP: intent.remoteIP, peerIP: intent.peerIP, userAgent: intent.userAgent)
    if let number = clients[client] { return number }
    let number = try number(
      db,
      select: """
        SELECT client_pk FROM client WHERE remote_ip = ? AND peer_ip = ? AND user_agent = ?
        """,
      insert: """
        INSERT INTO client(remote_ip, peer_ip, user_agent, first_seen_us) VALUES (?, ?, ?, ?)
        """,
      names: [text(client.remoteIP), text(client.peerIP), text(client.userAgent)],
      others: [intent.startMicroseconds])
    if clients.count >= Limits.rememberedNames { clients.removeAll() }
    clients[client] = number
    return number
  }

  /// The number of the row with these names; made if there is none.
  private func number(
    _ db: Database, select: String, insert: String, names: [String?], others: [Int64?]
  ) throws -> Int64 {
    if let number = try Int64.fetchOne(db, sql: select, arguments: StatementArguments(names)) {
      return number
    }
    try db.execute(
      sql: insert, arguments: StatementArguments(names) + StatementArguments(others))
    return db.lastInsertedRowID
  }
}

/// An INSERT that hashes the values that the chain covers while it binds them.
private struct CoveredInsert {
  private var statement: InsertStatement
  private var canonical = Canonical(Leaf.requestPurpose)

  init(_ statement: InsertStatement) {
    self.statement = statement
  }

  mutating func begin() {
    canonical.restart(Leaf.requestPurpose)
  }

  mutating func add(_ integer: Int64?) {
    statement.bind(integer)
    canonical.append(integer)
  }

  mutating func add(_ text: String?) {
    statement.bind(text)
    canonical.append(text)
  }

  mutating func addUncovered(_ integer: Int64?) {
    statement.bind(integer)
  }

  mutating func execute() throws {
    try statement.execute()
  }

  /// As `Leaf.content` of the values that were added.
  mutating func content(
    collectionID: String?, personal: [UInt8], _ hash: inout SHA256
  ) -> [UInt8] {
    canonical.append(collectionID)
    canonical.append(personal)
    hash.update(canonical.bytes)
    return hash.finalize()
  }
}
