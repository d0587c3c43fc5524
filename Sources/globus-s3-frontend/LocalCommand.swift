// LocalCommand: `globus-s3-frontend local`: a stand-in for Globus over local folders, and the
// frontend before it, in one process.
//
// What is served is told on stdout as lines `name=value`, and `ready` when all of it is.

import ArgumentParser
import FoundationEssentials
import Glibc
import LocalGlobus
import Reactor

struct LocalCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "local",
    abstract: "Serve local folders as Globus collections, with a stand-in for Globus.",
    discussion: """
      The stand-in listens on the loopback address only. Prints lines name=value (base_url, \
      auth_url, transfer_url, ca_file, client_id, client_secret, collection and what belongs to \
      each), then "ready", and serves until it is interrupted.
      """)

  @Option(
    help: ArgumentHelp("A folder to serve; a sample folder when there is none.", valueName: "dir"))
  var directory: String?

  @Option(
    help: ArgumentHelp("A folder to serve under a given id. Repeatable.", valueName: "uuid=dir"))
  var collection: [CollectionArgument] = []

  @Option(
    help: ArgumentHelp("Make that collection a guest collection. Repeatable.", valueName: "uuid"))
  var guest: [String] = []

  @Option(
    help: ArgumentHelp("Make that collection a high assurance one. Repeatable.", valueName: "uuid"))
  var highAssurance: [String] = []

  @Flag(help: "Start no frontend.")
  var standInOnly = false

  @Option(help: ArgumentHelp("Where the frontend listens.", valueName: "host:port"))
  var listen = ListenAddress(host: "127.0.0.1", port: 8000)

  @Option(
    name: .customLong("base-url"),
    help: ArgumentHelp("The frontend's own URL; http://localhost and its port.", valueName: "url"))
  var baseURL: String?

  @Option(help: ArgumentHelp("How long each Transfer call takes at least.", valueName: "ms"))
  var transferLatency: UInt64 = 0

  @Option(help: ArgumentHelp("How long access tokens live.", valueName: "s"))
  var accessTokenLifetime: Int64 = 172_800

  func validate() throws {
    let known = collection.map(\.id)
    for id in guest + highAssurance where !known.contains(id.lowercased()) {
      throw ValidationError("\(id): no --collection has this id")
    }
    guard accessTokenLifetime > 0 else {
      throw ValidationError("--access-token-lifetime: at least 1 second")
    }
  }

  func run() throws {
    let command = self
    let status = Loop.run {
      do {
        try await command.serve()
        return 0
      } catch {
        let line = Array("globus-s3-frontend: \(error)\n".utf8)
        _ = write(STDERR_FILENO, line, line.count)
        return EX_CONFIG
      }
    }
    throw ExitCode(status)
  }

  @Loop private func serve() async throws {
    let interrupted = Interruption()
    let work = try WorkDirectory()
    defer { work.remove() }
    let configuration = try configuration(work)
    let globus = try LocalGlobus(configuration)
    defer { globus.close() }
    var url = baseURL ?? "http://localhost:\(listen.port)"
    var frontend: RunningFrontend?
    if !standInOnly {
      let setup = FrontendSetup(
        listen: listen, baseURL: baseURL, clientID: configuration.clientID,
        clientSecret: configuration.clientSecret, workDirectory: work.path)
      let running = try await startFrontend(globus, setup)
      url = running.baseURL
      frontend = running
    }
    globus.allowRedirect(to: url + "/?auth-callback")
    announce(globus, configuration, baseURL: url)
    await interrupted.wait()
    await frontend?.close()
  }

  private func configuration(_ work: WorkDirectory) throws -> LocalGlobusConfiguration {
    var collections = collection.map {
      LocalGlobusConfiguration.Collection(
        id: $0.id, directory: $0.directory, displayName: displayName($0.directory))
    }
    if let directory {
      guard let real = realpath(directory, nil) else {
        throw LocalFailure("--directory \(directory): \(String(cString: strerror(errno)))")
      }
      defer { free(real) }
      let path = String(cString: real)
      collections.insert(
        .init(
          id: collectionID(forDirectory: path), directory: path, displayName: displayName(path)),
        at: 0)
    } else if collections.isEmpty {
      let path = work.path + "/sample"
      try SampleFolder.write(to: path)
      collections = [
        .init(
          id: collectionID(forDirectory: "sample"), directory: path, displayName: "Sample folder")
      ]
    }
    for index in collections.indices {
      if guest.contains(where: { $0.lowercased() == collections[index].id }) {
        collections[index].kind = .guest
      }
      collections[index].highAssurance = highAssurance.contains {
        $0.lowercased() == collections[index].id
      }
    }
    var configuration = LocalGlobusConfiguration(
      collections: collections, workDirectory: work.path)
    configuration.transferLatencyMilliseconds = transferLatency
    configuration.accessTokenLifetimeSeconds = accessTokenLifetime
    return configuration
  }

  private func displayName(_ directory: String) -> String {
    directory.split(separator: "/").last.map(String.init) ?? "/"
  }

  @Loop private func announce(
    _ globus: LocalGlobus, _ configuration: LocalGlobusConfiguration, baseURL: String
  ) {
    print("base_url=\(baseURL)")
    print("auth_url=\(globus.authURL)")
    print("transfer_url=\(globus.transferURL)")
    print("ca_file=\(globus.caFile)")
    print("client_id=\(configuration.clientID)")
    print("client_secret=\(configuration.clientSecret)")
    for collection in globus.collections {
      print("collection=\(collection.id)")
      print("collection.\(collection.id).directory=\(collection.directory)")
      print("collection.\(collection.id).kind=\(collection.kind.rawValue)")
      print("collection.\(collection.id).high_assurance=\(collection.highAssurance)")
      print("collection.\(collection.id).https_server=\(collection.httpsServer)")
    }
    print("ready")
    // To a pipe, print alone would wait for a full buffer.
    fflush(nil)
  }
}

/// What the frontend of `local` is to be started with.
struct FrontendSetup: Sendable {
  /// Port 0: a free one.
  var listen: ListenAddress
  /// Nil: `http://localhost` and the port listened on.
  var baseURL: String?
  var clientID, clientSecret: String
  /// Mode 0700, removed at the end.
  var workDirectory: String
}

/// A frontend that serves.
struct RunningFrontend: Sendable {
  /// Without trailing slash.
  var baseURL: String
  var close: @Loop @Sendable () async -> Void
}
