// Operations: what a sysadmin's tools ask on the listener of --operations-listen: /healthz (the
// process answers), /readyz (it should be given requests), /metrics (Prometheus text format 0.0.4).
//
// No request here has an audit row. Labels name actions and statuses, never a person or collection.

import Audit
import Reactor

/// Counts of the requests that a gateway has answered.
@Loop final class Metrics {
  private struct Series: Hashable {
    let operation: String
    let status: Int
  }

  private var requests: [Series: Int] = [:]
  private var bytes: UInt64 = 0
  var inFlight = 0
  /// Reloads that were done, and that were refused.
  var reloads = [0, 0]
  let failures = UpstreamFailures()
  var refusedConnections: RefusedConnections?

  func count(operation: String, _ sent: Sent) {
    requests[Series(operation: operation, status: sent.status), default: 0] += 1
    bytes += sent.bodyBytes
  }

  func text(version: String, audit: AuditLog, limits: [String] = []) -> String {
    var lines = [
      "# TYPE globus_s3_frontend_build_info gauge",
      "globus_s3_frontend_build_info{version=\"\(version)\"} 1",
      "# HELP globus_s3_frontend_requests_total Requests by action and status; 0: no answer.",
      "# TYPE globus_s3_frontend_requests_total counter",
    ]
    let sorted = requests.sorted {
      ($0.key.operation, $0.key.status) < ($1.key.operation, $1.key.status)
    }
    for (series, count) in sorted {
      lines.append(
        "globus_s3_frontend_requests_total{operation=\"\(series.operation)\",status=\"\(series.status)\"} "
          + "\(count)")
    }
    lines += [
      "# HELP globus_s3_frontend_upstream_failures_total Calls upstream without an answer.",
      "# TYPE globus_s3_frontend_upstream_failures_total counter",
    ]
    lines += failures.lines
    lines += refusedConnections?.lines ?? []
    lines += [
      "# HELP globus_s3_frontend_response_bytes_total Body bytes handed to clients.",
      "# TYPE globus_s3_frontend_response_bytes_total counter",
      "globus_s3_frontend_response_bytes_total \(bytes)",
      "# TYPE globus_s3_frontend_requests_in_flight gauge",
      "globus_s3_frontend_requests_in_flight \(inFlight)",
      "# HELP globus_s3_frontend_audit_healthy Whether requests can be recorded.",
      "# TYPE globus_s3_frontend_audit_healthy gauge",
      "globus_s3_frontend_audit_healthy \(audit.isHealthy ? 1 : 0)",
      "# HELP globus_s3_frontend_audit_unrecorded_total Requests refused or served unrecorded.",
      "# TYPE globus_s3_frontend_audit_unrecorded_total counter",
      "globus_s3_frontend_audit_unrecorded_total \(audit.unrecordedRequests)",
      "# HELP globus_s3_frontend_audit_moved_aside_total Damaged databases that were replaced.",
      "# TYPE globus_s3_frontend_audit_moved_aside_total counter",
      "globus_s3_frontend_audit_moved_aside_total \(audit.databasesMovedAside)",
    ]
    lines += [
      "# TYPE globus_s3_frontend_reloads_total counter",
      "globus_s3_frontend_reloads_total{result=\"done\"} \(reloads[0])",
      "globus_s3_frontend_reloads_total{result=\"refused\"} \(reloads[1])",
    ]
    return (lines + limits).joined(separator: "\n") + "\n"
  }
}

@Loop public final class Operations {
  public var gateway: Gateway
  private let audit: AuditLog
  private let version: String
  private let servers: @Loop () -> [Server]
  /// Set when the service ends: not ready any more.
  public var isClosing = false

  /// `servers` are the gateway's, for `/metrics`.
  public init(
    _ gateway: Gateway, audit: AuditLog, version: String,
    servers: @escaping @Loop () -> [Server] = { [] }
  ) {
    self.gateway = gateway
    self.servers = servers
    self.audit = audit
    self.version = version
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
      var reasons = audit.problems
      if isClosing { reasons.append("the service is closing") }
      return reasons.isEmpty
        ? (200, "ready\n") : (503, reasons.map { $0 + "\n" }.joined())
    case "/metrics":
      let limits = LimitMetrics.lines(gateway.admission, servers().map(\.limitCounts))
      return (200, gateway.metrics.text(version: version, audit: audit, limits: limits))
    default: return (404, "There are /healthz, /readyz and /metrics.\n")
    }
  }
}
