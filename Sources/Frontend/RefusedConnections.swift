// RefusedConnections: connections that were reset before a request came, because their proxy sent no
// PROXY header that could be used. They have no row in the audit: nobody asked for anything.

import Logging
import Reactor

/// Counts them, and logs the first of each minute.
@Loop final class RefusedConnections {
  private(set) var count = 0
  private let logger: Logger
  private var loggedAt: UInt64?

  init(_ logger: Logger) { self.logger = logger }

  func record(peer: String, reason: String) {
    count += 1
    let now = Loop.clockMicroseconds
    if let loggedAt, now - loggedAt < Limits.refusedConnectionsLogMicroseconds { return }
    loggedAt = now
    logger.warning(
      "connection refused: its proxy sent no usable PROXY header",
      metadata: ["peer": "\(peer)", "cause": "\(reason)", "refused_so_far": "\(count)"])
  }

  var lines: [String] {
    [
      "# HELP globus_s3_frontend_proxy_headers_refused_total Connections without a PROXY header.",
      "# TYPE globus_s3_frontend_proxy_headers_refused_total counter",
      "globus_s3_frontend_proxy_headers_refused_total \(count)",
    ]
  }
}
