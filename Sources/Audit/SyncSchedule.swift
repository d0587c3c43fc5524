// SyncSchedule: when the spool has to be brought to the disk.
//
// Promise: no record is older than four polls (100 ms) without being on the disk, in the database
// or in the spool. Short requests are committed within one poll, so a spool that holds nothing
// older than two polls is not synced: each sync would make the loop thread fault its pages anew.
// Records are counted by their sequence number: those up to `synced` are safe; `older` and
// `newer` are the newest numbers at the two polls before.

struct SyncSchedule {
  private(set) var synced: UInt64 = 0
  private var older: UInt64 = 0
  private var newer: UInt64 = 0
  // Committed records in (synced, older], (older, newer] and above.
  private var committedOlder: UInt64 = 0
  private var committedNewer: UInt64 = 0
  private var committedRest: UInt64 = 0

  /// A record is in the database.
  mutating func committed(_ sequence: UInt64) {
    if sequence > newer {
      committedRest += 1
    } else if sequence > older {
      committedNewer += 1
    } else if sequence > synced {
      committedOlder += 1
    }
  }

  /// One poll is over, `begun` is the newest record: whether the spool must be synced now.
  mutating func isDue(begun: UInt64) -> Bool {
    guard older - synced == committedOlder else { return true }
    synced = older
    older = newer
    newer = begun
    committedOlder = committedNewer
    committedNewer = committedRest
    committedRest = 0
    return false
  }

  /// The spool was synced when `begun` was the newest record.
  mutating func didSync(begun: UInt64) {
    self = SyncSchedule()
    synced = begun
    older = begun
    newer = begun
  }
}
