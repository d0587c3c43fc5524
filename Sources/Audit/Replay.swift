// Replay: brings what the last run left in the spool into the database, before this run starts.
//
// An intent without a readable completion becomes `lost`. A slot whose intent is unreadable (only
// a power cut or a damaged disk leaves one) is counted as a gap: never guessed, never silent.

import GRDB
import Logging

struct Replay {
  let spool: Spool
  let store: Store
  let logger: Logger

  /// Replays, frees every slot, opens the new run; returns the greatest id of the record.
  func run(_ options: AuditLog.Options) throws(AuditError) -> Int64 {
    let used = (0..<spool.slotCount).filter { spool.isUsed(slot: $0) }
    let records = used.compactMap { spool.record(slot: $0) }
      .sorted { $0.intent.requestID < $1.intent.requestID }
    let now = AuditLog.wallMicroseconds()
    do {
      if !records.isEmpty {
        try store.resumeLastRun(atMicroseconds: now, version: options.version)
      }
      for start in stride(from: 0, to: records.count, by: Limits.rowsPerTransaction) {
        let end = min(start + Limits.rowsPerTransaction, records.count)
        try store.insert(Array(records[start..<end]))
      }
      let unreadable = used.count - records.count
      if unreadable > 0 {
        try store.insert(
          [],
          gap: Gap(
            fromMicroseconds: now, toMicroseconds: now, records: unreadable,
            reason: "unreadable slots of the spool at start"))
      }
      for slot in used { spool.free(slot: slot) }
      try store.beginRun(atMicroseconds: now, version: options.version)
      report(records, unreadable: unreadable)
      return try store.lastID()
    } catch {
      let cause = (error as? DatabaseError)?.message ?? "\(error)"
      throw AuditError(
        .unusable,
        "cannot write to the audit database \(options.databasePath): \(cause); free space, or "
          + "stop what holds it")
    }
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
