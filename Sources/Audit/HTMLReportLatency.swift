// HTMLReportLatency: percentiles of durations from request rows, in memory that does not grow with
// their number: each operation has counts in steps of a 32nd of a power of two, so a percentile is
// known to within 1.6 %.

import GRDB

/// How long requests of one operation took, in microseconds.
struct Latency: Equatable {
  let operation: String
  let requests: Int64
  let p50, p90, p99, longest: Int64
}

/// Durations of one operation, counted.
struct DurationHistogram {
  private static let steps: Int64 = 32
  private var counts: [Int64] = []
  private(set) var total: Int64 = 0
  private(set) var longest: Int64 = 0
  private var shortest = Int64.max

  mutating func add(_ microseconds: Int64) {
    let value = max(0, microseconds)
    let index = Self.index(value)
    if index >= counts.count {
      counts.append(contentsOf: repeatElement(0, count: index + 1 - counts.count))
    }
    counts[index] += 1
    total += 1
    longest = max(longest, value)
    shortest = min(shortest, value)
  }

  /// The duration that a part of all (0 to 1) did not exceed.
  func percentile(_ part: Double) -> Int64 {
    let rank = max(1, Int64((part * Double(total)).rounded(.up)))
    var seen: Int64 = 0
    for (index, count) in counts.enumerated() {
      seen += count
      if seen >= rank { return min(longest, max(shortest, Self.middle(index))) }
    }
    return longest
  }

  /// Exact below two powers of `steps`, then so many steps for each power of two.
  private static func index(_ value: Int64) -> Int {
    guard value >= 2 * steps else { return Int(value) }
    let shift = 63 - value.leadingZeroBitCount - steps.trailingZeroBitCount
    return shift * Int(steps) + Int(value >> Int64(shift))
  }

  private static func middle(_ index: Int) -> Int64 {
    guard index >= 2 * Int(steps) else { return Int64(index) }
    let shift = index / Int(steps) - 1
    let first = Int64(index - shift * Int(steps)) << Int64(shift)
    return first + ((1 << Int64(shift)) - 1) / 2
  }
}

extension Latency {
  private static let otherOperations = "other operations"

  /// Of each operation in these rows, the most frequent first.
  static func all(
    _ condition: String, _ arguments: StatementArguments, _ db: Database
  ) throws -> [Latency] {
    var histograms: [String: DurationHistogram] = [:]
    let rows = try Row.fetchCursor(
      db,
      sql: """
        SELECT operation, CAST(round(duration_ms * 1000) AS INTEGER) AS microseconds
        FROM requests WHERE duration_ms IS NOT NULL AND \(condition)
        """, arguments: arguments)
    while let row = try rows.next() {
      var operation: String = row["operation"]
      if histograms[operation] == nil, histograms.count >= Limits.reportOperations {
        operation = otherOperations
      }
      histograms[operation, default: DurationHistogram()].add(row["microseconds"])
    }
    return histograms.map { operation, histogram in
      Latency(
        operation: operation, requests: histogram.total, p50: histogram.percentile(0.5),
        p90: histogram.percentile(0.9), p99: histogram.percentile(0.99),
        longest: histogram.longest)
    }.sorted { ($1.requests, $0.operation) < ($0.requests, $1.operation) }
  }
}
