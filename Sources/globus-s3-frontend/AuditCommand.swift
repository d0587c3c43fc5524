// AuditCommand: `audit`: reads the record, with or without a running server.
//
// Exit codes: 64 for bad usage, 78 when the database can't be opened, each with one line on
// stderr that says what to change.

import ArgumentParser
import Audit
import Foundation

struct AuditCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "audit",
    abstract: "Read the record of every request.",
    subcommands: [AuditQueryCommand.self, AuditShowCommand.self, AuditSQLCommand.self])
}

/// Which database is read.
struct AuditDatabaseOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The audit database. Default: GLOBUS_S3_AUDIT_DB, else where the server keeps it.",
      valueName: "file"))
  var auditDb: String?

  /// Opens the database and reads; failures become the contract's exit codes.
  func read(_ body: (QueryReader) throws -> Void) throws {
    let environment = ProcessInfo.processInfo.environment
    let path =
      auditDb ?? environment["GLOBUS_S3_AUDIT_DB"]
      ?? AuditLog.defaultDatabasePath(environment: environment)
    do {
      try body(try QueryReader(path: path))
    } catch let error as AuditError {
      try fail(error.description, exitCode: 78)
    } catch let error as QueryError {
      try fail(error.description, exitCode: ExitCode.validationFailure.rawValue)
    }
  }

  private func fail(_ message: String, exitCode: Int32) throws {
    FileHandle.standardError.write(Data("Error: \(QueryOutput.visible(message))\n".utf8))
    throw ExitCode(exitCode)
  }
}

/// How results are printed.
struct AuditFormatOptions: ParsableArguments {
  @Option(help: "table, json (one object per line) or csv.")
  var format: QueryOutput.Format = .table

  var output: QueryOutput {
    QueryOutput(format, width: Self.terminalWidth, isTerminal: isatty(STDOUT_FILENO) == 1) {
      try FileHandle.standardOutput.write(contentsOf: Data($0.utf8))
    }
  }

  /// `COLUMNS`, else what the terminal says; nil when neither does.
  private static var terminalWidth: Int? {
    if let columns = ProcessInfo.processInfo.environment["COLUMNS"].flatMap({ Int($0) }),
      columns > 0
    {
      return columns
    }
    var size = winsize()
    guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return nil }
    return Int(size.ws_col)
  }
}

extension QueryOutput.Format: ExpressibleByArgument {}

struct AuditSQLCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sql",
    abstract: "Run one SELECT on the record.",
    discussion: """
      The view "requests" has one row per request. Nothing can be changed: the database is \
      opened for reading only.
      """)

  @OptionGroup var database: AuditDatabaseOptions
  @OptionGroup var format: AuditFormatOptions

  @Argument(help: "A statement that begins with SELECT, WITH, VALUES or EXPLAIN.")
  var statement: String

  func run() throws {
    try database.read { reader in
      var output = format.output
      try reader.sql(statement, &output)
    }
  }
}

struct AuditShowCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show", abstract: "Show everything that is recorded of one request.")

  @OptionGroup var database: AuditDatabaseOptions

  @Argument(
    help: "The x-amz-request-id that the client saw.",
    transform: { text in
      guard let id = RequestID(text) else {
        throw ValidationError("a request id has up to 16 hexadecimal digits")
      }
      return id
    })
  var requestID: RequestID

  func run() throws {
    try database.read { reader in
      guard let fields = try reader.show(requestID) else {
        FileHandle.standardError.write(Data("Error: no request \(requestID) is recorded\n".utf8))
        throw ExitCode.failure
      }
      let width = fields.map(\.column.count).max() ?? 0
      for (column, value) in fields where value != .null {
        let name = column.padding(toLength: width, withPad: " ", startingAt: 0)
        print("\(name)  \(QueryOutput.visible(value.description))")
      }
    }
  }
}
