// Inserter: turns a record into a row and its leaf, with the numbers of the names that it mentions.
//
// It remembers those numbers, within a limit, and adds up the hours' sums until `endBatch`. Whoever
// rolls a transaction back calls `forget`.

import Crypto
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

  func forget() {
    collections.removeAll(keepingCapacity: true)
    principals.removeAll(keepingCapacity: true)
    credentials.removeAll(keepingCapacity: true)
    clients.removeAll(keepingCapacity: true)
    rollup = Rollup()
  }

  /// Writes the sums of the batch; the last call of its transaction.
  func endBatch(_ db: Database) throws {
    try rollup.write(db)
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
    let row = row(record, run: run)
    let seq = try Leaf.next(db)
    let statement = try db.cachedStatement(sql: Self.insertion)
    statement.setUncheckedArguments(
      StatementArguments(row)
        + [client, principal, credential, collection, seq])
    try statement.execute()
    guard db.changesCount > 0 else { return }
    let salt = Random.bytes(Limits.saltBytes)
    let personal = Leaf.personal(
      salt: salt,
      [
        text(identity), identity == nil ? nil : text(username), text(fingerprint),
        text(intent.remoteIP), text(intent.peerIP), text(intent.userAgent),
      ].map { $0.databaseValue })
    let leaf = Leaf(
      kind: .request, rowID: intent.requestID.value, collection: collection,
      content: Leaf.content(row, collectionID: text(collectionID), personal: personal))
    try leaf.insert(db, seq: seq, salt: salt, personal: personal)
    rollup.add(record, collection: collection, principal: principal)
    if let credential, let opened = end?.collectionIDs {
      for identifier in opened {
        try db.execute(
          sql: "INSERT OR IGNORE INTO credential_collection VALUES (?, ?)",
          arguments: [credential, self.collection(identifier, now, db)])
      }
    }
  }

  /// The values of `Leaf.requestColumns`.
  private func row(_ record: Record, run: Int64) -> [DatabaseValue] {
    let intent = record.intent
    let end = record.completion
    let values: [(any DatabaseValueConvertible)?] = [
      intent.requestID.value, run, intent.startMicroseconds, end?.durationMicroseconds,
      end?.timeToFirstByteMicroseconds, text(intent.host), text(intent.method),
      text(intent.operation), intent.auth.name, (end?.authResult ?? intent.authResult).name,
      text(intent.objectKey), text(intent.range), end?.status, text(end?.errorCode),
      text(end?.errorDetail), (end?.outcome ?? .lost).name, end?.bytesIn ?? 0, end?.bytesOut ?? 0,
      end?.objectSize, text(end?.upstreamHost), end?.upstreamStatus, end?.upstreamCalls ?? 0,
      record.isTruncated ? 1 : 0,
    ]
    return values.map { $0?.databaseValue ?? .null }
  }

  /// SQLite's C strings end at a NUL; its picture keeps the rest of the text.
  private func text(_ text: String?) -> String? {
    guard let text, text.utf8.contains(0) else { return text }
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
