// AuditCommand: `audit`: reads the record, with or without a running server.
//
// Exit codes: 64 for bad usage, 78 when the database can't be opened.

import ArgumentParser
import Audit
import FoundationEssentials
import Glibc

struct AuditCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "audit",
    abstract: "Read, prove, keep and hand over the record of every request.",
    subcommands: [
      AuditQueryCommand.self, AuditShowCommand.self, AuditSQLCommand.self, AuditReportCommand.self,
      AuditVerifyCommand.self,
      AuditSnapshotCommand.self, AuditExportCommand.self, AuditPruneCommand.self,
      AuditHoldCommand.self, AuditReleaseCommand.self, AuditForgetCommand.self,
    ])
}

/// Which database is read.
struct AuditDatabaseOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      """
      The audit database; repeated, several are asked as one. Default: GLOBUS_S3_AUDIT_DB, else \
      where the server keeps it.
      """, valueName: "file"))
  var auditDb: [String] = []

  private var paths: [String] {
    guard auditDb.isEmpty else { return auditDb }
    let environment = ProcessInfo.processInfo.environment
    return [
      environment["GLOBUS_S3_AUDIT_DB"] ?? AuditLog.defaultDatabasePath(environment: environment)
    ]
  }

  /// Opens the database to change it; failures become the contract's exit codes.
  func steward(_ body: (Steward) throws -> Void) throws {
    try failing {
      guard paths.count == 1 else {
        throw ConfigurationError("this changes one audit database: give --audit-db once", code: 64)
      }
      try body(try Steward(path: paths[0]))
    }
  }

  /// Opens the database, notes in it that `command` was run, and reads; failures become the
  /// contract's exit codes.
  func read(
    _ command: String, _ detail: [String: NoteValue?], _ body: (QueryReader) throws -> Void
  ) throws {
    try failing {
      let reader = try QueryReader(paths: paths)
      do {
        for path in paths {
          try Steward(path: path, isReader: true).note(command, detail.compactMapValues { $0 })
        }
      } catch {
        let cause = QueryOutput.visible(explanation(of: error))
        writeErrorLine("this reading leaves no note in the record: \(cause)")
      }
      try body(reader)
    }
  }

  private func failing(_ body: () throws -> Void) throws {
    do {
      try body()
    } catch let error as AuditError {
      throw ConfigurationError(QueryOutput.visible(error.description))
    } catch let error as QueryError {
      throw ConfigurationError(QueryOutput.visible(error.description), code: 64)
    } catch  where !(error is ConfigurationError || error is ExitCode) {
      throw ConfigurationError(QueryOutput.visible(explanation(of: error)), code: 1)
    }
  }
}

/// How results are printed.
struct AuditFormatOptions: ParsableArguments {
  @Option(help: "table, json (one object per line) or csv.")
  var format: QueryOutput.Format = .table

  var output: QueryOutput { Self.output(format) }

  /// Standard output in that format.
  static func output(_ format: QueryOutput.Format) -> QueryOutput {
    QueryOutput(format, width: terminalWidth, isTerminal: isatty(STDOUT_FILENO) == 1) {
      try writeToStandardOutput($0)
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
    try database.read("sql", ["statement": .text(statement)]) { reader in
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
    try database.read("show", ["request_id": .text(requestID.description)]) { reader in
      guard let fields = try reader.show(requestID) else {
        throw ConfigurationError("no request \(requestID) is recorded", code: 1)
      }
      for sentence in try reader.story(requestID) ?? [] { print(QueryOutput.visible(sentence)) }
      print("")
      let width = fields.map(\.column.count).max() ?? 0
      for (column, value) in fields where value != .null {
        let name = column + String(repeating: " ", count: width - column.count)
        print("\(name)  \(QueryOutput.visible(value.description))")
      }
    }
  }
}

/// A reader that has seen enough, such as `head`, ends the command.
private func writeToStandardOutput(_ text: String) throws {
  var rest = Array(text.utf8)[...]
  while !rest.isEmpty {
    let written = rest.withUnsafeBytes { write(STDOUT_FILENO, $0.baseAddress, $0.count) }
    if written < 0 && errno == EINTR { continue }
    guard written > 0 else { throw ExitCode.failure }
    rest = rest.dropFirst(written)
  }
}
