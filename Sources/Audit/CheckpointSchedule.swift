// CheckpointSchedule: when the writer signs: after so many rows, or after a minute with any; and
// when it tells the log.

struct CheckpointSchedule {
  private var leaves = 0
  private var oldest: Double?
  private var logged: Double?
  private let now: () -> Double

  init(now: @escaping () -> Double = AuditLog.monotonicSeconds) {
    self.now = now
  }

  mutating func inserted(_ count: Int) {
    guard count > 0 else { return }
    leaves += count
    oldest = oldest ?? now()
  }

  var isDue: Bool {
    guard let oldest else { return false }
    return leaves >= Limits.leavesPerCheckpoint || now() - oldest >= Limits.secondsPerCheckpoint
  }

  /// A checkpoint was written; whether the log should have its head.
  mutating func written() -> Bool {
    leaves = 0
    oldest = nil
    if let logged, now() - logged < Limits.secondsPerLoggedHead { return false }
    logged = now()
    return true
  }
}
