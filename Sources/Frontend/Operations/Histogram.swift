// Histogram: how often something took how long, in Prometheus's cumulative form.
//
// Observing is a walk over a few bounds and an addition: no allocation, no hashing.

struct Histogram {
  /// Upper bounds in microseconds: from a status that is remembered to a download of an evening.
  static let bounds: [UInt64] = [
    1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 2_500_000, 5_000_000, 10_000_000, 30_000_000, 60_000_000,
    300_000_000, 1_800_000_000,
  ]

  /// Of each bound what it and not the one before it holds; the last: what is above all bounds.
  private var counts = [UInt64](repeating: 0, count: bounds.count + 1)
  private var sum: UInt64 = 0

  mutating func observe(microseconds: UInt64) {
    var index = 0
    while index < Self.bounds.count, microseconds > Self.bounds[index] { index += 1 }
    counts[index] &+= 1
    sum &+= microseconds
  }

  /// The samples of one series.
  func write(_ name: String, _ label: String, _ value: String, to text: inout MetricsText) {
    var below: UInt64 = 0
    for (bound, count) in zip(Self.bounds, counts) {
      below += count
      text.sample("\(name)_bucket", [(label, value), ("le", MetricsText.seconds(bound))], below)
    }
    text.sample("\(name)_bucket", [(label, value), ("le", "+Inf")], below + counts.last!)
    text.sample("\(name)_sum", [(label, value)], MetricsText.seconds(sum))
    text.sample("\(name)_count", [(label, value)], below + counts.last!)
  }
}
