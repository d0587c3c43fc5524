// Ballast: a file of reserved space beside the database, so that a full disk can be left again.
//
// SQLite needs room in its log even to delete. When the disk is full the ballast is given back
// first: what waits in the spool is then committed and old rows can be pruned. Until the disk has
// room for the ballast again, no new request is recorded, so that nothing else eats that room.
// Writer thread, but for the start.

import Foundation

final class Ballast {
  enum State {
    /// There is room.
    case ample
    /// Less than the low-water mark is free.
    case low
    /// The ballast was given back, or could not be reserved.
    case full
  }

  private(set) var state = State.ample
  private let path: String
  private let folder: String
  private let bytes: Int64
  private let lowWaterBytes: Int64
  private let machine: Machine

  /// Reserves the ballast of a database, if there is room for it.
  init(_ options: AuditLog.Options) {
    path = options.databasePath + ".ballast"
    folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
    bytes = options.ballastBytes
    lowWaterBytes = options.lowWaterBytes
    machine = options.machine
    if !reserve() { giveBack() }
  }

  /// Looks at the disk and takes the ballast back when there is room again. Each state is left a
  /// good deal above where it was entered, so that it doesn't flap.
  func look() -> State {
    guard let free = machine.freeBytes(folder) else { return state }
    let ample = lowWaterBytes + lowWaterBytes / 4
    switch state {
    case .ample, .low:
      if free < Limits.fullDiskBytes {
        giveBack()
      } else if free < lowWaterBytes {
        state = .low
      } else if free >= ample {
        state = .ample
      }
    case .full:
      if free >= ample + bytes, reserve() { state = .ample }
    }
    return state
  }

  /// The disk is full: makes room. False: that was done before.
  @discardableResult
  func giveBack() -> Bool {
    guard state != .full else { return false }
    state = .full
    unlink(path)
    return true
  }

  /// How many bytes must be free before requests are recorded again.
  var bytesNeeded: Int64 {
    lowWaterBytes + lowWaterBytes / 4 + (state == .full ? bytes : 0)
  }

  var bytesFree: Int64? { machine.freeBytes(folder) }

  private func reserve() -> Bool {
    let descriptor = Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard descriptor >= 0 else { return false }
    defer { Glibc.close(descriptor) }
    return posix_fallocate(descriptor, 0, off_t(bytes)) == 0
  }
}
