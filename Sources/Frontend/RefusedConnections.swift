// RefusedConnections: connections that were reset before a request came, because their proxy sent no
// PROXY header that could be used. They have no row in the audit: nobody asked for anything.

import Logging
import Reactor

/// Counts them, and logs the first of each minute.
@Loop final class RefusedConnections {
  private let logger: Logger
  private let metrics: Metrics
  private var loggedAt: UInt64?

  init(_ logger: Logger, _ metrics: Metrics) {
    self.logger = logger
    self.metrics = metrics
  }

  func record(peer: String, reason: String) {
    metrics.refusedConnections += 1
    let now = Loop.clockMicroseconds
    if let loggedAt, now - loggedAt < Limits.refusedConnectionsLogMicroseconds { return }
    loggedAt = now
    logger.warning(
      "connection refused: its proxy sent no usable PROXY header",
      metadata: [
        "peer": "\(peer)", "cause": "\(reason)", "refused_so_far": "\(metrics.refusedConnections)",
      ])
  }
}
