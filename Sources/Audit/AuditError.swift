// AuditError: why the record can't be kept or read, in a line that says what to change.

import GRDB

/// The record can't be opened. A command ends with exit code 78 (EX_CONFIG) for each of these.
public struct AuditError: Error, Equatable, Sendable, CustomStringConvertible {
  public enum Code: Sendable {
    /// Another server holds the spool.
    case inUse
    /// The file is a database or a spool of something else.
    case notOurs
    /// The file was written by a newer version of this program.
    case newer
    /// The file can't be opened, created or read.
    case unusable
  }

  public let code: Code
  /// One line: what is wrong and what to change.
  public let description: String

  init(_ code: Code, _ description: String) {
    self.code = code
    self.description = description
  }
}

/// A statement that `audit sql` does not run, or a filter that makes no sense: exit code 64.
public struct QueryError: Error, Equatable, Sendable, CustomStringConvertible {
  public let description: String

  init(_ description: String) {
    self.description = description
  }
}

/// Why a command on the record failed, in a line for people.
public func explanation(of error: any Error) -> String {
  guard let error = error as? DatabaseError else { return "\(error)" }
  return switch error.resultCode {
  case .SQLITE_BUSY, .SQLITE_LOCKED: "another program holds the audit database; try again later"
  case .SQLITE_FULL: "the disk of the audit database is full; free space"
  default: "SQLite: \(error.message ?? "\(error.resultCode)")"
  }
}
