// InsertStatement: an INSERT whose values are bound one after the other. GRDB's arguments box each
// value and cost the writer more than the row; errors are GRDB's all the same.
//
// For one transaction: SQLite may prepare the statement anew for the next.

import GRDB
import GRDBSQLite

struct InsertStatement {
  private let statement: Statement
  private let connection: OpaquePointer?
  private var index: Int32 = 0
  private var failure = SQLITE_OK

  init(_ db: Database, _ sql: String) throws {
    statement = try db.cachedStatement(sql: sql)
    connection = db.sqliteConnection
  }

  mutating func bind(_ integer: Int64?) {
    index += 1
    if let integer {
      check(sqlite3_bind_int64(statement.sqliteStatement, index, integer))
    } else {
      check(sqlite3_bind_null(statement.sqliteStatement, index))
    }
  }

  mutating func bind(_ text: String?) {
    index += 1
    guard var text else { return check(sqlite3_bind_null(statement.sqliteStatement, index)) }
    if text.isEmpty {  // has no memory of its own, which SQLite would take for NULL
      return check(sqlite3_bind_text(statement.sqliteStatement, index, "", 0, Self.copied))
    }
    let code = text.withUTF8 { utf8 in
      utf8.withMemoryRebound(to: CChar.self) {
        sqlite3_bind_text(
          statement.sqliteStatement, index, $0.baseAddress, Int32($0.count), Self.copied)
      }
    }
    check(code)
  }

  mutating func bind(_ bytes: [UInt8]) {
    index += 1
    check(
      sqlite3_bind_blob(
        statement.sqliteStatement, index, bytes, Int32(bytes.count), Self.copied))
  }

  /// SQLITE_TRANSIENT, a macro that Swift doesn't see: SQLite makes a copy.
  private static let copied = unsafeBitCast(-1, to: sqlite3_destructor_type.self)

  private mutating func check(_ code: Int32) {
    if code != SQLITE_OK, failure == SQLITE_OK { failure = code }
  }

  /// Inserts what was bound; the next value bound is the first again.
  mutating func execute() throws {
    assert(index == sqlite3_bind_parameter_count(statement.sqliteStatement))
    var code = failure
    index = 0
    failure = SQLITE_OK
    if code == SQLITE_OK {
      code = sqlite3_step(statement.sqliteStatement)
      if code == SQLITE_DONE {
        sqlite3_reset(statement.sqliteStatement)
        return
      }
    }
    let error = DatabaseError(
      resultCode: ResultCode(rawValue: code), message: String(cString: sqlite3_errmsg(connection)),
      sql: statement.sql)
    sqlite3_reset(statement.sqliteStatement)
    throw error
  }
}
