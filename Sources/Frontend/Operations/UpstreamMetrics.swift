// UpstreamMetrics: the calls to Globus and to collections' servers: how they ended, how long their
// first byte took, how many wait for it. No label names a collection or its host.

import Reactor

/// Whom a call asks.
enum UpstreamService: Int, CaseIterable {
  case auth, transfer, collection
}

@Loop final class UpstreamMetrics {
  /// What is counted of one service.
  private struct Service {
    /// By status class: index 2 holds 2xx. 0: statuses that are none.
    var answers = [Int](repeating: 0, count: 6)
    var failures = [Int](repeating: 0, count: reasons.count)
    var retries = 0
    var waiting = 0
    var firstByte = Histogram()
    /// On `Loop.clockMicroseconds`; nil: none yet.
    var lastAnswer: UInt64?
  }

  private var services = UpstreamService.allCases.map { _ in Service() }

  nonisolated init() {}

  /// A call begins; `answered` or `failed` follows.
  func began(_ service: UpstreamService) { services[service.rawValue].waiting += 1 }

  /// The answer's head came, to a call that began at `start` on the loop's clock.
  func answered(_ service: UpstreamService, _ status: Int, since start: UInt64) {
    let now = Loop.clockMicroseconds
    services[service.rawValue].waiting -= 1
    services[service.rawValue].answers[(100..<600).contains(status) ? status / 100 : 0] += 1
    services[service.rawValue].firstByte.observe(microseconds: now - start)
    if status < 500 { services[service.rawValue].lastAnswer = now }
  }

  /// The call got no answer.
  func failed(_ service: UpstreamService, _ code: TransferError.Code) {
    services[service.rawValue].waiting -= 1
    broke(service, code)
  }

  /// The answer's body broke off.
  func broke(_ service: UpstreamService, _ code: TransferError.Code) {
    guard code != .cancelled else { return }
    services[service.rawValue].failures[Self.index(code)] += 1
  }

  func retried(_ service: UpstreamService) { services[service.rawValue].retries += 1 }

  /// When the service last gave an answer that was not its own failure, on the loop's clock.
  func lastAnswer(of service: UpstreamService) -> UInt64? {
    services[service.rawValue].lastAnswer
  }

  private nonisolated static let reasons = [
    "invalid", "resolve", "address_refused", "connect", "tls", "timeout", "stalled", "broken",
    "protocol", "too_large",
  ]

  private static func index(_ code: TransferError.Code) -> Int {
    switch code {
    case .cancelled, .invalid: 0
    case .resolveFailed: 1
    case .addressRefused: 2
    case .connectFailed: 3
    case .tlsFailed: 4
    case .timeout: 5
    case .stalled: 6
    case .broken: 7
    case .protocolError: 8
    case .tooLarge: 9
    }
  }

  func write(to text: inout MetricsText) {
    let all = UpstreamService.allCases.map { (name: "\($0)", counts: services[$0.rawValue]) }
    text.family(
      "upstream_calls_total", "counter", "Calls upstream that got an answer, by its status.")
    for (name, counts) in all {
      for (digit, count) in counts.answers.enumerated() where digit > 0 || count > 0 {
        text.sample("upstream_calls_total", [("service", name), ("status", "\(digit)xx")], count)
      }
    }
    text.family(
      "upstream_failures_total", "counter", "Calls upstream without an answer, or with half of one."
    )
    for (name, counts) in all {
      for (reason, count) in zip(Self.reasons, counts.failures) {
        text.sample("upstream_failures_total", [("service", name), ("reason", reason)], count)
      }
    }
    text.family("upstream_retries_total", "counter", "Calls upstream that were made once more.")
    for (name, counts) in all {
      text.sample("upstream_retries_total", [("service", name)], counts.retries)
    }
    text.family("upstream_waiting", "gauge", "Calls upstream that wait for the head of an answer.")
    for (name, counts) in all {
      text.sample("upstream_waiting", [("service", name)], counts.waiting)
    }
    text.family(
      "upstream_first_byte_seconds", "histogram", "From a call upstream to the head of its answer.")
    for (name, counts) in all {
      counts.firstByte.write("upstream_first_byte_seconds", "service", name, to: &text)
    }
  }
}

extension HTTPClient {
  /// A whole exchange, counted.
  @Loop func fetch(
    _ request: TransferRequest, limit: Int, _ metrics: UpstreamMetrics, _ service: UpstreamService
  ) async throws(TransferError) -> (head: ResponseHead, body: [UInt8]) {
    let start = Loop.clockMicroseconds
    metrics.began(service)
    let transfer: Transfer
    do throws(TransferError) {
      transfer = try await self.start(request)
    } catch {
      metrics.failed(service, error.code)
      throw error
    }
    metrics.answered(service, transfer.head.status, since: start)
    do throws(TransferError) {
      return (transfer.head, try await transfer.collect(limit: limit))
    } catch {
      metrics.broke(service, error.code)
      throw error
    }
  }
}
