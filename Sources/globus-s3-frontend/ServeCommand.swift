// serve: the frontend for the real Globus, as the operator configures it.

import ArgumentParser
import FoundationEssentials
import Frontend
import Glibc
import Logging
import Reactor

struct ServeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve",
    abstract: "Serve S3 for Globus collections.",
    discussion: """
      Each flag is also an environment variable (--audit-db is GLOBUS_S3_AUDIT_DB) and a line \
      'flag = value' in the file given with --config; the command line goes before the \
      environment, the environment before the file. The app's id and secret come from \
      GLOBUS_CLIENT_ID and GLOBUS_CLIENT_SECRET; register its redirect URL as BASE-URL/?auth-callback.
      SIGHUP reads files, certificates and keys again; SIGTERM ends, a second one at once.
      """)

  @OptionGroup var flags: ServeFlags

  @Flag(
    help: "Check the configuration without serving, also beside a running server: a line each.")
  var checkConfig = false

  func run() throws {
    let environment = ProcessInfo.processInfo.environment
    if checkConfig {
      let flags = flags
      let status = Loop.run { ConfigurationCheck.run(flags, environment: environment) }
      throw ExitCode(status)
    }
    ServeFlags.eraseClientSecret()
    let sockets = try SocketActivation.take()
    var plan = try flags.plan(environment: environment)
    if !sockets.listen.isEmpty { plan.listen = sockets.listen }
    plan.operationsListen = sockets.operations ?? plan.operationsListen
    let (flags, started) = (flags, plan)
    let status = Loop.run {
      await serve(started, environment) { () throws(ConfigurationError) in
        try flags.plan(environment: environment)
      }
    }
    if status != 0 { throw ExitCode(status) }
  }
}

/// Runs until SIGINT or SIGTERM; at SIGHUP `planAnew` is what holds from then on.
@Loop private func serve(
  _ plan: ServicePlan, _ environment: [String: String],
  planAnew: @escaping @Loop () throws(ConfigurationError) -> ServicePlan
) async -> Int32 {
  do {
    let interrupted = Interruption([SIGINT, SIGTERM])
    let hangup = Hangup()
    let manager = Notify(environment: environment)
    let service = try Service(plan)
    for (server, address) in zip(service.servers, plan.listen) {
      let listening = ListenAddress(host: address.host, port: server.port)
      service.logger.notice("listening", metadata: ["address": "\(listening)"])
    }
    manager.ready()
    let watchdog = manager.startWatchdog()
    hangup.whenDelivered {
      manager.reloading()
      service.reload(planAnew)
      manager.ready()
    }
    await interrupted.wait()
    hangup.whenDelivered {}
    manager.stopping()
    await service.close(interrupted)
    watchdog?.cancel()
    return 0
  } catch {
    writeErrorLine("globus-s3-frontend: \(error.message)")
    return error.code
  }
}

/// A flag is a property here and nothing more: its names are made of the property's (`Settings`).
struct ServeFlags: ParsableArguments {
  @Option(help: "Where to listen, HOST:PORT; repeatable. (default: 127.0.0.1:8000)")
  var listen: [String] = []
  @Option(help: "What users and the OAuth redirect use. (default: http://localhost:8000)")
  var baseUrl: [String] = []
  @Option(help: "The Globus app's id. (default: $GLOBUS_CLIENT_ID)")
  var clientId: [String] = []
  @Option(help: "File with the app's secret. (default: $GLOBUS_CLIENT_SECRET)")
  var clientSecretFile: [String] = []
  @Option(help: "The audit database. (default: globus-s3-frontend/audit.db in the state folder)")
  var auditDb: [String] = []
  @Option(help: "Requests that can't be recorded: refuse or continue. (default: refuse)")
  var auditOnFailure: [String] = []
  @Option(help: "Days after which audit rows are pruned. (default: they are kept)")
  var auditRetention: [String] = []
  @Option(
    help: """
      Rows a minute and address for requests without a genuine credential; more are counted. \
      (default: 6000)
      """)
  var auditStrangersPerMinute: [String] = []
  @Option(help: "Signatures of header-signed requests: any or verify. (default: any)")
  var signatures: [String] = []
  @Option(help: "Keyring for sealing. (default: a random key that ends with the process)")
  var keyFile: [String] = []
  @Option(help: "Certificate chain, PEM; with --tls-key. (default: plain HTTP)")
  var tlsCert: [String] = []
  @Option(help: "Private key, PEM.")
  var tlsKey: [String] = []
  @Option(help: "Network whose X-Forwarded-For is believed, CIDR; repeatable.")
  var trustedProxy: [String] = []
  @Option(
    help: """
      PROXY protocol, version 1 or 2: off, or trusted: connections of trusted proxies must begin \
      with its header. (default: off)
      """)
  var proxyProtocol: [String] = []
  @Option(help: "Trust for Globus and collections, PEM. (default: the system's)")
  var upstreamCa: [String] = []
  @Option(help: "Private network where collections may be, CIDR; repeatable.")
  var allowPrivateUpstream: [String] = []
  @Option(help: "Where /healthz, /readyz and /metrics are served, HOST:PORT. (default: off)")
  var operationsListen: [String] = []
  @Option(help: "Seconds that transfers in flight have when the service ends. (default: 30)")
  var shutdownGrace: [String] = []
  @Option(help: "Log lines: text or json. (default: text)")
  var logFormat: [String] = []
  @Option(help: "File of lines 'flag = value'.")
  var config: String?
  @OptionGroup(title: "Limits") var limits: LimitFlags

  /// What the command line gave, by flag.
  var given: [String: [String]] {
    let options = Self.options(of: self) + Self.options(of: limits)
    return Dictionary(uniqueKeysWithValues: options.map { ($0, $1.wrappedValue) })
  }

  /// Every flag that can also stand in the environment and the file: all but --config.
  static let names = LimitFlags.names.union(options(of: ServeFlags()).map(\.name))

  /// Those of one group of flags.
  static func options(of group: some ParsableArguments) -> [(name: String, value: Option<[String]>)]
  {
    Mirror(reflecting: group).children.compactMap { child in
      guard let value = child.value as? Option<[String]>, let label = child.label else {
        return nil
      }
      // The property auditDb is stored as _auditDb, and is the flag audit-db.
      let words = label.dropFirst().map { $0.isUppercase ? "-" + $0.lowercased() : String($0) }
      return (words.joined(), value)
    }
  }
}
