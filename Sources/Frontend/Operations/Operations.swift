// Operations: what a sysadmin's tools ask on the listener of --operations-listen: /healthz (the
// process answers), /readyz (it should be given requests), /metrics (Prometheus text format 0.0.4).
//
// No request here has an audit row. Labels name actions and statuses, never a person or collection.

import Audit
import Reactor

@Loop public final class Operations {
  public var gateway: Gateway {
    didSet { auth.reconfigure(gateway.configuration) }
  }
  private let audit: AuditLog
  private let auth: AuthContact
  private let process: ProcessFacts
  private let service: @Loop () -> ServiceFacts
  /// Set when the service ends: not ready any more.
  public var isClosing = false {
    didSet { if isClosing { auth.close() } }
  }

  /// From now on Globus Auth is asked now and then whether it is there.
  public convenience init(
    _ gateway: Gateway, audit: AuditLog, version: String,
    service: @escaping @Loop () -> ServiceFacts
  ) throws(ReactorError) {
    try self.init(
      gateway, audit: audit, version: version, times: AuthContact.Times(), service: service)
  }

  init(
    _ gateway: Gateway, audit: AuditLog, version: String, times: AuthContact.Times,
    service: @escaping @Loop () -> ServiceFacts
  ) throws(ReactorError) {
    self.gateway = gateway
    self.audit = audit
    self.service = service
    process = ProcessFacts(version: version)
    auth = try AuthContact(
      gateway.configuration, upstream: gateway.metrics.upstream, times: times)
  }

  /// Answers one request.
  public func handle(_ exchange: Exchange) async {
    let head = exchange.head
    guard head.malformed == nil else {
      _ = await exchange.respond(head.malformed?.status ?? 400, [:], close: true)
      return
    }
    guard head.method == "GET" || head.method == "HEAD" else {
      _ = await exchange.respond(405, ["Allow": "GET, HEAD"])
      return
    }
    let (status, text) = answer(head.target.prefix { $0 != "?" })
    let body = Array(text.utf8)
    _ = await exchange.respond(
      status, ["Content-Type": "text/plain; version=0.0.4; charset=utf-8"],
      body: head.method == "HEAD" ? [] : body, length: UInt64(body.count))
  }

  private func answer(_ path: some StringProtocol) -> (status: Int, text: String) {
    switch path {
    case "/healthz": return (200, "ok\n")
    case "/readyz":
      let reasons = reasons
      return reasons.isEmpty
        ? (200, "ready\n") : (503, reasons.map { $0 + "\n" }.joined())
    case "/metrics": return (200, metrics)
    default: return (404, "There are /healthz, /readyz and /metrics.\n")
    }
  }

  /// Why the service should be given no requests.
  private var reasons: [String] {
    var reasons = audit.problems
    if let problem = auth.problem { reasons.append(problem) }
    if isClosing { reasons.append("the service is closing") }
    return reasons
  }

  private var metrics: String {
    var text = MetricsText()
    process.write(to: &text)
    text.single("ready", "gauge", "Whether /readyz says so.", reasons.isEmpty ? 1 : 0)
    service().write(to: &text)
    gateway.metrics.write(to: &text)
    gateway.admission.write(to: &text)
    text.single(
      "auth_contact_age_seconds", "gauge", "Since Globus Auth last answered.",
      MetricsText.seconds(auth.silenceMilliseconds * 1_000))
    audit.write(to: &text)
    return text.text
  }
}

extension AuditLog {
  fileprivate func write(to text: inout MetricsText) {
    text.single(
      "audit_healthy", "gauge", "Whether nothing is wrong with the record.", isHealthy ? 1 : 0)
    let backlog = backlog
    text.single(
      "audit_queue_rows", "gauge", "Rows that are complete and not in the database yet.",
      backlog.rows)
    text.single(
      "audit_lag_seconds", "gauge", "Age of the oldest of them.",
      MetricsText.seconds(UInt64(clamping: backlog.oldestMilliseconds) * 1_000))
    text.single(
      "audit_unrecorded_total", "counter", "Requests refused or served unrecorded.",
      unrecordedRequests)
    text.single(
      "audit_moved_aside_total", "counter", "Damaged databases that were replaced.",
      databasesMovedAside)
  }
}
