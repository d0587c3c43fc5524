// Service: a running frontend: its audit, its gateway, its listeners, and their end.
//
// What is opened first is closed last: the audit is there before a request can come, and is closed
// after the last answer. What `Reload.swift` lets a running service change is `running` and what
// was made of it; the audit and the listening sockets stay.

import Audit
import Frontend
import Logging
import Reactor

@Loop final class Service {
  private(set) var servers: [Server] = []
  private(set) var baseURL: BaseURL
  let logger: Logger
  let logForm: LogForm
  /// What holds now.
  var running: ServicePlan
  var keyring: Keyring
  /// Nil while the service is opened only.
  var gateway: Gateway?
  private let audit: AuditLog
  private(set) var operations: Operations?
  private var operationsServer: Server?
  /// The certificate that holds now.
  var identity: TLSIdentity?
  private var ticking: Task<Void, Never>?

  init(_ plan: ServicePlan) throws(ConfigurationError) {
    running = plan
    logForm = LogForm(plan.logFormat)
    logger = logForm.makeLogger()
    baseURL = plan.frontend.baseURL
    keyring = try plan.keyring() ?? .random()
    var options = AuditLog.Options(databasePath: plan.auditDatabase)
    options.onFailure = plan.auditOnFailure
    options.version = Command.number
    options.signingSeed = keyring.auditSigningSeed
    options.retentionDays = plan.auditRetention
    if let rows = plan.auditStrangersPerMinute { options.strangersRowsPerMinute = rows }
    do {
      audit = try AuditLog(options, logger: logger)
    } catch {
      throw ConfigurationError(error.description)
    }
    do {
      try listen()
    } catch let error as ReactorError {
      throw stopped(error.message)
    } catch {
      throw stopped("\(error)")
    }
    ticking = Loop.start { [audit] in
      while await Loop.sleep(milliseconds: Limits.tickMilliseconds) {
        audit.tick(nowMicroseconds: AuditLog.wallMicroseconds())
      }
    }
    announce()
  }

  /// What an operator should know of a service that has started.
  private func announce() {
    if running.keyFile == nil {
      logger.notice("no --key-file: credentials end with this process")
    }
    warnOfSignatures()
  }

  func warnOfSignatures() {
    if running.frontend.signatures == .any, running.listen.contains(where: { !$0.isLoopback }) {
      logger.warning(
        "signatures are not verified (--signatures any) on an address that others can reach")
    }
    let connections = DescriptorLimit.connections(listeners: running.listen.count)
    if connections < running.serverLimits.maxConnections {
      logger.warning(
        "fewer connections than --max-connections: the process may not open more files",
        metadata: ["connections": "\(connections)", "files": "\(DescriptorLimit.raised)"])
    }
  }

  private func listen() throws {
    identity = try running.identity()
    for address in running.listen {
      servers.append(
        // Requests come in a later turn of the loop, when the gateway is there, unless what is still
        // to be opened can't be: who has connected meanwhile finds the connection closed.
        try Server(
          running.configuration(of: address), tls: identity,
          refused: { [self] in self.gateway?.connectionRefused(peer: $0, reason: $1) }
        ) { [self] in await self.gateway?.handle($0) })
    }
    if running.baseURLFollowsListener, let server = servers.first,
      let url = BaseURL("http://localhost:\(server.port)")
    {
      running.frontend.baseURL = url
    }
    baseURL = running.frontend.baseURL
    let gateway = try Gateway(running.frontend, keyring: keyring, audit: audit, logger: logger)
    self.gateway = gateway
    if let address = running.operationsListen {
      let operations = try Operations(gateway, audit: audit, version: Command.number) {
        [unowned self] in facts
      }
      operationsServer = try Server(.init(address)) { await operations.handle($0) }
      self.operations = operations
    }
  }

  /// For /metrics.
  private var facts: ServiceFacts {
    ServiceFacts(
      connections: servers.reduce(0) { $0 + Int($1.connections) },
      acceptedConnections: servers.reduce(0) { $0 + Int($1.acceptedConnections) },
      limitCounts: servers.map(\.limitCounts), certificateExpiry: identity?.expiry)
  }

  /// Closes what is open already when the rest can't be opened.
  private func stopped(_ message: String) -> ConfigurationError {
    for server in servers { server.close() }
    operationsServer?.close()
    audit.close()
    return ConfigurationError(message)
  }

  /// Stops accepting, lets requests in flight finish for a while or until a second signal, gives
  /// up on the rest, and commits what all of them leave.
  func close(_ interruption: Interruption) async {
    operations?.isClosing = true
    for server in servers { server.close() }
    await wait(seconds: running.shutdownGraceSeconds) {
      interruption.isRepeated || servers.allSatisfy { $0.connections == 0 }
    }
    for server in servers { await server.abort() }
    await wait(seconds: Limits.abortSeconds) { servers.allSatisfy { $0.requestsInFlight == 0 } }
    operationsServer?.close()
    ticking?.cancel()
    audit.close()
  }

  private func wait(seconds: Int, until isDone: @Loop () -> Bool) async {
    let end = Loop.clockMicroseconds + UInt64(seconds) * 1_000_000
    while !isDone(), Loop.clockMicroseconds < end {
      await Loop.sleep(milliseconds: Limits.drainTurnMilliseconds)
    }
  }
}

extension ServicePlan {
  /// The keys of --key-file; nil without one.
  func keyring() throws(ConfigurationError) -> Keyring? {
    guard let keyFile else { return nil }
    do {
      return try Keyring(file: keyFile)
    } catch {
      throw ConfigurationError(error.description)
    }
  }

  /// Certificate and key; nil without TLS.
  @Loop func identity() throws(ReactorError) -> TLSIdentity? {
    guard let tls else { return nil }
    return try TLSIdentity(certificateFile: tls.certificate, keyFile: tls.key)
  }
}

extension ServicePlan {
  /// How one of `listen` is served.
  func configuration(of address: ListenAddress) -> Server.Configuration {
    var configuration = Server.Configuration(address)
    configuration.limits = serverLimits
    configuration.limits.maxConnections = min(
      serverLimits.maxConnections, DescriptorLimit.connections(listeners: listen.count))
    configuration.limits.sharedAddresses = frontend.trustedProxies
    configuration.refusal = Gateway.connectionRefusal
    if frontend.proxyProtocol == .trusted {
      configuration.proxyProtocolPeers = frontend.trustedProxies
    }
    return configuration
  }
}

extension Server.Configuration {
  init(_ address: ListenAddress) {
    self.init(host: address.host, port: address.port)
    socket = address.socket
  }
}

/// Bounds of the command.
enum Limits {
  /// How long a closing server waits for requests in flight.
  static let shutdownGraceSeconds = 30
  static let shutdownGraces = 0...86_400
  /// How long it waits for the handlers of requests that it gave up on.
  static let abortSeconds = 5
  static let drainTurnMilliseconds: UInt64 = 50
  /// How long `health` waits for each step of an answer, and how much of it is read.
  static let healthMilliseconds: UInt32 = 5_000
  static let healthBytes = 1 << 20
  /// A certificate that ends sooner is worth a warning.
  static let certificateDays: Int64 = 14
  /// How often the audit is told the time.
  static let tickMilliseconds: UInt64 = 1_000
  /// Sockets that a service manager may leave.
  static let inheritedSockets: Int32 = 64
}
