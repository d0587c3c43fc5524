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
  private let ballast: Ballast
  private let handoff: Handoff
  private let opening: Opening
  private let logger: Logger
  private let signer: Ed25519.PrivateKey
  private var checkpoints = CheckpointSchedule()
  private var retention: Retention?
  private var store: Store?
  /// Why the database has to be opened anew, and since when the one before had records.
  private var reopening = (reason: "", since: Int64(0))
  private var lastMovedAside = -Limits.secondsBetweenReplacements
  private var schedule = SyncSchedule()
  private var pending: [CompletedSlot] = []
  private var seenGap: Gap?
  private var failure: String?
  private var isSyncDue = false
  private var syncFailure: Int32 = 0
  private var isSpoolGone = false
  private var space = Ballast.State.ample
  private var backoffMilliseconds = 0
  private var polls = 0

  init(
    _ opening: Opening, _ opened: Opening.Opened, spool: Spool, ballast: Ballast,
    signer: Ed25519.PrivateKey, handoff: Handoff
  ) {
    options = opening.options
    logger = opening.logger
    self.opening = opening
    self.spool = spool
    self.ballast = ballast
    self.signer = signer
    self.handoff = handoff
    store = opened.store
    if opened.wasMovedAside { handoff.movedAside.add(1, ordering: .relaxed) }
    retention = options.retentionDays.map {
      Retention(days: $0, wall: options.machine.wallMicroseconds)
    }
    pending.reserveCapacity(spool.slotCount)
    checkSpace()
    publish(nil)
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
      polls += 1
      handoff.lastRound.store(AuditLog.monotonicMilliseconds(), ordering: .relaxed)
      if polls % Limits.pollsPerFileCheck == 0 { checkFiles() }
      commitPending(gap: due(work.gap, isStopping: work.isStopping))
      checkpointIfDue()
      pruneIfDue()
      syncSpool()
      publish(work.gap)
      handoff.flushDone(work.flush, worked: failure == nil)
      if work.isStopping { break }
    }
    finish()
    handoff.stopped()
  }

  /// Tells the loop thread, and whoever asks for readiness, what is wrong.
  private func publish(_ gap: Gap?) {
    var problems: Problems = []
    if failure != nil { problems.insert(.database) }
    if syncFailure != 0 || isSpoolGone { problems.insert(.spool) }
    if space == .low { problems.insert(.lowSpace) }
    if space == .full { problems.insert(.noSpace) }
    if gap?.isExhausted == true { problems.insert(.unrecorded) }
    handoff.problems.store(problems.rawValue, ordering: .relaxed)
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
      handoff.giveBack(batch, holding: pending[batch.endIndex...])
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
        signedWith: signer, atMicroseconds: options.machine.wallMicroseconds())
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

  /// The database; opened again if it was removed, replaced or damaged.
  private func openedStore() throws -> Store {
    if let store { return store }
    let opened = try opening.anew(because: reopening.reason, since: reopening.since)
    retention?.restart()
    store = opened
    return opened
  }

  /// Gives up the open database; the next commit opens what stands at the path then.
  private func leave(_ old: Store, because reason: String) {
    reopening = (reason, old.began ?? options.machine.wallMicroseconds())
    old.abandon()
    store = nil
  }

  private func checkFiles() {
    if let store, !store.isInPlace {
      logger.error("the audit database was removed or replaced: opening it anew")
      store.shrinkLog()  // SQLite would leave it for the file that stands there now
      leave(store, because: "the database's file was removed or replaced while the server ran")
      opening.moveLogAside()
      failure = failure ?? ""
    }
    if !spool.isInPlace, !isSpoolGone {
      logger.error("the audit spool was removed: a crash would lose records; restart the server")
    }
    isSpoolGone = !spool.isInPlace
    checkSpace()
  }

  /// Looks at the disk. What SQLite calls full stays so until it can write again.
  private func checkSpace() {
    if space != .ample { store?.shrinkLog() }
    if space != .full || failure == nil { _ = ballast.look() }
    takeNoteOfSpace()
  }

  private func takeNoteOfSpace() {
    guard ballast.state != space else { return }
    space = ballast.state
    let metadata: Logger.Metadata = [
      "free_mib": "\((ballast.bytesFree ?? 0) >> 20)",
      "needed_mib": "\(ballast.bytesNeeded >> 20)",
    ]
    let fate = options.onFailure == .refuse ? "refused" : "served unrecorded"
    switch space {
    case .ample:
      logger.notice("the audit's disk has room again", metadata: metadata)
    case .low where options.onFailure == .continue:
      logger.error("the audit's disk is nearly full: free space", metadata: metadata)
    case .low:
      logger.error(
        "the audit's disk is nearly full: requests are refused until there is room",
        metadata: metadata)
    case .full:
      logger.error(
        "the audit's disk is full: the ballast was given back so that pruning works, and requests are \(fate)",
        metadata: metadata)
    }
    if space != .ample { retention?.hurry() }
  }

  private func failed(_ error: any Error) {
    let kind = (error as? DatabaseError).map { "\($0.extendedResultCode)" } ?? "\(error)"
    if failure != kind {
      logger.error(
        "the audit database cannot be written; records stay in the spool",
        metadata: ["cause": "\(error.text)"])
    }
    failure = kind
    backoffMilliseconds = min(
      max(backoffMilliseconds * 2, Limits.firstBackoffMilliseconds),
      Limits.longestBackoffMilliseconds)
    if error.isFull { ballast.giveBack() }
    takeNoteOfSpace()
    if error.isDamage { replaceDamaged(error) }
  }

  /// Moves a damaged database aside, but not one after the other.
  private func replaceDamaged(_ cause: any Error) {
    let now = AuditLog.monotonicSeconds()
    guard now - lastMovedAside >= Limits.secondsBetweenReplacements else { return }
    if let store { leave(store, because: "the database was damaged") }
    do {
      reopening.reason = try opening.moveAside(because: cause)
      lastMovedAside = now
      handoff.movedAside.add(1, ordering: .relaxed)
    } catch {
      logger.error("\(error)")
    }
  }

  private func recovered() {
    guard failure != nil else { return }
    logger.notice("the audit database can be written again")
    failure = nil
    backoffMilliseconds = 0
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
          signedWith: signer, atMicroseconds: options.machine.wallMicroseconds())
      {
        logHead(checkpoint)
      }
      try store?.close(atMicroseconds: options.machine.wallMicroseconds(), isClean: isClean)
    } catch {
      logger.error("the audit database was not closed", metadata: ["cause": "\(error)"])
    }
    spool.close()
  }
}
