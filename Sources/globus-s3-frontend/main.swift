import ArgumentParser

struct Command: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "globus-s3-frontend", subcommands: [LocalCommand.self])
}

Command.main()
