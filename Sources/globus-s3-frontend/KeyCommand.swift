// key: makes and rotates the key file that credentials are sealed with.

import ArgumentParser
import Frontend

struct KeyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "key",
    abstract: "Make and rotate the key file of --key-file.",
    discussion: """
      To rotate: 'add' a key on every instance, 'promote' it once all have it, 'retire' the old \
      one when the last credential that it sealed has ended. Reload the servers (SIGHUP) after each \
      step.
      """,
    subcommands: [Generate.self, List.self, Add.self, Promote.self, Retire.self])

  struct Generate: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Make a key file, readable by you alone.")
    @Argument(help: "The file to make.") var file: String
    func run() throws { try edit { print(try Keyring.generate(file: file)) } }
  }

  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Show the keys of a file: id, state, when made.")
    @Argument(help: "The key file.") var file: String
    func run() throws {
      try edit {
        for key in try Keyring.list(file: file) { print(key.id, key.state.rawValue, key.created) }
      }
    }
  }

  struct Add: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Add a key that is accepted and does not seal yet.")
    @Argument(help: "The key file.") var file: String
    func run() throws { try edit { print(try Keyring.add(file: file)) } }
  }

  struct Promote: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Seal with this key from now on.")
    @Argument(help: "The key file.") var file: String
    @Argument(help: "The key's id.", transform: keyID) var id: KeyID
    func run() throws { try edit { try Keyring.promote(id, file: file) } }
  }

  struct Retire: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Accept what this key sealed no more.")
    @Argument(help: "The key file.") var file: String
    @Argument(help: "The key's id.", transform: keyID) var id: KeyID
    func run() throws { try edit { try Keyring.retire(id, file: file) } }
  }
}

private func keyID(_ text: String) throws -> KeyID {
  guard let id = KeyID(text) else { throw ValidationError("a key id has 8 hexadecimal digits") }
  return id
}

private func edit(_ body: () throws -> Void) throws {
  do {
    try body()
  } catch let error as KeyringError {
    throw ConfigurationError(error.description)
  }
}
