// RecentValues: a bounded memory of values that are believed for a while.
//
// `slots` is a doubly linked list from the most to the least recently used, by index. When it is
// full the least recently used value makes room.

struct RecentValues<Key: Hashable, Value> {
  private struct Slot {
    var key: Key
    var value: Value
    var ends: UInt64
    var newer, older: Int?
  }

  private let capacity: Int
  private let lifetime: UInt64
  private var slots: [Slot] = []
  private var index: [Key: Int] = [:]
  private var newest, oldest: Int?

  /// At most `capacity` (1 or more) values, each for `lifetime` units of the caller's clock.
  init(capacity: Int, lifetime: UInt64) {
    self.capacity = max(1, capacity)
    self.lifetime = lifetime
  }

  var count: Int { slots.count }

  /// The value of `key`, unless it is older than a lifetime at `now`.
  mutating func value(for key: Key, now: UInt64) -> Value? {
    guard let at = index[key], now < slots[at].ends else { return nil }
    unlink(at)
    linkNewest(at)
    return slots[at].value
  }

  mutating func set(_ value: Value, for key: Key, now: UInt64) {
    let ends = now + lifetime
    if let at = index[key] {
      unlink(at)
      slots[at].value = value
      slots[at].ends = ends
      linkNewest(at)
    } else if slots.count < capacity {
      slots.append(Slot(key: key, value: value, ends: ends))
      index[key] = slots.count - 1
      linkNewest(slots.count - 1)
    } else if let at = oldest {
      unlink(at)
      index[slots[at].key] = nil
      slots[at] = Slot(key: key, value: value, ends: ends)
      index[key] = at
      linkNewest(at)
    }
  }

  private mutating func unlink(_ at: Int) {
    let (newer, older) = (slots[at].newer, slots[at].older)
    if let newer { slots[newer].older = older } else { newest = older }
    if let older { slots[older].newer = newer } else { oldest = newer }
  }

  private mutating func linkNewest(_ at: Int) {
    slots[at].newer = nil
    slots[at].older = newest
    if let newest { slots[newest].newer = at }
    newest = at
    oldest = oldest ?? at
  }
}
