// Writer: the audit thread: moves completed records from the spool into the database.
//
// Polls; at most 128 rows in a transaction; a slot is freed after its row is committed, never
// before. When the database fails, slots stay taken and the attempt is repeated, ever more rarely,
// so nothing is lost while the spool has room; the failure is logged once for each kind.

import Crypto
import Foundation
import GRDB
import Logging

final class Writer: @unchecked Sendable {  // after `start`, all state is the audit thread's
  private let options: AuditLog.Options
  private let spool: Spool
  private let handoff: Handoff
  private let logger: Logger
  private let signer: Ed25519.PrivateKey
  private var checkpoints = CheckpointSchedule()
  private var retention: Retention?
  private var store: Store?
  private var schedule = SyncSchedule()
  private var pending: [CompletedSlot] = []
  private var seenGap: Gap?
  private var failure: String?
  private var isSyncDue = false
  private var syncFailure: Int32 = 0
  private var backoffMilliseconds = 0
  private var polls = 0

  init(
    _ options: AuditLog.Options, spool: Spool, store: Store, signer: Ed25519.PrivateKey,
    handoff: Handoff, logger: Logger
  ) {
    self.options = options
    self.spool = spool
    self.store = store
    self.signer = signer
    self.handoff = handoff
    self.logger = logger
    retention = options.retentionDays.map { Retention(days: $0) }
    pending.reserveCapacity(spool.slotCount)
  }

  func start() {
    Thread {
      Thread.current.name = "audit"
      self.run()
    }.start()
  }

  private func run() {
    while true {
      let work = handoff.wait(
        milliseconds: max(Limits.pollMilliseconds, backoffMilliseconds), into: &pending)
      checkFile()
      commitPending(gap: due(work.gap, isStopping: work.isStopping))
      checkpointIfDue()
      pruneIfDue()
      syncSpool()
      handoff.flushDone(work.flush, worked: failure == nil)
      if work.isStopping { break }
    }
    finish()
    handoff.stopped()
  }

  /// A gap is recorded once it no longer grows, or when it has become long.
  private func due(_ gap: Gap?, isStopping: Bool) -> Gap? {
    defer { seenGap = gap }
    guard let gap else { return nil }
    let isLong = gap.toMicroseconds - gap.fromMicroseconds > Limits.longestGapMicroseconds
    return isStopping || isLong || gap == seenGap ? gap : nil
  }

  private func commitPending(gap: Gap?) {
    var gap = gap
    var done = 0
    defer { pending.removeFirst(done) }
    while done < pending.count || gap != nil || failure != nil {
      let batch = pending[done..<min(done + Limits.rowsPerTransaction, pending.count)]
      do {
        try openedStore().insert(batch.compactMap { record(of: $0) }, gap: gap)
        checkpoints.inserted(batch.count)
      } catch {
        return failed(error)
      }
      for slot in batch {
        spool.free(slot: Int(slot.slot))
        schedule.committed(slot.sequence)
      }
      handoff.giveBack(batch)
      done += batch.count
      if let recorded = gap { handoff.gapRecorded(recorded) }
      gap = nil
      recovered()
    }
  }

  /// Signs what was inserted. One that can't be written is tried again: nothing waits for it.
  private func checkpointIfDue() {
    guard failure == nil, checkpoints.isDue, let store else { return }
    do {
      let checkpoint = try store.checkpoint(
        signedWith: signer, atMicroseconds: AuditLog.wallMicroseconds())
      if checkpoints.written(), let checkpoint { logHead(checkpoint) }
    } catch {
      failed(error)
    }
  }

  /// Lets a few old rows go, when nothing waits to be written.
  private func pruneIfDue() {
    guard failure == nil, pending.isEmpty, let store else { return }
    do {
      if let rows = try retention?.advance(store) {
        logger.notice(
          "audit rows older than the retention were pruned", metadata: ["rows": "\(rows)"])
      }
    } catch {
      failed(error)
    }
  }

