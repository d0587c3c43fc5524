// Spool: the records that the database doesn't have yet, in a file that outlives the process.
//
// A preallocated file mapped MAP_SHARED: header page, one 64-bit word for each slot, the slots.
//   - A slot's word says whether it is free, holds an intent, or a completed record, and where in
//     the slot the parts are. It is stored last, with release ordering, so that after kill -9 a
//     word never points at bytes that were not written: the kernel owns the pages and keeps the
//     stores of the dead thread in program order. After a power cut checksums and ids decide.
//   - A part is never written over the one that the word points at, so a record that was being
//     amended or completed at the moment of death still has its last whole intent.
//   - One process at a time: `flock` on the file, held until `close`.
// `begin`, `amend` and `complete` are the loop thread's, `record` and `free` the writer thread's;
// a slot passes between them through `Handoff`'s lock. Opening and closing: no thread runs.

import Foundation
import Synchronization

final class Spool {
  private(set) var slotCount: Int
  /// There was none before.
  let isNew: Bool
  private let path: String
  private let descriptor: Int32
  private var mapping: UnsafeMutableRawPointer
  private let checksum = Checksum()

  /// Opens or creates the spool and locks it; one that exists keeps its number of slots.
  init(path: String, slots: Int) throws(AuditError) {
    self.path = path
    descriptor = try Self.openLocked(path)
    do throws(AuditError) {
      if let found = try SpoolHeader.read(descriptor, path, checksum) {
        slotCount = found
        isNew = false
      } else {
        slotCount = slots
        isNew = true
        try SpoolHeader.format(descriptor, path, slots: slots, checksum)
      }
      mapping = try Self.map(descriptor, path, slots: slotCount)
    } catch {
      Glibc.close(descriptor)
      checksum.deallocate()
      throw error
    }
  }

