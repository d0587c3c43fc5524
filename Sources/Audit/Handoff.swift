// Handoff: what the loop thread and the writer thread give each other, under one lock.
//
// The loop thread pays an uncontended lock for each completed record and never signals in
// `hand`: the writer polls. pthread's own lock, because ThreadSanitizer doesn't know
// `Synchronization.Mutex` on Linux. Both lists are reserved for every slot, so none ever grows.

import Foundation
import Synchronization

/// A slot whose record is complete, with the record's place in the order of intents.
struct CompletedSlot {
  let slot: UInt32
  let sequence: UInt64
  /// When it was completed; monotonic milliseconds.
  let completed: Int64
}

/// Requests that were not recorded, one after the other.
struct Gap: Equatable {
  var fromMicroseconds: Int64
  var toMicroseconds: Int64
  var records: Int
  var reason: String
  /// Not even a request that may take the last slot found one; not stored.
  var isExhausted = false
  /// Of a flood from one address.
  var remoteIP: String?
}

/// What is wrong with the record at this moment; empty: all is well.
struct Problems: OptionSet, Sendable {
  let rawValue: UInt8

  /// The database can't be written.
  static let database = Problems(rawValue: 1)
  /// The spool can't be brought to the disk, or its file was removed.
  static let spool = Problems(rawValue: 2)
  static let lowSpace = Problems(rawValue: 4)
  static let noSpace = Problems(rawValue: 8)
  /// Requests find no free slot, not even those with a credential.
  static let unrecorded = Problems(rawValue: 16)
  /// The writer thread waits for the disk.
  static let stalled = Problems(rawValue: 32)

  /// A line each, for people.
  var lines: [String] {
    let all: [(Problems, String)] = [
      (.database, "the audit database can't be written"),
      (.spool, "the audit spool can't be synced"),
      (.lowSpace, "the audit's disk is nearly full"),
      (.noSpace, "the audit's disk is full"),
      (.unrecorded, "requests find no room in the audit spool"),
      (.stalled, "the audit's disk doesn't answer"),
    ]
    return all.filter { contains($0.0) }.map { $0.1 }
  }
}

final class Handoff: @unchecked Sendable {  // all but the atomics is guarded by `mutex`
  /// Number of the newest intent; written by the loop thread.
  let begun = Atomic<UInt64>(0)
  /// Every record up to this one is on the disk; written by the writer thread.
  let synced = Atomic<UInt64>(0)
  /// Set by the loop thread when it amends a record that was on the disk already.
  let isAmended = Atomic<Bool>(false)
  /// Written by the writer thread.
  let problems = Atomic<UInt8>(0)
  /// When the writer thread last began its round; monotonic milliseconds.
  let lastRound = Atomic<Int64>(.max)
  /// Requests that were not recorded in this run.
  let unrecorded = Atomic<Int>(0)
  /// Databases that were moved aside in this run.
  let movedAside = Atomic<Int>(0)

  /// What the writer thread found in its last round.
  var current: Problems { Problems(rawValue: problems.load(ordering: .relaxed)) }

  /// The same, and whether the writer thread is stuck.
  func problems(nowMilliseconds now: Int64) -> Problems {
    let isStuck = now - lastRound.load(ordering: .relaxed) > Limits.stalledMilliseconds
    return isStuck ? current.union(.stalled) : current
  }

  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private var completed: [CompletedSlot] = []
  private var freed: [UInt32] = []
  /// Slots that the writer thread took and has not committed, and when the oldest was completed.
  private var held: (slots: Int, oldest: Int64?) = (0, nil)
  private var gap: Gap?
  private var isStopping = false
  private var isStopped = false
  private var flushesAsked = 0
  private var flushesDone = 0
  private var lastFlushWorked = true

  init(slots: Int) {
    completed.reserveCapacity(slots)
    freed.reserveCapacity(slots)
    var attributes = pthread_condattr_t()
    pthread_condattr_init(&attributes)
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
    pthread_cond_init(changed, &attributes)
    pthread_condattr_destroy(&attributes)
    pthread_mutex_init(mutex, nil)
  }

  deinit {
    pthread_cond_destroy(changed)
    pthread_mutex_destroy(mutex)
    changed.deallocate()
    mutex.deallocate()
  }

