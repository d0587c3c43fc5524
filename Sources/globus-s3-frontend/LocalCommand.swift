// LocalCommand: `globus-s3-frontend local`: a stand-in for Globus over local folders, and the
// frontend before it, in one process.
//
// What is served is told on stdout as lines `name=value`, and `ready` when all of it is.

import ArgumentParser
import FoundationEssentials
import Frontend
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

  @Option(
    help: ArgumentHelp("Make that collection Connect Personal's. Repeatable.", valueName: "uuid"))
  var connectPersonal: [String] = []

  @Option(
    help: ArgumentHelp(
      "Say that the collection's HTTPS server is elsewhere. Repeatable.", valueName: "uuid=url"))
  var httpsServer: [HTTPSServerArgument] = []

  @Option(help: "Further trust for collections' servers, PEM.")
  var upstreamCa: String?

  @Flag(help: "Start no frontend.")
  var standInOnly = false

  @Option(help: ArgumentHelp("Where the frontend listens.", valueName: "host:port"))
  var listen = ListenAddress(host: "127.0.0.1", port: 8000)

  @Option(
    name: .customLong("base-url"),
    help: ArgumentHelp("The frontend's own URL; http://localhost and its port.", valueName: "url"))
  var baseURL: String?

  @Option(help: "The audit database; one that ends with the program when there is none.")
  var auditDb: String?

  @Option(
    help: ArgumentHelp(
      "Rows a minute and address for requests without a genuine credential.", valueName: "rows"))
  var auditStrangersPerMinute: Int?

  @Option(help: "Keyring for sealing; a random key when there is none.")
  var keyFile: String?

  @Option(help: "Signatures of header-signed requests: any or verify.")
  var signatures = SignaturePolicy.any

  @Option(
    help: ArgumentHelp("Network whose X-Forwarded-For is believed. Repeatable.", valueName: "cidr"))
  var trustedProxy: [String] = []

  @Option(help: "PROXY protocol from trusted proxies: off or trusted.")
  var proxyProtocol = ProxyProtocol.off

  @Option(help: ArgumentHelp("How long each Transfer call takes at least.", valueName: "ms"))
  var transferLatency: UInt64 = 0

  @Option(help: "What goes wrong: a JSON file as docs/local.md describes it.")
  var faults: String?

  @Option(help: ArgumentHelp("How long access tokens live.", valueName: "s"))
  var accessTokenLifetime: Int64 = 172_800

  @Option(help: "Random bytes of an access token: Globus may make longer ones some day.")
  var accessTokenBytes = 66
  @OptionGroup(title: "Limits of the frontend") var limits: LimitFlags

  func validate() throws {
    let known = collection.map(\.id)
    let named = guest + highAssurance + connectPersonal + httpsServer.map(\.id)
    for id in named where !known.contains(id.lowercased()) {
      throw ValidationError("\(id): no --collection has this id")
    }
    guard auditStrangersPerMinute ?? 1 > 0 else {
      throw ValidationError("--audit-strangers-per-minute: at least 1")
    }
    guard 16...1024 ~= accessTokenBytes else {
      throw ValidationError("--access-token-bytes: from 16 to 1024")
    }
    for network in trustedProxy where !Configuration.isNetwork(network) {
      throw ValidationError("--trusted-proxy: not a network such as 10.0.0.0/8: \(network)")
    }
    guard proxyProtocol == .off || !trustedProxy.isEmpty else {
      throw ValidationError("--proxy-protocol trusted: needs a --trusted-proxy")
    }
    guard accessTokenLifetime > 0 else {
      throw ValidationError("--access-token-lifetime: at least 1 second")
    }
    do throws(ConfigurationError) {
      try limits.check()
    } catch {
      throw ValidationError(error.message)
    }
  }

  func run() throws {
    let command = self
    let status = Loop.run {
      do {
        try await command.serve()
        return 0
      } catch {
        writeErrorLine("globus-s3-frontend: \(error)")
        return 78
      }
    }
    throw ExitCode(status)
  }

  @Loop private func serve() async throws {
    let interrupted = Interruption([SIGINT, SIGTERM, SIGHUP])
    let work = try WorkDirectory()
    defer { work.remove() }
    let configuration = try configuration(work)
    let globus = try LocalGlobus(configuration)
    defer { globus.close() }
    let plan = try plan(globus, configuration, work)
    let service = standInOnly ? nil : try Service(plan)
    let url = service?.baseURL.description ?? plan.frontend.baseURL.description
    globus.allowRedirect(to: url + "/?auth-callback")
    announce(globus, configuration, baseURL: url, auditDatabase: plan.auditDatabase)
    await interrupted.wait()
    await service?.close(interrupted)
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
      if connectPersonal.contains(where: { $0.lowercased() == collections[index].id }) {
        collections[index].kind = .connectPersonal
      }
      collections[index].highAssurance = highAssurance.contains {
        $0.lowercased() == collections[index].id
      }
      collections[index].httpsServer = httpsServer.last { $0.id == collections[index].id }?.url
    }
    var configuration = LocalGlobusConfiguration(
      collections: collections, workDirectory: work.path)
    configuration.transferLatencyMilliseconds = transferLatency
    configuration.accessTokenLifetimeSeconds = accessTokenLifetime
    configuration.accessTokenBytes = accessTokenBytes
    if let faults { configuration.faults = try contents(ofFile: faults, flag: "--faults") }
    return configuration
  }

  /// The frontend for this stand-in: trusts its authority, and finds its collection on loopback.
  @Loop private func plan(
    _ globus: LocalGlobus, _ configuration: LocalGlobusConfiguration, _ work: WorkDirectory
  ) throws -> ServicePlan {
    guard let url = BaseURL(baseURL ?? "http://localhost:\(max(listen.port, 1))") else {
      throw LocalFailure("--base-url: must be http(s)://HOST or http(s)://HOST:PORT, no path")
    }
    var frontend = Configuration(
      baseURL: url, clientID: configuration.clientID, clientSecret: configuration.clientSecret)
    frontend.authURL = globus.authURL
    frontend.transferURL = globus.transferURL
    frontend.upstreamCA =
      try upstreamCa.map { try work.trust(globus.caFile, and: $0) } ?? globus.caFile
    frontend.allowPrivateUpstream = ["127.0.0.0/8", "::1/128"]
    frontend.signatures = signatures
    frontend.trustedProxies = trustedProxy
    frontend.proxyProtocol = proxyProtocol
    try limits.settings().takeLimits(of: &frontend)
    var plan = ServicePlan(
      frontend: frontend, baseURLFollowsListener: baseURL == nil, listen: [listen],
      auditDatabase: auditDb ?? work.path + "/audit.db",
      auditStrangersPerMinute: auditStrangersPerMinute, keyFile: keyFile)
    plan.serverLimits = try limits.settings().serverLimits()
    return plan
  }

  private func displayName(_ directory: String) -> String {
    directory.split(separator: "/").last.map(String.init) ?? "/"
  }

  @Loop private func announce(
    _ globus: LocalGlobus, _ configuration: LocalGlobusConfiguration, baseURL: String,
    auditDatabase: String
  ) {
    print("base_url=\(baseURL)")
    if !standInOnly { print("audit_db=\(auditDatabase)") }
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
      print("collection.\(collection.id).https_server=\(collection.httpsServer ?? "")")
    }
    print("ready")
    // To a pipe, print alone would wait for a full buffer.
    fflush(nil)
  }
}

extension SignaturePolicy: ExpressibleByArgument {}
extension ProxyProtocol: ExpressibleByArgument {}
