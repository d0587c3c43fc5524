// LocalFolder: a folder of this machine, out of which nothing is ever opened.
//
// Invariant: every node is opened as a bare handle (O_PATH) first, its real path is read from the
// kernel and compared with the root's; so no symbolic link leads out, not even one that changes
// while it is followed.

import Glibc

/// Linux's O_PATH, which Glibc declares for GNU sources only.
private let openPath: Int32 = 0o10_000_000

struct LocalFolder: Sendable {
  /// Absolute, without symbolic links.
  let root: String

  /// Throws unless the path is a folder that can be read.
  init(_ path: String) throws(LocalGlobusError) {
    guard let real = realpath(path, nil) else {
      throw LocalGlobusError(message: "\(path): \(String(cString: strerror(errno)))")
    }
    defer { free(real) }
    root = String(cString: real)
    do {
      let node = try open(.root)
      guard node.attributes.type == .dir else {
        throw LocalGlobusError(message: "\(path): not a directory")
      }
    } catch let error as LocalGlobusError {
      throw error
    } catch {
      throw LocalGlobusError(message: "\(path): can't be read")
    }
  }

  /// What the path leads to, links followed.
  func open(_ path: CollectionPath) throws(FileError) -> FileNode {
    let full = Array(root.utf8) + [0x2f] + path.relativeBytes + [0]
    let descriptor = full.withUnsafeBufferPointer { bytes in
      bytes.withMemoryRebound(to: CChar.self) { Glibc.open($0.baseAddress!, openPath | O_CLOEXEC) }
    }
    guard descriptor >= 0 else { throw FileError(errno) }
    let node = FileNode(descriptor)
    guard let real = FileNode.link("/proc/self/fd/\(descriptor)") else { throw .system(EACCES) }
    guard real == Array(root.utf8) || root == "/" || real.starts(with: Array((root + "/").utf8))
    else { throw .notAllowed }
    return node
  }

  /// The path's own entry in its directory.
  func entry(_ path: CollectionPath) throws(FileError) -> FileEntry {
    guard let name = path.name else {
      return FileEntry(name: [], attributes: try open(.root).attributes)
    }
    return try entry(name, in: open(path.parent), at: path.parent)
  }

  /// The entries of a directory, sorted by name. Throws `.tooMany` over `limit`.
  func entries(
    _ path: CollectionPath, limit: Int = Limits.listingEntries
  ) throws(FileError) -> [FileEntry] {
    let directory = try open(path)
    let names = try directory.names(limit: limit)
    var entries: [FileEntry] = []
    for name in names {
      do {
        entries.append(try entry(name, in: directory, at: path))
      } catch .notFound {
        continue
      }
    }
    return entries.sorted { $0.name.lexicographicallyPrecedes($1.name) }
  }

  private func entry(
    _ name: [UInt8], in directory: FileNode, at path: CollectionPath
  ) throws(FileError) -> FileEntry {
    let own = try directory.attributes(of: name)
    guard own.type == .invalidSymlink else { return FileEntry(name: name, attributes: own) }
    let target = directory.link(name)
    do {
      let node = try open(path.appending(name))
      return FileEntry(name: name, attributes: node.attributes, link: (own, target))
    } catch {
      return FileEntry(name: name, attributes: own, link: (own, target))
    }
  }
}

enum FileError: Error, Equatable {
  case notFound
  case notDirectory
  case permissionDenied
  /// Leads out of the collection.
  case notAllowed
  /// More entries than can be listed.
  case tooMany
  case system(Int32)

  init(_ number: Int32) {
    switch number {
    case ENOENT, ENAMETOOLONG: self = .notFound
    case ENOTDIR: self = .notDirectory
    case EACCES, EPERM: self = .permissionDenied
    default: self = .system(number)
    }
  }
}

struct FileEntry {
  /// Empty for the collection's root.
  let name: [UInt8]
  /// Of a link's target, where that is inside the collection.
  let attributes: FileAttributes
  /// For a symbolic link: its own attributes, and what it says.
  var link: (attributes: FileAttributes, target: [UInt8]?)?
}

struct FileAttributes: Equatable, Sendable {
  /// Transfer's names of file types; a link that is not followed is invalid.
  enum FileType: String {
    case file, dir, chr, blk, pipe, other
    case invalidSymlink = "invalid_symlink"
  }

  let type: FileType
  let size: Int64
  /// Seconds since 1970.
  let modified: Int64
  let permissions: UInt32
  let user, group: UInt32

  init(_ status: stat) {
    type =
      switch status.st_mode & S_IFMT {
      case S_IFREG: .file
      case S_IFDIR: .dir
      case S_IFCHR: .chr
      case S_IFBLK: .blk
      case S_IFIFO: .pipe
      case S_IFLNK: .invalidSymlink
      default: .other
      }
    size = Int64(status.st_size)
    modified = Int64(status.st_mtim.tv_sec)
    permissions = status.st_mode & 0o7777
    user = status.st_uid
    group = status.st_gid
  }
}
