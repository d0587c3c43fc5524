// Rollup: sums per hour, collection, person and operation, which outlive pruned rows. Added up for
// a transaction and written with it, so they count each row once.

import GRDB

struct Rollup {
  private struct Key: Hashable {
    let hour: Int64
    let collection: Int64
    let principal: Int64
    let operation: String
  }

  private struct Sums {
    var requests: Int64 = 0
    var errors: Int64 = 0
    var bytesIn: Int64 = 0
    var bytesOut: Int64 = 0
    var microseconds: Int64 = 0
  }

  static let hourMicroseconds: Int64 = 3_600_000_000

  private var sums: [Key: Sums] = [:]

  mutating func add(_ record: Record, collection: Int64?, principal: Int64?) {
    let key = Key(
      hour: record.intent.startMicroseconds / Self.hourMicroseconds, collection: collection ?? 0,
      principal: principal ?? 0, operation: record.intent.operation)
    let end = record.completion
    var sum = sums[key] ?? Sums()
    sum.requests += 1
    sum.errors += end?.outcome == .ok ? 0 : 1
    sum.bytesIn += end?.bytesIn ?? 0
    sum.bytesOut += end?.bytesOut ?? 0
    sum.microseconds += end?.durationMicroseconds ?? 0
    sums[key] = sum
  }

  mutating func write(_ db: Database) throws {
    guard !sums.isEmpty else { return }
    let statement = try db.cachedStatement(
      sql: """
        INSERT INTO rollup_hour VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT DO UPDATE SET
          requests = requests + excluded.requests, errors = errors + excluded.errors,
          bytes_in = bytes_in + excluded.bytes_in, bytes_out = bytes_out + excluded.bytes_out,
          duration_us = duration_us + excluded.duration_us
        """)
    for (key, sum) in sums {
      try statement.execute(arguments: [
        key.hour, key.collection, key.principal, key.operation, sum.requests, sum.errors,
        sum.bytesIn, sum.bytesOut, sum.microseconds,
      ])
    }
    sums.removeAll(keepingCapacity: true)
  }
}