  private static func openLocked(_ path: String) throws(AuditError) -> Int32 {
    let descriptor = Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard descriptor >= 0 else {
      throw AuditError(
        .unusable, "cannot open the audit spool \(path): \(reason(errno)); check --audit-db")
    }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      let cause = errno
      Glibc.close(descriptor)
      if cause == EWOULDBLOCK {
        throw AuditError(
          .inUse,
          "another server holds the audit spool \(path); stop it or choose another --audit-db")
      }
      throw AuditError(.unusable, "cannot lock the audit spool \(path): \(reason(cause))")
    }
    return descriptor
  }

  private static func map(
    _ descriptor: Int32, _ path: String, slots: Int
  ) throws(AuditError) -> UnsafeMutableRawPointer {
    let size = SpoolHeader.fileBytes(slots: slots)
    // Also for an old file: one cut short or copied sparse would end in SIGBUS at a store.
    let cause = posix_fallocate(descriptor, 0, off_t(size))
    guard cause == 0 else {
      throw AuditError(
        .unusable,
        "cannot reserve \(size >> 20) MiB for the audit spool \(path): \(reason(cause)); "
          + "free space or choose another --audit-db")
    }
    guard
      let address = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0),
      address != MAP_FAILED
    else {
      throw AuditError(.unusable, "cannot map the audit spool \(path): \(reason(errno))")
    }
    return address
  }

  /// Writes an intent into a free slot.
  func begin(_ intent: borrowing Intent, slot: Int) {
    _ = intent.write(start(of: slot), checksum)
    publish(SlotWord(state: .intent, intent: 0, completion: 0), slot: slot)
  }

  /// Replaces a slot's intent, beside the old one.
  func amend(_ intent: borrowing Intent, slot: Int) {
    let at = room(for: Intent.largestPart, beside: word(of: slot).intent, slot: slot)
    _ = intent.write(start(of: slot) + at, checksum)
    publish(SlotWord(state: .intent, intent: at, completion: 0), slot: slot)
  }

  /// Completes a slot's record.
  func complete(_ completion: borrowing Completion, of id: RequestID, slot: Int) {
    let intent = word(of: slot).intent
    let at = room(for: Completion.largestPart, beside: intent, slot: slot)
    _ = completion.write(start(of: slot) + at, of: id, checksum)
    publish(SlotWord(state: .complete, intent: intent, completion: at), slot: slot)
  }

  /// The first place of `size` bytes that doesn't touch the intent at `offset`: before it, else
  /// right behind it, so that a record stays within few pages.
  private func room(for size: Int, beside offset: Int, slot: Int) -> Int {
    if offset >= size { return 0 }
    let length = (start(of: slot) + offset).load(fromByteOffset: 4, as: UInt32.self)
    let end = offset &+ PartWriter.headerBytes &+ Int(length)
    return (end &+ 7) & ~7
  }

  func isUsed(slot: Int) -> Bool {
    word(of: slot).state != .free
  }

  /// What a used slot holds; nil if its intent is unreadable.
  func record(slot: Int) -> Record? {
    let word = word(of: slot)
    guard word.state != .free,
      let (intent, isCut) = Intent.read(bytes(of: slot, from: word.intent), checksum)
    else { return nil }
    var record = Record(intent: intent, isTruncated: isCut)
    if word.state == .complete,
      let (completion, isCut) = Completion.read(
        bytes(of: slot, from: word.completion), of: intent.requestID, checksum)
    {
      record.completion = completion
      record.isTruncated = record.isTruncated || isCut
    }
    return record
  }

  /// Frees a slot that is not given back yet, and wipes it: who is forgotten in the record must
  /// not be remembered here.
  func free(slot: Int) {
    let word = word(of: slot)
    publish(SlotWord(state: .free, intent: 0, completion: 0), slot: slot)
    let last = min(max(word.intent, word.completion), Limits.slotBytes - PartWriter.headerBytes)
    let length = (start(of: slot) + last).loadUnaligned(fromByteOffset: 4, as: UInt32.self)
    let half = Limits.slotBytes / 2
    // Most records leave the second page alone, and so does this.
    let isLong = last + PartWriter.headerBytes + Int(length) > half
    memset(start(of: slot), 0, isLong ? Limits.slotBytes : half)
  }

  /// Brings the file to the disk; the errno on failure.
  func sync() -> Int32 {
    fdatasync(descriptor) == 0 ? 0 : errno
  }

  /// Makes the spool anew with another number of slots; all must be free. The lock is kept.
  func reformat(slots: Int) throws(AuditError) {
    munmap(mapping, SpoolHeader.fileBytes(slots: slotCount))
    try SpoolHeader.format(descriptor, path, slots: slots, checksum)
    mapping = try Self.map(descriptor, path, slots: slots)
    slotCount = slots
  }

  /// Whether the file at the path is still the one that is open.
  var isInPlace: Bool {
    FileIdentity(path: path) == FileIdentity(descriptor: descriptor)
  }

  /// Closes the spool of a start that failed, and removes it if it was made for that.
  func closeUnused() {
    if isNew { unlink(path) }
    close()
  }

  /// Gives up mapping and lock; nothing may be called afterwards.
  func close() {
    munmap(mapping, SpoolHeader.fileBytes(slots: slotCount))
    checksum.deallocate()
    Glibc.close(descriptor)
  }

  private func start(of slot: Int) -> UnsafeMutableRawPointer {
    mapping + SpoolHeader.slotsOffset(slots: slotCount) + slot &* Limits.slotBytes
  }

  private func bytes(of slot: Int, from offset: Int) -> UnsafeRawBufferPointer {
    let offset = min(offset, Limits.slotBytes)
    return UnsafeRawBufferPointer(
      start: start(of: slot) + offset, count: Limits.slotBytes - offset)
  }

  private func atomicWord(of slot: Int) -> UnsafeMutablePointer<Atomic<UInt64>> {
    (mapping + SpoolHeader.bytes).assumingMemoryBound(to: Atomic<UInt64>.self) + slot
  }

  private func word(of slot: Int) -> SlotWord {
    SlotWord(bits: atomicWord(of: slot).pointee.load(ordering: .acquiring))
  }

  private func publish(_ word: SlotWord, slot: Int) {
    atomicWord(of: slot).pointee.store(word.bits, ordering: .releasing)
  }
}

/// What a slot holds and where; anything unknown in the file counts as an intent to be looked at.
struct SlotWord: Equatable {
  enum State: UInt8 {
    case free, intent, complete
  }

  let state: State
  /// Offsets in the slot.
  let intent: Int
  let completion: Int

  init(state: State, intent: Int, completion: Int) {
    self.state = state
    self.intent = intent
    self.completion = completion
  }

  init(bits: UInt64) {
    state = State(rawValue: UInt8(truncatingIfNeeded: bits)) ?? .intent
    intent = Int(bits >> 16 & 0xFFFF)
    completion = Int(bits >> 32 & 0xFFFF)
  }

  var bits: UInt64 {
    UInt64(state.rawValue) | UInt64(intent) << 16 | UInt64(completion) << 32
  }
}
