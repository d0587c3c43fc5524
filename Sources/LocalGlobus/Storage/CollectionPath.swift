// CollectionPath: a path inside a collection as file names, bytes as the file system has them.
//
// Invariants: no segment is empty, "." or "..", holds "/" or NUL; so the path can't climb.

struct CollectionPath: Equatable {
  enum Refusal: Error, Equatable {
    /// Climbs above the collection.
    case notAllowed
    /// NUL, CR LF, or too long.
    case invalid
  }

  let segments: [[UInt8]]

  static let root = CollectionPath(segments: [])

  private init(segments: [[UInt8]]) { self.segments = segments }

  /// From a URL's path, percent-encoded.
  init(percentEncoded text: String) throws(Refusal) {
    try self.init(bytes: Percent.decode(text.utf8))
  }

  /// From Transfer's form, in which names that are not UTF-8 are Latin-1 after U+FFFD (Transfer
  /// API, file operations, section 2).
  init(_ text: String) throws(Refusal) {
    let segments = text.utf8.split(separator: 0x2f, omittingEmptySubsequences: false)
    try self.init(
      bytes: Array(segments.map { FileName.bytes(Substring($0)) }.joined(separator: [0x2f])))
  }

  private init(bytes: [UInt8]) throws(Refusal) {
    guard bytes.count <= Limits.pathBytes, !bytes.contains(0),
      !zip(bytes, bytes.dropFirst()).contains(where: { $0 == (0x0d, 0x0a) })
    else { throw .invalid }
    var segments: [[UInt8]] = []
    for (index, segment) in bytes.split(separator: 0x2f).enumerated() {
      switch segment {
      // The home directory, which is the collection's root here.
      case [0x7e] where index == 0: break
      case [0x2e]: break
      case [0x2e, 0x2e]:
        guard segments.popLast() != nil else { throw .notAllowed }
      default: segments.append(Array(segment))
      }
    }
    self.segments = segments
  }

  var name: [UInt8]? { segments.last }
  var parent: CollectionPath { CollectionPath(segments: segments.dropLast()) }

  func appending(_ name: [UInt8]) -> CollectionPath { CollectionPath(segments: segments + [name]) }

  /// Relative to the collection's folder.
  var relativeBytes: [UInt8] { Array(segments.joined(separator: [0x2f])) }

  /// Transfer's form, with a slash before and after every name.
  var directoryText: String { segments.reduce("/") { $0 + FileName.text($1) + "/" } }
}

/// File names as Transfer shows them.
enum FileName {
  static func text(_ bytes: [UInt8]) -> String {
    if let text = String(validating: bytes, as: UTF8.self) { return text }
    return String(String.UnicodeScalarView(["\u{fffd}"] + bytes.map { Unicode.Scalar($0) }))
  }

  static func bytes(_ text: some StringProtocol) -> [UInt8] {
    let scalars = text.unicodeScalars
    guard scalars.first == "\u{fffd}" else { return Array(text.utf8) }
    let latin1 = scalars.dropFirst().map { UInt8(exactly: $0.value) }
    return latin1.contains(nil) ? Array(text.utf8) : latin1.compactMap { $0 }
  }
}
