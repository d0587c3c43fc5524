// Service: a running frontend: its audit, its gateway, its listeners, and their end.
//
// What is opened first is closed last: the audit is there before a request can come, and is closed
// after the last answer.

import Audit
import Frontend
import Logging
import Reactor

@Loop final class Service {
  private(set) var servers: [Server] = []
  private(set) var baseURL: BaseURL
  private let audit: AuditLog
  private var gateway: Gateway?
  private var operations: Operations?
  private var operationsServer: Server?
  private var ticking: Task<Void, Never>?

  init(_ plan: ServicePlan) throws(ConfigurationError) {
    baseURL = plan.frontend.baseURL
    let keyring = try Service.keyring(plan)
    var options = AuditLog.Options(databasePath: plan.auditDatabase)
    options.onFailure = plan.auditOnFailure
    options.version = Command.number
    options.signingSeed = keyring.auditSigningSeed
    options.retentionDays = plan.auditRetention
    if let rows = plan.auditStrangersPerMinute { options.strangersRowsPerMinute = rows }
    do {
      audit = try AuditLog(options, logger: plan.logger)
    } catch {
      throw ConfigurationError(error.description)
    }
    do {
      try listen(plan, keyring)
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
    Service.announce(plan)
  }

  /// What an operator should know of a service that has started.
  private static func announce(_ plan: ServicePlan) {
    if plan.keyFile == nil {
      plan.logger.notice("no --key-file: credentials end with this process")
    }
    if plan.frontend.signatures == .any, plan.listen.contains(where: { !$0.isLoopback }) {
      plan.logger.warning(
        "signatures are not verified (--signatures any) on an address that others can reach")
    }
  }

  private func listen(_ plan: ServicePlan, _ keyring: Keyring) throws {
    let identity = try plan.tls.map {
      try TLSIdentity(certificateFile: $0.certificate, keyFile: $0.key)
    }
    let limits = DescriptorLimit.fit(
      plan.serverLimits, listeners: plan.listen.count, logger: plan.logger)
    for address in plan.listen {
      var configuration = Server.Configuration(host: address.host, port: address.port)
      configuration.limits = limits
      configuration.refusal = Gateway.connectionRefusal
      servers.append(
        // Requests come in a later turn of the loop, when the gateway is there.
        try Server(configuration, tls: identity) { [self] in await self.gateway!.handle($0) })
    }
    var frontend = plan.frontend
    if plan.baseURLFollowsListener, let server = servers.first,
      let url = BaseURL("http://localhost:\(server.port)")
    {
      frontend.baseURL = url
    }
    baseURL = frontend.baseURL
    let gateway = try Gateway(
      frontend, keyring: keyring, audit: audit, logger: plan.logger)
    self.gateway = gateway
    if let address = plan.operationsListen {
      let operations = Operations(gateway, audit: audit, version: Command.number) { [self] in
        servers
      }
      operationsServer = try Server(
        Server.Configuration(host: address.host, port: address.port)
      ) { await operations.handle($0) }
      self.operations = operations
    }
  }

  /// Closes what is open already when the rest can't be opened.
  private func stopped(_ message: String) -> ConfigurationError {
    for server in servers { server.close() }
    operationsServer?.close()
    audit.close()
    return ConfigurationError(message)
  }

  /// Stops accepting, lets requests in flight finish for a moment or until a second signal, gives
  /// up on the rest, and commits what all of them leave.
  func close(_ interruption: Interruption) async {
    operations?.isClosing = true
    for server in servers { server.close() }
    await drain(turns: Limits.drainTurns) { interruption.isRepeated }
    for server in servers { await server.abort() }
    await drain(turns: Limits.abortTurns) { false }
    operationsServer?.close()
    ticking?.cancel()
    audit.close()
  }

  /// Waits until no request is in flight, `turns` at most.
  private func drain(turns: Int, unless hurried: @Loop () -> Bool) async {
    for _ in 0..<turns {
      guard servers.contains(where: { $0.requestsInFlight > 0 }), !hurried() else { return }
      await Loop.sleep(milliseconds: Limits.drainTurnMilliseconds)
    }
  }

  private static func keyring(_ plan: ServicePlan) throws(ConfigurationError) -> Keyring {
    guard let file = plan.keyFile else { return .random() }
    do {
      return try Keyring(file: file)
    } catch {
      throw ConfigurationError(error.description)
    }
  }
}

/// Bounds of the command.
enum Limits {
  /// How long a closing server waits for requests in flight: 30 seconds.
  static let drainTurns = 600
  /// How long it waits for the handlers of requests that it gave up on: 5 seconds.
  static let abortTurns = 100
  static let drainTurnMilliseconds: UInt64 = 50
  /// How often the audit is told the time.
  static let tickMilliseconds: UInt64 = 1_000
}
