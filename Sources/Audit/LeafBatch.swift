// LeafBatch: leaves of requests on their way into the table, several with one statement: SQLite
// keeps the greatest number ever given (AUTOINCREMENT) for each statement, not for each row.

import GRDB

struct LeafBatch {
  struct Row {
    let seq: Int64
    let request: RequestID
    let collection: Int64?
    let salt: [UInt8]
    let personal: [UInt8]
    let content: [UInt8]
  }

  private var rows: [Row] = []

  private static let several =
    Leaf.insertion
    + String(repeating: ", (?, ?, ?, ?, ?, ?, ?)", count: Limits.leavesPerStatement - 1)

  mutating func add(_ row: Row, _ db: Database) throws {
    rows.append(row)
    guard rows.count == Limits.leavesPerStatement else { return }
    try insert(Self.several, rows[...], db)
    rows.removeAll(keepingCapacity: true)
  }

  /// Writes those that are left.
  mutating func write(_ db: Database) throws {
    for index in rows.indices { try insert(Leaf.insertion, rows[index...index], db) }
    rows.removeAll(keepingCapacity: true)
  }

  private func insert(_ sql: String, _ some: ArraySlice<Row>, _ db: Database) throws {
    var statement = try InsertStatement(db, sql)
    for row in some {
      statement.bind(row.seq)
      statement.bind(Leaf.Kind.request.rawValue)
      statement.bind(row.request.value)
      statement.bind(row.collection)
      statement.bind(row.salt)
      statement.bind(row.personal)
      statement.bind(row.content)
    }
    try statement.execute()
  }
}
