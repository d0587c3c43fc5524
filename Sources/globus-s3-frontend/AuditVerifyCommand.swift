// AuditVerifyCommand: `audit verify`: whether the record is what the server wrote.
//
// Exit code 0: intact; 1: it is not, and each finding is a line.

import ArgumentParser
import Audit
import Glibc

struct AuditVerifyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Prove that no row of the record was changed, removed or inserted.",
    discussion: """
      The record is chained and signed; what was pruned or forgotten by this command is known. \
      Someone who holds the signing key could write it anew from the start: only heads that left \
      the machine show that. Give the server's log with --log to compare them.
      """)

  @OptionGroup var database: AuditDatabaseOptions

  @Option(
    help: ArgumentHelp(
      "A public key that may have signed, as the server logs it; repeatable. Default: any.",
      valueName: "hex"))
  var publicKey: [String] = []

  @Option(help: ArgumentHelp("A log of the server, or of several; repeatable.", valueName: "file"))
  var log: [String] = []

  func validate() throws {
    for key in publicKey
    where key.utf8.count != 64 || !key.utf8.allSatisfy({ isHexDigit($0) }) {
      throw ValidationError("a public key is 64 hexadecimal digits")
    }
  }

  private func isHexDigit(_ byte: UInt8) -> Bool {
    "0123456789abcdefABCDEF".utf8.contains(byte)
  }

  func run() throws {
    var witness = Witness()
    witness.keys = Set(publicKey.map { $0.lowercased() })
    for file in log { try Self.read(file, into: &witness) }
    try database.read("verify", [:]) { reader in
      let result = try reader.verify(witness)
      Self.show(result, comparedWith: witness.heads.count)
      if !result.isIntact { throw ExitCode(1) }
    }
  }

  /// Takes the heads out of a log, a line at a time: it may be long, or a pipe.
  private static func read(_ file: String, into witness: inout Witness) throws {
    guard let stream = fopen(file, "re") else { throw unreadable(file) }
    defer { fclose(stream) }
    var line: UnsafeMutablePointer<CChar>?
    var (capacity, hasHeads) = (0, false)
    defer { free(line) }
    while getline(&line, &capacity, stream) >= 0, let line {
      guard strstr(line, "audit checkpoint") != nil else { continue }
      hasHeads = true
      witness.readLog(String(cString: line))
    }
    guard ferror(stream) == 0 else { throw unreadable(file) }
    guard hasHeads else {
      throw ConfigurationError(
        "--log \(QueryOutput.visible(file)) has no line 'audit checkpoint'", code: 64)
    }
  }

  private static func unreadable(_ file: String) -> ConfigurationError {
    ConfigurationError(
      "--log names a file that can't be read: \(QueryOutput.visible(file))", code: 64)
  }

  private static func show(_ result: Verification, comparedWith heads: Int) {
    for problem in result.problems { print("NOT INTACT  \(QueryOutput.visible(problem))") }
    if result.problemCount > result.problems.count {
      print("NOT INTACT  and \(result.problemCount - result.problems.count) more")
    }
    print("verdict      \(result.isIntact ? "intact" : "not intact")")
    print("proven       \(result.proven) rows")
    print("pruned       \(result.pruned) rows, as notes say")
    print("forgotten    \(result.forgotten) rows whose person's names were removed, as notes say")
    print("unsigned     \(result.unsigned) newest rows, until the next checkpoint")
    if result.uncovered > 0 {
      print("uncovered    \(result.uncovered) rows of a version that did not sign")
    }
    print("checkpoints  \(result.checkpoints), \(heads) compared with the log")
    for key in result.keys { print("key          \(key)") }
    if let head = result.head { print("head         \(head)") }
  }
}
