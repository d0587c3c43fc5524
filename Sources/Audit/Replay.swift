// Replay: brings what the last run left in the spool into the database, before this run starts.
//
// An intent without a readable completion becomes `lost`. A slot whose intent is unreadable (only
// a power cut or a damaged disk leaves one) is counted as a gap: never guessed, never silent; so are
// a spool and a database of which one has gone. Slots are freed last: a start that fails leaves them for the next.

import GRDB
import Logging

struct Replay {
  let spool: Spool
  let store: Store
  /// What the database lost just now, if it was damaged.
  let damage: Gap?
  let logger: Logger

  /// Replays, opens the new run, frees every slot; returns the greatest id of the record.
  func run(_ options: AuditLog.Options) throws -> Int64 {
    let used = (0..<spool.slotCount).filter { spool.isUsed(slot: $0) }
    let records = used.compactMap { spool.record(slot: $0) }
      .sorted { $0.intent.requestID < $1.intent.requestID }
    let now = options.machine.wallMicroseconds()
    if !records.isEmpty {
      try store.resumeLastRun(atMicroseconds: now, version: options.version)
    }
    for start in stride(from: 0, to: records.count, by: Limits.rowsPerTransaction) {
      let end = min(start + Limits.rowsPerTransaction, records.count)
      try store.insert(Array(records[start..<end]))
    }
    let unreadable = used.count - records.count
    for gap in try gaps(unreadable: unreadable, now) { try store.insert([], gap: gap) }
    try store.beginRun(atMicroseconds: now, version: options.version)
    let last = try store.lastID()
    for slot in used { spool.free(slot: slot) }
    report(records, unreadable: unreadable)
    return last
  }

  /// What should be here and isn't.
  private func gaps(unreadable: Int, _ now: Int64) throws -> [Gap] {
    var gaps = damage.map { [$0] } ?? []
    func note(_ reason: String, records: Int = 0, from: Int64? = nil) {
      logger.error("records are missing in the audit", metadata: ["reason": "\(reason)"])
      gaps.append(
        Gap(
          fromMicroseconds: min(from ?? now, now), toMicroseconds: now, records: records,
          reason: reason))
    }
    if unreadable > 0 { note("unreadable slots of the spool at start", records: unreadable) }
    if spool.isNew, try store.lastRunWasCut() {
      note(
        "the spool of a run that was cut short is gone, and what it held",
        from: try store.lastStart())
    }
    if !spool.isNew, store.began == nil, damage == nil {
      note("the database of the runs before is gone; only their spool was found")
    }
    return gaps
  }

  private func report(_ records: [Record], unreadable: Int) {
    guard !records.isEmpty || unreadable > 0 else { return }
    let lost = records.count { $0.completion == nil }
    logger.notice(
      "the audit spool of an earlier run was replayed",
      metadata: [
        "records": "\(records.count)", "lost": "\(lost)", "unreadable": "\(unreadable)",
      ])
  }
}