  /// Loop thread: hands over a completed slot and takes back those that were committed.
  func hand(_ slot: CompletedSlot, reclaiming free: inout [UInt32]) {
    pthread_mutex_lock(mutex)
    completed.append(slot)
    moveFreed(to: &free)
    pthread_mutex_unlock(mutex)
  }

  /// Completed slots that are not committed, and when the oldest was completed. Any thread.
  var backlog: (slots: Int, oldest: Int64?) {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return (held.slots + completed.count, held.oldest ?? completed.first?.completed)
  }

  /// Writer thread: what it still holds.
  private func publishHeld(_ slots: ArraySlice<CompletedSlot>) {
    held = (slots.count, slots.first?.completed)
  }

  /// Loop thread: takes back the slots that were committed.
  func reclaim(into free: inout [UInt32]) {
    pthread_mutex_lock(mutex)
    moveFreed(to: &free)
    pthread_mutex_unlock(mutex)
  }

  private func moveFreed(to free: inout [UInt32]) {
    guard !freed.isEmpty else { return }
    free.append(contentsOf: freed)
    freed.removeAll(keepingCapacity: true)
  }

  /// Loop thread: counts a request that is not recorded.
  func countUnrecorded(atMicroseconds now: Int64, reason: String, isExhausted: Bool) {
    unrecorded.add(1, ordering: .relaxed)
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    var new =
      gap ?? Gap(fromMicroseconds: now, toMicroseconds: now, records: 0, reason: reason)
    new.fromMicroseconds = min(new.fromMicroseconds, now)  // the clock may have been set back
    new.toMicroseconds = max(new.toMicroseconds, now)
    new.records += 1
    if isExhausted { new.isExhausted = true }
    gap = new
  }

  /// Asks the writer to commit what is complete and waits for its answer; false: it could not.
  func flush() -> Bool {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    flushesAsked += 1
    let mine = flushesAsked
    pthread_cond_broadcast(changed)
    while flushesDone < mine, !isStopped { pthread_cond_wait(changed, mutex) }
    return lastFlushWorked
  }

  /// Tells the writer to finish and waits until it has.
  func stop() {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    isStopping = true
    pthread_cond_broadcast(changed)
    while !isStopped { pthread_cond_wait(changed, mutex) }
  }

  /// What the writer finds when it wakes.
  struct Work {
    var gap: Gap?
    var flush: Int
    var isStopping: Bool
  }

  /// Writer thread: waits at most `milliseconds`, less if it is asked to flush or to stop, then
  /// moves the completed slots to `batch`.
  func wait(milliseconds: Int, into batch: inout [CompletedSlot]) -> Work {
    var deadline = timespec()
    clock_gettime(CLOCK_MONOTONIC, &deadline)
    deadline.tv_nsec += milliseconds % 1_000 * 1_000_000
    deadline.tv_sec += milliseconds / 1_000 + deadline.tv_nsec / 1_000_000_000
    deadline.tv_nsec %= 1_000_000_000
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    while !isStopping, flushesAsked == flushesDone,
      pthread_cond_timedwait(changed, mutex, &deadline) == 0
    {}
    batch.append(contentsOf: completed)
    completed.removeAll(keepingCapacity: true)
    publishHeld(batch[...])
    return Work(gap: gap, flush: flushesAsked, isStopping: isStopping)
  }

  /// Writer thread: gives committed slots back, and says which it still holds.
  func giveBack(
    _ slots: ArraySlice<CompletedSlot>, holding rest: ArraySlice<CompletedSlot>
  ) {
    pthread_mutex_lock(mutex)
    publishHeld(rest)
    for slot in slots { freed.append(slot.slot) }
    pthread_mutex_unlock(mutex)
  }

  /// Writer thread: the part of the gap that was seen is in the record.
  func gapRecorded(_ recorded: Gap) {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    gap?.records -= recorded.records
    gap?.fromMicroseconds = recorded.toMicroseconds
    if gap?.records == 0 { gap = nil }
  }

  /// Writer thread: answers every flush up to `flush`.
  func flushDone(_ flush: Int, worked: Bool) {
    pthread_mutex_lock(mutex)
    flushesDone = flush
    lastFlushWorked = worked
    pthread_cond_broadcast(changed)
    pthread_mutex_unlock(mutex)
  }

  /// Writer thread: the last call.
  func stopped() {
    pthread_mutex_lock(mutex)
    isStopped = true
    pthread_cond_broadcast(changed)
    pthread_mutex_unlock(mutex)
  }
}
