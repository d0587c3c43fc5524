// RootFolder: the folder of a collection that a bucket shows, in place of all of it.
//
// Invariants: a root folder is held to the rules of object keys, so it means the same to everybody;
// `confined` is the one gate before Transfer and the data servers, and lets no path through that
// lies outside of the folder or could climb out of it.

/// A folder below a collection's own root.
struct RootFolder: Hashable, Sendable, CustomStringConvertible {
  /// Absolute, without "/" at its end.
  let description: String

  /// `text` is decoded; a "/" at its start or end makes no difference. Nil for the collection's own
  /// root, and for whatever is no key of an object (see `ObjectKey`) or exceeds
  /// `CredentialLimits.rootFolderBytes`.
  init?(_ text: String) {
    let relative = Substring(
      text.utf8.first == UInt8(ascii: "/") ? text.utf8.dropFirst() : text.utf8[...])
    guard !relative.isEmpty, text.utf8.count <= CredentialLimits.rootFolderBytes,
      let key = try? ObjectKey(encoded: PercentEncoding.path(relative)),
      key.path.utf8.count <= CredentialLimits.rootFolderBytes
    else { return nil }
    description = key.path
  }

  // By bytes: equal Strings may be different paths (NFC and NFD).
  static func == (left: RootFolder, right: RootFolder) -> Bool {
    left.description.utf8.elementsEqual(right.description.utf8)
  }

  func hash(into hasher: inout Hasher) {
    for byte in description.utf8 { hasher.combine(byte) }
  }

  /// `path` as Globus is to be asked for it; nil unless it is absolute, plain (no empty, "." or ".."
  /// segment, no NUL) and, if there is a root, that folder itself or below it.
  static func confined(_ path: String, to root: RootFolder?) -> String? {
    let bytes = path.utf8
    guard bytes.elementsEqual("/".utf8) || isPlain(bytes) else { return nil }
    guard let root else { return isInFolderNamedTilde(bytes) ? "/." + path : path }
    let folder = root.description.utf8
    guard bytes.starts(with: folder) else { return nil }
    if bytes.count == folder.count {
      // Globus knows a person's home by this form (Transfer API, file operations, section 1).
      return path == "/~" ? "/~/" : path
    }
    return bytes.dropFirst(folder.count).first == UInt8(ascii: "/") ? path : nil
  }

  /// Globus takes a leading "~" for the person's home; as the name in a key it is a name like any
  /// other, and does not lead when "." does.
  private static func isInFolderNamedTilde(_ path: String.UTF8View) -> Bool {
    path.starts(with: "/~".utf8)
      && (path.count == 2 || path.dropFirst(2).first == UInt8(ascii: "/"))
  }

  /// In one pass, for every request comes by here.
  private static func isPlain(_ path: String.UTF8View) -> Bool {
    guard path.first == UInt8(ascii: "/") else { return false }
    // Of the segment so far: its bytes, and how many of them are dots.
    var (length, dots) = (0, 0)
    for byte in path.dropFirst() {
      switch byte {
      case UInt8(ascii: "/"):
        guard length > 2 || length > dots else { return false }
        (length, dots) = (0, 0)
      case 0: return false
      default:
        length += 1
        dots += byte == UInt8(ascii: ".") ? 1 : 0
      }
    }
    return length > 2 || length > dots
  }
}
