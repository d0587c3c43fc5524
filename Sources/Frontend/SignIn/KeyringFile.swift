// The key file: lines `id state created base64-of-32-bytes`, `#` comments and empty lines.
//
// It is read only when its owner alone can use it. A change is a new file, synced and renamed over
// the old one under a lock, so that a reader or a crash meets either the old keys or the new.

import Crypto
import FoundationEssentials
import Glibc

struct KeyringFile {
  struct Entry {
    var id: KeyID
    var state: KeyState
    /// RFC 3339, as written.
    var created: String
    var key: SecretBytes

    static func random(state: KeyState) -> Entry {
      Entry(
        id: KeyID(bytes: Random.bytes(4)), state: state,
        created: HTTPDate.formatISOSeconds(Int64(time(nil))),
        key: SecretBytes(count: 32) { Random.fill($0) })
    }
  }

  enum Line {
    case remark(String)
    case entry(Entry)
  }

  let path: String
  var lines: [Line]

  var entries: [Entry] {
    lines.compactMap { if case .entry(let entry) = $0 { entry } else { nil } }
  }

  /// The file at `path` with everything checked but that a primary key is among its keys.
  static func read(_ path: String) throws(KeyringError) -> KeyringFile {
    let descriptor = try open(path)
    defer { close(descriptor) }
    return try read(descriptor, path: path)
  }

  private static func read(_ descriptor: Int32, path: String) throws(KeyringError) -> KeyringFile {
    var bytes = try contents(of: descriptor, path: path)
    defer { cleanse(&bytes) }
    let file = try KeyringFile(parsing: bytes, path: path)
    if file.entries.isEmpty { throw .empty(path) }
    return file
  }

  private init(parsing bytes: [UInt8], path: String) throws(KeyringError) {
    self.path = path
    lines = []
    var seen: Set<KeyID> = []
    var hasPrimary = false
    var texts = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    if texts.last?.isEmpty == true { texts.removeLast() }
    for (index, text) in texts.enumerated() {
      let number = index + 1
      let blank = text.allSatisfy { $0 == UInt8(ascii: " ") }
      if blank || text.first == UInt8(ascii: "#") {
        guard let remark = String(validating: text, as: UTF8.self) else {
          throw .malformed(path, line: number)
        }
        lines.append(.remark(remark))
        continue
      }
      guard let entry = Entry(parsing: text) else { throw .malformed(path, line: number) }
      guard seen.insert(entry.id).inserted else { throw .duplicate(path, line: number) }
      if entry.state == .primary {
        guard !hasPrimary else { throw .twoPrimaries(path, line: number) }
        hasPrimary = true
      }
      lines.append(.entry(entry))
    }
  }

  /// A new file with `lines`, private to this user; throws `exists` when there is one.
  static func create(_ path: String, lines: [Line]) throws(KeyringError) {
    try write(lines, to: path, owner: nil)
    try syncFolder(of: path)
  }

  /// Rewrites the file at `path` as `change` leaves it.
  static func update<Result>(
    _ path: String, _ change: (inout KeyringFile) throws(KeyringError) -> Result
  ) throws(KeyringError) -> Result {
    let target = try resolved(path)
    let descriptor = try open(target)
    defer { close(descriptor) }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else { throw .busy(path) }
    let status = try self.status(of: descriptor, path: path)
    var current = stat()
    guard stat(target, &current) == 0, current.st_ino == status.st_ino,
      current.st_dev == status.st_dev
    else { throw .busy(path) }
    var file = try read(descriptor, path: path)
    let result = try change(&file)
    let temporary = target + ".new-" + Hex.encode(Random.bytes(4))
    try write(file.lines, to: temporary, owner: status)
    guard rename(temporary, target) == 0 else {
      let code = errno
      unlink(temporary)
      throw .system(path, operation: "rename", code: code)
    }
    try syncFolder(of: target)
    return result
  }

  static func message(of code: Int32) -> String { String(cString: strerror(code)) }
}

extension KeyringFile.Entry {
  /// One line without its end; nil when it is not of the form.
  fileprivate init?(parsing line: ArraySlice<UInt8>) {
    let fields = line.split(separator: UInt8(ascii: " "))
    guard fields.count == 4,
      let id = KeyID(String(decoding: fields[0], as: UTF8.self)),
      let state = KeyState(rawValue: String(decoding: fields[1], as: UTF8.self)),
      let created = String(validating: fields[2], as: UTF8.self),
      HTTPDate.isISOSeconds(created) || (try? Date(created, strategy: .iso8601)) != nil,
      var key = Data(base64Encoded: Data(fields[3])), key.count == 32
    else { return nil }
    self.init(id: id, state: state, created: created, key: SecretBytes(key))
    key.withUnsafeMutableBytes { cleanse($0) }
  }

