// SpoolHeader: the first page of a spool: what it is, its version and its size.
//
// Written after the file is reserved, so a file with an all-zero first page is one whose making
// was cut short: it is made anew. Any other first page that isn't ours is left alone.

import Foundation

enum SpoolHeader {
  static let bytes = 4_096
  private static let magic = Array("GS3SPOOL".utf8)
  private static let version: UInt32 = 1
  private static let usedBytes = 24

  static func slotsOffset(slots: Int) -> Int {
    bytes + (slots * 8 + 4_095) & ~4_095
  }

  static func fileBytes(slots: Int) -> Int {
    slotsOffset(slots: slots) + slots * Limits.slotBytes
  }

  /// The number of slots of the spool; nil if there is none yet.
  static func read(
    _ descriptor: Int32, _ path: String, _ checksum: Checksum
  ) throws(AuditError) -> Int? {
    var page = [UInt8](repeating: 0, count: usedBytes)
    guard pread(descriptor, &page, usedBytes, 0) >= 0 else {
      throw AuditError(.unusable, "cannot read the audit spool \(path): \(reason(errno))")
    }
    if page.allSatisfy({ $0 == 0 }) { return nil }
    guard page.starts(with: magic) else {
      throw AuditError(.notOurs, "\(path) is not an audit spool; move it away")
    }
    func field(_ offset: Int) -> UInt32 {
      page.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: UInt32.self) }
    }
    let crc = page.withUnsafeBytes { checksum($0.baseAddress!, count: usedBytes - 4) }
    guard field(20) == crc else {
      throw AuditError(
        .unusable,
        "the audit spool \(path) has a damaged header; move it away: the next start records the gap"
      )
    }
    guard field(8) <= version else {
      throw AuditError(
        .newer, "the audit spool \(path) is of a newer version of this program; update it")
    }
    guard field(8) == version else {
      throw AuditError(
        .unusable,
        "the audit spool \(path) is of an older version of this program: start and stop that "
          + "version once, so that it puts what it holds into the database")
    }
    guard field(12) == Limits.slotBytes, 1...Limits.maximumSlots ~= Int(field(16)) else {
      throw AuditError(.unusable, "the audit spool \(path) has an unknown size; move it away")
    }
    return Int(field(16))
  }

  /// Empties the file, reserves it and writes the header.
  static func format(
    _ descriptor: Int32, _ path: String, slots: Int, _ checksum: Checksum
  ) throws(AuditError) {
    var page = magic
    for field in [version, UInt32(Limits.slotBytes), UInt32(slots)] {
      withUnsafeBytes(of: field) { page.append(contentsOf: $0) }
    }
    let crc = page.withUnsafeBytes { checksum($0.baseAddress!, count: page.count) }
    withUnsafeBytes(of: crc) { page.append(contentsOf: $0) }
    var cause = ftruncate(descriptor, 0) == 0 ? 0 : errno
    if cause == 0 { cause = posix_fallocate(descriptor, 0, off_t(fileBytes(slots: slots))) }
    if cause == 0, pwrite(descriptor, page, page.count, 0) != page.count { cause = errno }
    if cause == 0, fsync(descriptor) != 0 { cause = errno }
    guard cause == 0 else {
      throw AuditError(
        .unusable,
        "cannot reserve \(fileBytes(slots: slots) >> 20) MiB for the audit spool \(path): "
          + "\(reason(cause)); free space or choose another --audit-db")
    }
  }
}

/// Which file it is.
struct FileIdentity: Equatable {
  private let device: dev_t
  private let inode: ino_t

  init?(path: String) {
    var status = stat()
    guard stat(path, &status) == 0 else { return nil }
    self.init(status)
  }

  init?(descriptor: Int32) {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { return nil }
    self.init(status)
  }

  private init(_ status: stat) {
    device = status.st_dev
    inode = status.st_ino
  }
}

/// What an errno means, in words.
func reason(_ code: Int32) -> String {
  String(cString: strerror(code))
}
