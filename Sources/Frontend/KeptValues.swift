// KeptValues: a bounded memory of secrets that are used again soon, each with an end of its own.
//
// Invariants: never more than `capacity` values, the oldest makes room; what has ended is let go of
// (and so overwritten) when the next request looks, or by `removeEnded`.

struct KeptValues<Name: Hashable, Value> {
  private struct Entry {
    let value: Value
    let ends: Int64
  }

  private let capacity: Int
  private var entries: [Name: Entry] = [:]
  /// From the oldest to the newest.
  private var order: [Name] = []
  /// When the next of them ends.
  private(set) var nextEnd = Int64.max

  init(capacity: Int) { self.capacity = capacity }

  var count: Int { entries.count }

  /// The value of `name` at `now` (Unix seconds), if it is held.
  mutating func value(for name: Name, now: Int64) -> Value? {
    if now >= nextEnd { removeEnded(now) }
    return entries[name]?.value
  }

  /// Holds a value until `ends` (Unix seconds), unless there is one of that name or it has ended.
  mutating func keep(_ value: Value, for name: Name, until ends: Int64, now: Int64) {
    guard ends > now, entries[name] == nil else { return }
    if order.count == capacity { entries[order.removeFirst()] = nil }
    order.append(name)
    entries[name] = Entry(value: value, ends: ends)
    nextEnd = min(nextEnd, ends)
  }

  /// Lets go of what has ended at `now`.
  mutating func removeEnded(_ now: Int64) {
    entries = entries.filter { now < $0.value.ends }
    order.removeAll { entries[$0] == nil }
    nextEnd = entries.values.map(\.ends).min() ?? .max
  }
}
