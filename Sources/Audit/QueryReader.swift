// QueryReader: the database for reading only, while a server runs or none does.
//
// The connection is read-only and `query_only`. When SQLite can't read a WAL database because its
// log files are gone and may not be made here, the file is read as immutable, but only while the
// spool's lock proves that no server runs, and that lock is held until the reader goes.

import Foundation
import GRDB

/// Reads the record for `audit query`, `show` and `sql`.
public final class QueryReader {
  let queue: DatabaseQueue
  private let proof: Int32?
  /// Where the record is; the first of several.
  public let path: String
  /// The databases that are asked as one.
  private(set) var paths: [String]
  var databases: Int { paths.count }

  /// Opens an audit database for reading; the views of the `others` are joined to its own, so
  /// that several instances are asked as one.
  public convenience init(paths: [String]) throws(AuditError) {
    guard let first = paths.first, paths.count <= Limits.databases else {
      throw AuditError(
        .unusable, "1 to \(Limits.databases) audit databases can be asked as one")
    }
    try self.init(path: first)
    for path in paths.dropFirst() { _ = try QueryReader(path: path) }  // is it one, and readable?
    guard paths.count > 1 else { return }
    do {
      try queue.inDatabase { db in try Self.join(db, paths.dropFirst().map(absolutePath)) }
      self.paths = paths.map(absolutePath)
    } catch {
      let cause = (error as? DatabaseError)?.message ?? "\(error)"
      throw AuditError(.unusable, "cannot ask the audit databases as one: \(cause)")
    }
  }

  /// Opens an audit database for reading.
  public init(path: String) throws(AuditError) {
    let path = absolutePath(path)
    self.path = path
    paths = [path]
    guard FileManager.default.fileExists(atPath: path) else {
      throw AuditError(
        .unusable, "there is no audit database at \(path); name the server's with --audit-db")
    }
    do {
      (queue, proof) = try Self.open(path)
    } catch let error as AuditError {
      throw error
    } catch let error as DatabaseError where error.resultCode == .SQLITE_NOTADB {
      throw AuditError(.notOurs, "\(path) is not a database; name the server's with --audit-db")
    } catch let error as DatabaseError where error.resultCode == .SQLITE_READONLY {
      throw AuditError(
        .unusable,
        "only its owner can read the audit database \(path) while no server runs; "
          + "run this as the server's user")
    } catch {
      let cause = (error as? DatabaseError)?.message ?? "\(error)"
      throw AuditError(
        .unusable, "cannot read the audit database \(path): \(cause); check its permissions")
    }
  }

  deinit {
    if let proof { close(proof) }
  }

  private static func open(_ path: String) throws -> (DatabaseQueue, Int32?) {
    do {
      return (try connect(path, path), nil)
    } catch let error as DatabaseError
      where [.SQLITE_READONLY, .SQLITE_CANTOPEN].contains(error.resultCode)
    {
      guard !FileManager.default.fileExists(atPath: path + "-wal"),
        let proof = lockSpool(path + ".spool")
      else { throw error }
      let allowed = CharacterSet.urlPathAllowed.subtracting(CharacterSet(charactersIn: "?#%"))
      let escaped = path.addingPercentEncoding(withAllowedCharacters: allowed) ?? path
      do {
        return (try connect("file://\(escaped)?immutable=1", path), proof)
      } catch {
        close(proof)
        throw error
      }
    }
  }

  /// Puts views over all databases in front of each one's own.
  private static func join(_ db: Database, _ others: [String]) throws {
    try db.execute(sql: "PRAGMA query_only = OFF")
    for (number, path) in others.enumerated() {
      try db.execute(sql: "ATTACH ? AS other\(number)", arguments: [path])
    }
    let schemas = ["main"] + others.indices.map { "other\($0)" }
    for view in Schema.sharedViews {
      let parts = schemas.map { "SELECT * FROM \($0).\(view)" }.joined(separator: " UNION ALL ")
      try db.execute(sql: "CREATE TEMP VIEW \(view) AS \(parts)")
    }
    try db.execute(sql: "PRAGMA query_only = ON")
  }

  /// A shared lock on the spool: no server has it. nil: one has, or it can't be known.
  private static func lockSpool(_ path: String) -> Int32? {
    let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
    guard descriptor >= 0 else { return nil }
    if flock(descriptor, LOCK_SH | LOCK_NB) == 0 { return descriptor }
    close(descriptor)
    return nil
  }

