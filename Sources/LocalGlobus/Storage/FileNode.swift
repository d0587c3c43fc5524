// FileNode: an open handle on a file or folder; closed with the last reference to it.

import Glibc

final class FileNode: Sendable {
  private let descriptor: Int32

  /// Takes the descriptor over.
  init(_ descriptor: Int32) { self.descriptor = descriptor }

  deinit { close(descriptor) }

  var attributes: FileAttributes {
    var status = stat()
    // On an open descriptor fstat fails for bad arguments only.
    precondition(fstat(descriptor, &status) == 0, "fstat")
    return FileAttributes(status)
  }

  /// Of an entry of this directory, links not followed.
  func attributes(of name: [UInt8]) throws(FileError) -> FileAttributes {
    var status = stat()
    let failed = FileNode.withText(name) {
      fstatat(descriptor, $0, &status, AT_SYMLINK_NOFOLLOW)
    }
    guard failed == 0 else { throw FileError(errno) }
    return FileAttributes(status)
  }

  /// What the symbolic link of that name says.
  func link(_ name: [UInt8]) -> [UInt8]? {
    FileNode.withText(name) { name in
      FileNode.readLink { readlinkat(descriptor, name, $0, $1) }
    }
  }

  static func link(_ path: String) -> [UInt8]? {
    readLink { readlink(path, $0, $1) }
  }

  /// A handle on the same node that can be read.
  func readable() throws(FileError) -> FileNode {
    let opened = Glibc.open("/proc/self/fd/\(descriptor)", O_RDONLY | O_CLOEXEC)
    guard opened >= 0 else { throw FileError(errno) }
    return FileNode(opened)
  }

  /// At most `count` bytes from `offset`; empty at the end.
  func read(at offset: UInt64, count: Int) throws(FileError) -> [UInt8] {
    var failed: Int32 = 0
    let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      let got = pread(descriptor, buffer.baseAddress, count, off_t(offset))
      failed = got < 0 ? errno : 0
      initialized = max(0, got)
    }
    guard failed == 0 else { throw FileError(failed) }
    return bytes
  }

  /// The names in this directory, in no order, without "." and "..".
  func names(limit: Int) throws(FileError) -> [[UInt8]] {
    let opened = Glibc.open("/proc/self/fd/\(descriptor)", O_RDONLY | O_CLOEXEC | O_DIRECTORY)
    guard opened >= 0 else { throw FileError(errno) }
    guard let stream = fdopendir(opened) else {
      close(opened)
      throw .system(errno)
    }
    defer { closedir(stream) }
    var names: [[UInt8]] = []
    while let entry = Glibc.readdir(stream) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
      if name == [0x2e] || name == [0x2e, 0x2e] { continue }
      guard names.count < limit else { throw .tooMany }
      names.append(name)
    }
    return names
  }

  private static func readLink(
    _ read: (UnsafeMutablePointer<CChar>, Int) -> Int
  ) -> [UInt8]? {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: Limits.pathBytes) { buffer in
      let count = read(buffer.baseAddress!, buffer.count)
      return count < 0 ? nil : buffer.prefix(count).map { UInt8(bitPattern: $0) }
    }
  }

  private static func withText<T>(_ bytes: [UInt8], _ body: (UnsafePointer<CChar>) -> T) -> T {
    (bytes.map { CChar(bitPattern: $0) } + [0]).withUnsafeBufferPointer { body($0.baseAddress!) }
  }
}
