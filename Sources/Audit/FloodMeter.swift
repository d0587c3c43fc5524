// FloodMeter: how many requests of strangers, without a genuine credential, an address sends in a
// minute. Beyond the limit they are counted together in a slot of the spool, which the writer turns
// into one row of `gap` for the address and the minute; a `kill -9` keeps the count.
//
// Addresses beyond the meter's own limits are counted as one, with no address.

struct FloodMeter {
  /// A count in progress.
  struct Flood {
    let ticket: AuditLog.Ticket
    var intent: Intent
    var requests = 0
    var last: Int64
  }

  private static let minuteMicroseconds: Int64 = 60_000_000

  private let limit: Int
  private var minute: Int64 = 0
  private var counts: [String: Int] = [:]
  private var floods: [String: Flood] = [:]

  init(limit: Int) {
    self.limit = limit
  }

  /// Whether the minute is another one: then the floods end.
  mutating func turn(_ now: Int64) -> [Flood] {
    let minute = now / Self.minuteMicroseconds
    guard minute != self.minute else { return [] }
    self.minute = minute
    return end()
  }

  mutating func end() -> [Flood] {
    defer {
      counts.removeAll(keepingCapacity: true)
      floods.removeAll(keepingCapacity: true)
    }
    return Array(floods.values)
  }

  /// Counts a request; the address under which it belongs to a flood, nil while it is in none.
  mutating func count(_ address: String) -> String? {
    let isKnown = counts[address] != nil || counts.count < Limits.meteredAddresses
    let name = isKnown ? address : ""
    let count = (counts[name] ?? 0) + 1
    counts[name] = count
    guard count > limit else { return nil }
    return floods[name] != nil || floods.count < Limits.openFloods ? name : ""
  }

  /// Adds a request to a flood that has a slot; the flood as it is now.
  mutating func add(_ name: String, at now: Int64) -> Flood? {
    guard var flood = floods[name] else { return nil }
    flood.requests += 1
    flood.last = now
    flood.intent.range = "\(flood.requests)"
    floods[name] = flood
    return flood
  }

  mutating func open(_ name: String, _ flood: Flood) {
    floods[name] = flood
  }
}

extension Intent {
  /// The name that marks a count among the records of the spool.
  static let flood = "Flood"

  /// Whether nobody stands behind the request. A callback of a sign-in is let through: it is
  /// known to be genuine only at its end.
  var isOfAStranger: Bool {
    authResult != .verified && authResult != .unverified && operation != "AuthCallback"
  }

  /// A count of requests of an address, as an intent.
  init(floodFrom address: String, id: RequestID, at now: Int64) {
    self.init(
      requestID: id, startMicroseconds: now, method: "", operation: Self.flood,
      remoteIP: address, peerIP: "", userAgent: "")
    range = "0"
  }
}

extension Gap {
  /// What a count becomes in the record; nil: the record is a request's.
  init?(_ record: Record) {
    guard record.intent.operation == Intent.flood else { return nil }
    let from = record.intent.startMicroseconds
    let address = record.intent.remoteIP
    self.init(
      fromMicroseconds: from,
      toMicroseconds: from + (record.completion?.durationMicroseconds ?? 0),
      records: record.intent.range.flatMap { Int($0) } ?? 0,
      reason: "requests without a genuine credential were counted, not recorded",
      remoteIP: address.isEmpty ? nil : address)
  }
}
