// PlaceCheck: whether a record could be kept at a path, looked at without making or locking
// anything, so also beside the server that keeps one there.

import Foundation

extension AuditLog {
  /// Throws what a server that is started with this path would stumble over.
  public static func checkPlace(databasePath: String) throws(AuditError) {
    let path = absolutePath(databasePath)
    let folder = URL(fileURLWithPath: path).deletingLastPathComponent()
    let existing = nearestFolder(folder).path
    try Machine().check(folder: existing)
    guard access(existing, W_OK | X_OK) == 0 else {
      throw AuditError(
        .unusable,
        "the audit database \(path) can't be made: \(existing) can't be written by user "
          + "\(geteuid()); check --audit-db")
    }
    if let free = Machine().freeBytes(existing), free < Limits.lowWaterBytes {
      throw AuditError(
        .unusable,
        "the audit's disk has \(free >> 20) MiB left, of which \(Limits.lowWaterBytes >> 20) stay "
          + "free: requests would be refused; make room on \(existing) or choose another --audit-db"
      )
    }
    for file in [path, path + ".spool"] where FileManager.default.fileExists(atPath: file) {
      guard access(file, R_OK | W_OK) == 0 else {
        throw AuditError(
          .unusable, "user \(geteuid()) can't read and write \(file); check its owner and mode")
      }
    }
    if let size = try? FileManager.default.attributesOfItem(atPath: path)[.size] as? Int, size > 0 {
      _ = try QueryReader(path: path)
    }
  }

  /// The folder, or the nearest above it that exists.
  private static func nearestFolder(_ folder: URL) -> URL {
    var folder = folder
    while !FileManager.default.fileExists(atPath: folder.path), folder.path != "/" {
      folder.deleteLastPathComponent()
    }
    return folder
  }
}
