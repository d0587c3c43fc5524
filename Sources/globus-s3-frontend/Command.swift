// The command: its subcommands, and how errors end it.
//
// Exit codes: 0 clean, 64 bad usage, 78 bad configuration (sysexits.h), each of the latter two with
// one line on stderr that says what to change.

import ArgumentParser
import Audit
import Glibc
import Reactor

@main struct Command: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "globus-s3-frontend",
    abstract: "An S3 API for Globus collections.",
    discussion: "A collection's UUID is a bucket: sign in at BASE-URL/COLLECTION/?auth, then use "
      + "the credential as the AWS access key id.",
    version: version,
    subcommands: [
      ServeCommand.self, LocalCommand.self, AuditCommand.self, KeyCommand.self, HealthCommand.self,
    ])

  static let number = "0.1.0"
  /// With the commit, in builds that were told it, and the libraries as loaded.
  static var version: String {
    let commit = Loop.buildCommit
    return "\(number)\(commit.isEmpty ? "" : "+\(commit)") "
      + "(\(Loop.libraryVersions), SQLite \(AuditLog.sqliteVersion))"
  }

  static func main() {
    do {
      var command = try parseAsRoot()
      try command.run()
    } catch let error as ConfigurationError {
      fail(error.message, code: error.code)
    } catch let code as ExitCode {
      Glibc.exit(code.rawValue)  // what is wrong has been told
    } catch {
      let code = exitCode(for: error)
      guard code == .validationFailure else { exit(withError: error) }
      fail("\(message(for: error)) (see --help)", code: code.rawValue)
    }
  }

  private static func fail(_ message: String, code: Int32) -> Never {
    writeErrorLine("globus-s3-frontend: \(message)")
    Glibc.exit(code)
  }
}

/// What ends the command, in one line that says what to change.
struct ConfigurationError: Error, CustomStringConvertible {
  let message: String
  let code: Int32
  var description: String { message }
  init(_ message: String, code: Int32 = 78) {
    self.message = message
    self.code = code
  }
}
