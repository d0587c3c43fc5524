// Machine: what the record asks of the machine that it runs on: the time, the free space, the kind
// of file system. Tests answer in its place.

import Foundation

struct Machine: Sendable {
  /// The wall clock, microseconds since 1970; may step in either direction.
  var wallMicroseconds: @Sendable () -> Int64 = AuditLog.wallMicroseconds
  /// Bytes that this user may still write in a folder; nil: it can't be known.
  var freeBytes: @Sendable (_ folder: String) -> Int64? = Machine.freeBytes
  /// The file system's type as mount(8) calls it; nil: it can't be known.
  var fileSystemType: @Sendable (_ folder: String) -> String? = Machine.fileSystemType

  private static func freeBytes(_ folder: String) -> Int64? {
    var status = statvfs()
    guard statvfs(folder, &status) == 0 else { return nil }
    return Int64(clamping: UInt64(status.f_bavail) &* UInt64(status.f_frsize))
  }

  private static func fileSystemType(_ folder: String) -> String? {
    guard let resolved = realpath(folder, nil) else { return nil }
    defer { free(resolved) }
    guard let table = try? String(contentsOfFile: "/proc/self/mountinfo", encoding: .utf8) else {
      return nil
    }
    return fileSystemType(of: String(cString: resolved), mounts: table)
  }

  /// The type of the file system that holds a path: of the mount points that contain it the
  /// longest, and of these the last (proc_pid_mountinfo(5)).
  static func fileSystemType(of path: String, mounts: String) -> String? {
    var found: (length: Int, type: String)?
    for line in mounts.split(separator: "\n") {
      let fields = line.split(separator: " ")
      guard fields.count > 4, let dash = fields.lastIndex(of: "-"), dash + 1 < fields.count else {
        continue
      }
      let point = unescaped(fields[4])
      let prefix = point == "/" ? "/" : point + "/"
      guard (path + "/").hasPrefix(prefix), prefix.count >= found?.length ?? 0 else { continue }
      found = (prefix.count, String(fields[dash + 1]))
    }
    return found?.type
  }

  /// Blanks and backslashes stand there as three octal digits.
  private static func unescaped(_ field: Substring) -> String {
    var text = String(field)
    for (escape, character) in [("\\040", " "), ("\\011", "\t"), ("\\012", "\n")] {
      text = text.replacing(escape, with: character)
    }
    return text.replacing("\\134", with: "\\")
  }

  /// File systems on which SQLite's log and its locks can't be relied on (sqlite.org/wal.html:
  /// "does not work over a network filesystem").
  private static let remote: Set<Substring> = [
    "nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "fuse", "fuseblk",
  ]

  /// Refuses a folder where the record can't be safe.
  func check(folder: String) throws(AuditError) {
    guard let type = fileSystemType(folder), let family = type.split(separator: ".").first,
      Self.remote.contains(family)
    else { return }
    throw AuditError(
      .unusable,
      "the audit database can't be kept on \(type) (\(folder)): its locks and shared memory "
        + "aren't safe there; choose a local disk with --audit-db")
  }
}