  fileprivate var line: [UInt8] {
    let encoded = key.withUnsafeBytes { Data($0).base64EncodedData() }
    return Array("\(id) \(state.rawValue) \(created) ".utf8) + encoded + [UInt8(ascii: "\n")]
  }
}

extension KeyringFile {
  private static func open(_ path: String) throws(KeyringError) -> Int32 {
    // Nonblocking, so that a pipe in its place is refused rather than waited for.
    let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else {
      if errno == ENOENT { throw .missing(path) }
      throw .system(path, operation: "open", code: errno)
    }
    return descriptor
  }

  private static func status(of descriptor: Int32, path: String) throws(KeyringError) -> stat {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
      throw .system(path, operation: "fstat", code: errno)
    }
    return status
  }

  /// Whether systemd hands the file to this service alone (LoadCredential). Where it does so by an
  /// access control list, the mode shows the list's mask in place of the group's bits.
  private static func isCredential(_ path: String) -> Bool {
    guard let folder = getenv("CREDENTIALS_DIRECTORY") else { return false }
    return path.hasPrefix(String(cString: folder) + "/")
  }

  private static func contents(
    of descriptor: Int32, path: String
  ) throws(KeyringError) -> [UInt8] {
    let status = try status(of: descriptor, path: path)
    guard status.st_mode & S_IFMT == S_IFREG else { throw .notRegular(path) }
    let foreign: mode_t = isCredential(path) ? 0o007 : 0o077
    guard status.st_mode & foreign == 0 else {
      throw .notPrivate(path, mode: status.st_mode & 0o777)
    }
    guard status.st_uid == geteuid() || status.st_uid == 0 || geteuid() == 0 else {
      throw .foreignOwner(path)
    }
    guard status.st_size <= CredentialLimits.keyFileBytes else { throw .tooLarge(path) }
    var bytes = [UInt8](repeating: 0, count: CredentialLimits.keyFileBytes + 1)
    var count = 0
    while count < bytes.count {
      let got = bytes.withUnsafeMutableBytes {
        Glibc.read(descriptor, $0.baseAddress.map { $0 + count }, $0.count - count)
      }
      guard got >= 0 else { throw .system(path, operation: "read", code: errno) }
      if got == 0 { break }
      count += got
    }
    defer { cleanse(&bytes) }
    guard count <= CredentialLimits.keyFileBytes else { throw .tooLarge(path) }
    return Array(bytes.prefix(count))
  }

  /// The file behind symbolic links: renaming must replace it and not the link.
  private static func resolved(_ path: String) throws(KeyringError) -> String {
    guard let target = realpath(path, nil) else {
      if errno == ENOENT { throw .missing(path) }
      throw .system(path, operation: "realpath", code: errno)
    }
    defer { free(target) }
    return String(cString: target)
  }

  private static func write(
    _ lines: [Line], to path: String, owner: stat?
  ) throws(KeyringError) {
    let descriptor = Glibc.open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else {
      if errno == EEXIST { throw .exists(path) }
      throw .system(path, operation: "create", code: errno)
    }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    for line in lines {
      switch line {
      case .remark(let text): bytes += Array(text.utf8) + [UInt8(ascii: "\n")]
      case .entry(let entry): bytes += entry.line
      }
    }
    defer { cleanse(&bytes) }
    do throws(KeyringError) {
      guard fchmod(descriptor, 0o600) == 0,
        owner.map({ fchown(descriptor, $0.st_uid, $0.st_gid) == 0 }) ?? true
      else { throw .system(path, operation: "fchown", code: errno) }
      try write(bytes, to: descriptor, path: path)
      guard fsync(descriptor) == 0 else { throw .system(path, operation: "fsync", code: errno) }
    } catch {
      unlink(path)
      throw error
    }
  }

  private static func write(
    _ bytes: [UInt8], to descriptor: Int32, path: String
  ) throws(KeyringError) {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      guard count > 0 else { throw .system(path, operation: "write", code: errno) }
      rest = rest.dropFirst(count)
    }
  }

  private static func syncFolder(of path: String) throws(KeyringError) {
    let parts = path.split(separator: "/", omittingEmptySubsequences: false).dropLast()
    let folder = parts.isEmpty ? "." : parts.joined(separator: "/") + "/"
    let descriptor = Glibc.open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .system(folder, operation: "open", code: errno) }
    defer { close(descriptor) }
    guard fsync(descriptor) == 0 else { throw .system(folder, operation: "fsync", code: errno) }
  }
}
