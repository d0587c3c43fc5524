// UpstreamFailures: how often calls to Globus and to collections' servers got no answer, by reason,
// for /metrics. No label names a collection or its host.

import Reactor

@Loop final class UpstreamFailures {
  private struct Series: Hashable {
    let service: String
    let reason: String
  }

  private var counts: [Series: Int] = [:]

  nonisolated init() {}

  /// `service`: `auth`, `transfer` or `collection`.
  func count(_ service: String, _ code: TransferError.Code) {
    guard code != .cancelled else { return }
    counts[Series(service: service, reason: Self.reason(code)), default: 0] += 1
  }

  private static func reason(_ code: TransferError.Code) -> String {
    switch code {
    case .cancelled, .invalid: "invalid"
    case .resolveFailed: "resolve"
    case .addressRefused: "address_refused"
    case .connectFailed: "connect"
    case .tlsFailed: "tls"
    case .timeout: "timeout"
    case .stalled: "stalled"
    case .broken: "broken"
    case .protocolError: "protocol"
    case .tooLarge: "too_large"
    }
  }

  /// Samples in Prometheus's text format.
  var lines: [String] {
    counts.sorted { ($0.key.service, $0.key.reason) < ($1.key.service, $1.key.reason) }.map {
      "globus_s3_frontend_upstream_failures_total{service=\"\($0.key.service)\","
        + "reason=\"\($0.key.reason)\"} \($0.value)"
    }
  }
}
