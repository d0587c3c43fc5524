// Conditions: the conditional headers of a GET or HEAD, in the order of RFC 9110 section 13.2.2.
//
// Tags count quoted or not, as in S3; a date that can't be read counts as absent. Those of
// If-None-Match compare weakly, since a proxy in front that compresses makes them weak.

struct Conditions: Sendable {
  enum Verdict: Sendable, Equatable {
    case proceed, notModified
    /// By the header of that name.
    case preconditionFailed(String)
  }

  var ifMatch: String?
  var ifNoneMatch: String?
  var ifModifiedSince: String?
  var ifUnmodifiedSince: String?
  var ifRange: String?

  /// What to do for an object of that tag and time (Unix seconds).
  func evaluate(etag: ETag, modified: Int64) -> Verdict {
    if let ifMatch {
      guard Self.list(ifMatch, holds: etag, weakly: false) else {
        return .preconditionFailed("If-Match")
      }
    } else if let since = ifUnmodifiedSince.flatMap(HTTPDate.parse), modified > since {
      return .preconditionFailed("If-Unmodified-Since")
    }
    if let ifNoneMatch {
      if Self.list(ifNoneMatch, holds: etag, weakly: true) { return .notModified }
    } else if let since = ifModifiedSince.flatMap(HTTPDate.parse), modified <= since {
      return .notModified
    }
    return .proceed
  }

  /// Whether a Range header counts (If-Range, RFC 9110 section 13.1.5).
  func allowRange(etag: ETag, modified: Int64) -> Bool {
    guard let ifRange else { return true }
    return ifRange == etag.description || HTTPDate.parse(ifRange) == modified
  }

  private static func list(_ header: String, holds etag: ETag, weakly: Bool) -> Bool {
    let quoted = etag.description.utf8
    let bare = quoted.dropFirst().dropLast()
    let isSpace = { (byte: UInt8) in byte == 0x20 || byte == 0x09 }
    return header.utf8.split(separator: UInt8(ascii: ","), maxSplits: Limits.entityTags)
      .prefix(Limits.entityTags).contains { item in
        var tag = item.drop(while: isSpace)
        while let last = tag.last, isSpace(last) { tag = tag.dropLast() }
        if weakly, tag.starts(with: "W/\"".utf8) { tag = tag.dropFirst(2) }
        return tag.elementsEqual("*".utf8) || tag.elementsEqual(quoted) || tag.elementsEqual(bare)
      }
  }
}