  /// The head leaves the machine with the log: whoever has it can prove what the record was.
  private func logHead(_ checkpoint: Checkpoint) {
    logger.notice(
      "audit checkpoint",
      metadata: [
        "checkpoint": "\(checkpoint.id)", "head": "\(Hex.encode(checkpoint.head))",
        "key": "\(Hex.encode(checkpoint.publicKey))",
      ])
  }

  private func record(of slot: CompletedSlot) -> Record? {
    let record = spool.record(slot: Int(slot.slot))
    if record == nil { logger.error("a slot of the audit spool was damaged in use; record lost") }
    return record
  }

  /// The database; opened again if it was removed, replaced or could not be opened then.
  private func openedStore() throws -> Store {
    if let store { return store }
    let opened = try Store(path: options.databasePath)
    try opened.beginRun(atMicroseconds: AuditLog.wallMicroseconds(), version: options.version)
    let now = AuditLog.wallMicroseconds()
    try opened.insert(
      [],
      gap: Gap(
        fromMicroseconds: now, toMicroseconds: now, records: 0,
        reason: "the database's file was removed or replaced while the server ran"))
    store = opened
    return opened
  }

  private func checkFile() {
    polls += 1
    guard polls % Limits.pollsPerFileCheck == 0, let store, !store.isInPlace else { return }
    logger.error("the audit database was removed or replaced: opening it anew")
    self.store = nil
    failure = failure ?? ""
  }

  private func failed(_ error: any Error) {
    let kind = (error as? DatabaseError).map { "\($0.extendedResultCode)" } ?? "\(error)"
    if failure != kind {
      logger.error(
        "the audit database cannot be written; records stay in the spool",
        metadata: ["cause": "\((error as? DatabaseError)?.message ?? "\(error)")"])
    }
    failure = kind
    handoff.isHealthy.store(false, ordering: .relaxed)
    backoffMilliseconds = min(
      max(backoffMilliseconds * 2, Limits.firstBackoffMilliseconds),
      Limits.longestBackoffMilliseconds)
  }

  private func recovered() {
    guard failure != nil else { return }
    logger.notice("the audit database can be written again")
    failure = nil
    backoffMilliseconds = 0
    handoff.isHealthy.store(syncFailure == 0, ordering: .relaxed)
  }

  private func syncSpool() {
    let begun = handoff.begun.load(ordering: .acquiring)
    if handoff.isAmended.exchange(false, ordering: .acquiringAndReleasing) { isSyncDue = true }
    if schedule.isDue(begun: begun) { isSyncDue = true }
    if isSyncDue {
      let cause = spool.sync()
      isSyncDue = cause != 0
      if cause != 0, cause != syncFailure {
        logger.error("the audit spool cannot be synced", metadata: ["cause": "\(reason(cause))"])
      }
      syncFailure = cause
      if cause == 0 { schedule.didSync(begun: begun) }
      handoff.isHealthy.store(cause == 0 && failure == nil, ordering: .relaxed)
    }
    handoff.synced.store(schedule.synced, ordering: .relaxed)
  }

  /// Commits what is left, for a limited time, and ends the run. What can't be committed stays
  /// in the spool for the next start.
  private func finish() {
    let deadline = AuditLog.monotonicSeconds() + Limits.closeSeconds
    while failure != nil, AuditLog.monotonicSeconds() < deadline {
      usleep(UInt32(Limits.firstBackoffMilliseconds) * 1_000)
      commitPending(gap: nil)
    }
    let isClean = failure == nil && (0..<spool.slotCount).allSatisfy { !spool.isUsed(slot: $0) }
    do {
      if failure == nil,
        let checkpoint = try store?.checkpoint(
          signedWith: signer, atMicroseconds: AuditLog.wallMicroseconds())
      {
        logHead(checkpoint)
      }
      try store?.close(atMicroseconds: AuditLog.wallMicroseconds(), isClean: isClean)
    } catch {
      logger.error("the audit database was not closed", metadata: ["cause": "\(error)"])
    }
    spool.close()
  }
}
