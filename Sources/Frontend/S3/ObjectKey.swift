// ObjectKey: the key of an object, which is also a path below a bucket's root folder.
//
// Invariant: the path means the same to this program, to Transfer and to the collection's server.
// A key that any of them might take for another path is refused, never normalised.

struct ObjectKey: Sendable, CustomStringConvertible {
  /// Decoded, not empty, without a leading "/".
  let description: String

  /// A key as it stands in a request's path, without the "/" before it. Throws KeyTooLongError
  /// and InvalidURI.
  init(encoded: some StringProtocol) throws(S3Error) {
    guard let bytes = PercentEncoding.decode(encoded.utf8) else {
      throw S3Error(.invalidURI, "The key has a \"%\" that is not followed by two hex digits.")
    }
    guard bytes.count <= Limits.keyBytes else {
      throw S3Error(
        .keyTooLong,
        details: [("Size", "\(bytes.count)"), ("MaxSizeAllowed", "\(Limits.keyBytes)")]
      )
    }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw S3Error(.invalidURI, "The key is not UTF-8.")
    }
    guard !text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control })
    else { throw S3Error(.invalidURI, "The key has a control character in it.") }
    var segments = bytes.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
    if segments.count > 1, segments.last?.isEmpty == true { segments.removeLast() }
    for segment in segments {
      if segment.isEmpty {
        throw S3Error(.invalidURI, "The key has an empty segment: \"//\" or \"/\" at its start.")
      }
      if segment.elementsEqual(".".utf8) || segment.elementsEqual("..".utf8) {
        throw S3Error(.invalidURI, "The key has a segment \".\" or \"..\" in it.")
      }
    }
    description = text
  }

  /// Whether the key ends in "/": a folder, as clients mark it.
  var isFolder: Bool { description.utf8.last == UInt8(ascii: "/") }

  /// The path in the collection, beginning with "/" and without one at its end.
  var path: String {
    // By bytes: a Character may be the "/" and what stands before it (U+0600) or behind it (U+0301).
    "/" + String(Substring(isFolder ? description.utf8.dropLast() : description.utf8[...]))
  }

  /// What stands behind the last "." of the last segment, lower case; empty when there is none.
  var fileExtension: String {
    let name = description.utf8.suffix(while: { $0 != UInt8(ascii: "/") })
    guard let dot = name.lastIndex(of: UInt8(ascii: ".")), dot != name.startIndex else { return "" }
    return String(decoding: name[name.index(after: dot)...], as: UTF8.self).lowercased()
  }
}

extension BidirectionalCollection {
  /// The longest end whose elements all are as `predicate` wants them.
  fileprivate func suffix(while predicate: (Element) -> Bool) -> SubSequence {
    guard let last = lastIndex(where: { !predicate($0) }) else { return self[...] }
    return self[index(after: last)...]
  }
}
