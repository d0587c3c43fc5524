// Retention: what a running server lets go by itself: begins a pruning once an hour, and goes on
// with it a part at a time. When no row is old enough there is no pruning and no note.

struct Retention {
  private let microseconds: Int64
  private var pruner: Pruner?
  private var due: Double
  private let wall: () -> Int64
  private let now: () -> Double

  init(
    days: Int, now: @escaping () -> Double = AuditLog.monotonicSeconds,
    wall: @escaping () -> Int64 = AuditLog.wallMicroseconds
  ) {
    microseconds = Int64(days) * 86_400_000_000
    self.wall = wall
    self.now = now
    due = now()
  }

  /// Looks for rows to let go now, not only in the next hour.
  mutating func hurry() {
    due = min(due, now())
  }

  /// The database is another one: what was begun there is over.
  mutating func restart() {
    pruner = nil
    due = now()
  }

  /// Does a part of the work; the number of rows that went when a pruning ends.
  mutating func advance(_ store: Store) throws -> Int? {
    if let pruner {
      if try store.advance(pruner) { return nil }
      self.pruner = nil
      return pruner.rows
    }
    guard now() >= due else { return nil }
    due = now() + Limits.secondsPerRetention
    let before = wall() - microseconds
    if try store.hasRows(before: before) { pruner = try store.beginPruning(before: before) }
    return nil
  }
}
