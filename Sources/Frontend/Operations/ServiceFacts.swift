// ServiceFacts: what /metrics tells of the process around the gateway.

import Audit
import Reactor

/// What only the owner of the listeners knows.
public struct ServiceFacts: Sendable {
  /// Open connections of clients, and those accepted since the start.
  public var connections: Int
  public var acceptedConnections: Int
  /// What limits cost them, for each listener.
  public var limitCounts: [Server.LimitCounts]
  /// When the certificate ends, Unix seconds; nil: no TLS here.
  public var certificateExpiry: Int64?

  public init(
    connections: Int, acceptedConnections: Int, limitCounts: [Server.LimitCounts] = [],
    certificateExpiry: Int64?
  ) {
    self.connections = connections
    self.acceptedConnections = acceptedConnections
    self.limitCounts = limitCounts
    self.certificateExpiry = certificateExpiry
  }

  func write(to text: inout MetricsText) {
    text.single("connections", "gauge", "Open connections of clients.", connections)
    text.single(
      "connections_accepted_total", "counter", "Connections of clients that were accepted.",
      acceptedConnections)
    let sum = { (count: KeyPath<Server.LimitCounts, UInt64>) in
      limitCounts.reduce(0) { $0 + $1[keyPath: count] }
    }
    text.single(
      "connections_evicted_total", "counter", "Idle ones that were closed for others.",
      sum(\.evicted))
    text.family(
      "connections_refused_total", "counter", "Connections turned away before a request.")
    text.sample("connections_refused_total", [("reason", "address")], sum(\.refusedByAddress))
    text.sample(
      "connections_refused_total", [("reason", "descriptors")], sum(\.refusedWithoutDescriptor))
    if let certificateExpiry {
      text.single(
        "tls_certificate_expiry_timestamp_seconds", "gauge",
        "When the certificate ends, Unix time.", certificateExpiry)
    }
  }
}

/// What the process is made of, and what it uses.
struct ProcessFacts {
  private let labels: [(name: String, value: String)]
  private let startedAt = Loop.wallClockMicroseconds

  init(version: String) {
    // "libuv 1.44.2, libcurl 7.88.1": names without what a label's name may not hold.
    let libraries = "\(Loop.libraryVersions), SQLite \(AuditLog.sqliteVersion)"
      .split(separator: ",").compactMap { library -> (name: String, value: String)? in
        let words = library.split(separator: " ")
        guard words.count >= 2 else { return nil }
        return (words[0].lowercased().filter { $0.isLetter }, String(words[1]))
      }
    labels = [("version", version), ("commit", Loop.buildCommit)] + libraries
  }

  func write(to text: inout MetricsText) {
    text.family("build_info", "gauge", "1; the labels say what runs.")
    text.sample("build_info", labels, 1)
    text.single(
      "process_start_time_seconds", "gauge", "When the process started, Unix time.",
      MetricsText.seconds(UInt64(clamping: startedAt)))
    let usage = Loop.processUsage
    text.single(
      "process_cpu_seconds_total", "counter", "Processor time of all threads.",
      MetricsText.seconds(usage.cpuMicroseconds))
    text.single(
      "process_resident_memory_bytes", "gauge", "Memory that is in use.", usage.residentBytes)
  }
}
