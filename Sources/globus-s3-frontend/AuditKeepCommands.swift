// AuditKeepCommands: what a data steward does with the record: hand over, hold, prune, forget. Each
// leaves a note in it. All work beside a running server.

import ArgumentParser
import Audit
import FoundationEssentials

/// A collection's UUID, in lower case.
private func collectionID(_ text: String) throws -> String {
  guard let id = UUID(uuidString: text) else {
    throw ValidationError("a collection's UUID is expected")
  }
  return id.uuidString.lowercased()
}

struct AuditSnapshotCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "snapshot",
    abstract: "Copy the record, whole or of one collection, to a new database.",
    discussion: """
      A whole snapshot can be verified and queried like the record. One of a collection has that \
      collection's rows and names only, and no signatures: these cover other collections' rows.
      """)

  @OptionGroup var database: AuditDatabaseOptions

  @Option(
    help: ArgumentHelp("Only this collection's rows.", valueName: "uuid"),
    transform: { try collectionID($0) })
  var collection: String?

  @Argument(help: "The file to write; it must not be there yet.")
  var file: String

  func run() throws {
    try database.steward { try $0.snapshot(to: file, collectionID: collection) }
  }
}

struct AuditPruneCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "prune",
    abstract: "Let go of old rows; sums per hour stay, rows of held collections too.",
    discussion: "A server lets go by itself when it has --audit-retention.")

  @OptionGroup var database: AuditDatabaseOptions

  @Option(
    help: ArgumentHelp("Rows that began before this time go, such as 365d.", valueName: "time"),
    transform: AuditSpanOptions.time)
  var before: Int64

  @Flag(help: "Only say how many rows would go.")
  var dryRun = false

  func run() throws {
    try database.steward { steward in
      if dryRun {
        print("\(try steward.countPrunable(before: before)) rows would go")
      } else {
        print("\(try steward.prune(before: before)) rows went")
      }
    }
  }
}

struct AuditHoldCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "hold",
    abstract: "Keep a collection's rows from being pruned and from forgetting persons.")

  @OptionGroup var database: AuditDatabaseOptions

  @Option(help: "Why, for the record's note.")
  var reason: String

  @Argument(help: "The collection's UUID.", transform: { try collectionID($0) })
  var collection: String

  func run() throws {
    try database.steward { try $0.hold(collection, reason: reason) }
  }
}

struct AuditReleaseCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "release", abstract: "End a hold.")

  @OptionGroup var database: AuditDatabaseOptions

  @Option(help: "Why, for the record's note.")
  var reason: String

  @Argument(help: "The collection's UUID.", transform: { try collectionID($0) })
  var collection: String

  func run() throws {
    try database.steward { steward in
      guard try steward.release(collection, reason: reason) else {
        throw ConfigurationError("collection \(collection) is not held", code: 1)
      }
    }
  }
}

struct AuditForgetCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "forget",
    abstract: "Take a person's names and addresses out of the record; the rows stay.",
    discussion: """
      Object keys and the texts of 'audit sql' stay as they are. Copies that were handed over \
      are not reached.
      """)

  @OptionGroup var database: AuditDatabaseOptions

  @Option(
    help: ArgumentHelp("The UUID of the person's Globus identity.", valueName: "uuid"),
    transform: { text in
      guard let id = UUID(uuidString: text) else {
        throw ValidationError("the UUID of a Globus identity is expected")
      }
      return id.uuidString.lowercased()
    })
  var identity: String

  func run() throws {
    try database.steward { print("\(try $0.forget(identity: identity)) rows are nameless now") }
  }
}