  private static func connect(_ address: String, _ path: String) throws -> DatabaseQueue {
    var configuration = Configuration()
    configuration.readonly = true
    configuration.label = "audit"
    configuration.busyMode = .timeout(Limits.busySeconds)
    configuration.prepareDatabase { db in try db.execute(sql: "PRAGMA query_only = ON") }
    let queue = try DatabaseQueue(path: address, configuration: configuration)
    try queue.read { db in
      guard try Int32.fetchOne(db, sql: "PRAGMA application_id") == Schema.applicationID else {
        throw AuditError(
          .notOurs, "\(path) is not an audit database; name the server's with --audit-db")
      }
      try Schema.requireCurrent(db, path)
    }
    return queue
  }

  /// Prints the rows that pass a filter: a table has the columns that people look at first,
  /// the other formats have all of the view `requests`.
  public func query(_ filter: QueryFilter, _ output: inout QueryOutput) throws {
    let columns = output.format == .table ? Self.tableColumns : Schema.viewColumns
    let (sql, arguments) =
      databases > 1
      ? filter.joinedStatement(columns: columns) : filter.statement(columns: columns)
    try print(sql, arguments, &output)
  }

  static let tableColumns = [
    "replace(substr(time, 1, 19), 'T', ' ') AS time_utc", "operation", "status", "outcome",
    "object_key", "bytes_out", "username", "duration_ms", "remote_ip", "request_id",
    "collection_id",
  ]

  /// Everything that is recorded of one request, by column of the view; nil: it isn't there.
  public func show(_ id: RequestID) throws -> [(column: String, value: QueryValue)]? {
    try queue.read { db in
      try Row.fetchOne(db, sql: "SELECT * FROM requests WHERE id = ?", arguments: [id.value])
        .map { row in zip(row.columnNames, row.databaseValues).map { ($0, QueryValue($1)) } }
    }
  }

  /// Prints the result of one SELECT, VALUES or EXPLAIN; refuses everything else.
  public func sql(_ text: String, _ output: inout QueryOutput) throws {
    guard ["SELECT", "WITH", "VALUES", "EXPLAIN"].contains(Self.firstWord(of: text)) else {
      throw QueryError(
        "only reading is possible here: a statement that begins with SELECT, WITH or VALUES")
    }
    try print(text, [], &output)
  }

  func print(
    _ sql: String, _ arguments: StatementArguments, _ output: inout QueryOutput
  ) throws {
    try translating {
      try queue.read { db in
        let statement = try db.makeStatement(sql: sql)
        guard statement.isReadonly else {
          throw QueryError("only reading is possible here: the statement would write")
        }
        try output.begin(columns: statement.columnNames)
        let rows = try Row.fetchCursor(statement, arguments: arguments)
        while let row = try rows.next() {
          try output.row(row.databaseValues.map(QueryValue.init))
        }
        try output.end()
      }
    }
  }

  /// What SQLite says becomes a line for people.
  func translating<Result>(_ body: () throws -> Result) throws -> Result {
    do {
      return try body()
    } catch let error as DatabaseError {
      // GRDB's own refusal of a second statement, which speaks to programmers.
      guard error.resultCode != .SQLITE_MISUSE else {
        throw QueryError("one statement at a time: leave out what follows the first ;")
      }
      throw QueryError(explanation(of: error))
    }
  }

  /// The first word, upper case, behind white space and SQL comments.
  static func firstWord(of sql: String) -> String {
    var rest = Substring(sql)
    while true {
      rest = rest.drop { $0.isWhitespace }
      if rest.hasPrefix("--") {
        rest = rest.drop { !$0.isNewline }
      } else if rest.hasPrefix("/*"), let end = rest.dropFirst(2).firstRange(of: "*/") {
        rest = rest[end.upperBound...]
      } else {
        return rest.prefix { $0.isLetter }.uppercased()
      }
    }
  }
}

/// A path that SQLite doesn't take for a URI, and the same one for all symbolic links to a file:
/// the spool that keeps a second server out stands beside the file itself.
func absolutePath(_ path: String) -> String {
  URL(fileURLWithPath: path).resolvingSymlinksInPath().path
}
