// AnswerForm: the three forms of every answer of the sign-in, chosen by Accept (RFC 9110, 12.5.1).

/// How a client wants to be answered.
enum AnswerForm: CaseIterable, Sendable {
  /// A bare line; also for clients that don't say, or take anything.
  case text
  /// An object for programs.
  case json
  /// A page for people.
  case html

  var mediaType: String {
    switch self {
    case .text: "text/plain"
    case .json: "application/json"
    case .html: "text/html"
    }
  }

  /// The form that `accept` (all Accept headers, joined) wants most: by quality, then by how
  /// exactly it is named, then by where it stands.
  init(accept: String) {
    let ranges = accept.utf8.prefix(GlobusLimits.acceptHeaderBytes)
      .split(separator: UInt8(ascii: ","))
      .enumerated().map { MediaRange(Array($1), position: $0) }
    var best: (form: AnswerForm, rank: Rank)?
    for form in AnswerForm.allCases {
      // The most exact range that fits decides a type's quality.
      let fitting = ranges.filter { $0.exactness(for: form.mediaType) != nil }
      guard
        let range = fitting.max(by: {
          $0.exactness(for: form.mediaType) ?? 0 < $1.exactness(for: form.mediaType) ?? 0
        }), range.quality > 0
      else { continue }
      let rank = Rank(
        quality: range.quality, exactness: range.exactness(for: form.mediaType) ?? 0,
        position: range.position)
      if best.map({ $0.rank < rank }) ?? true { best = (form, rank) }
    }
    self = best?.form ?? .text
  }
}

/// Whether a type is wanted more than another.
private struct Rank: Comparable {
  let quality, exactness, position: Int

  static func < (left: Rank, right: Rank) -> Bool {
    (left.quality, left.exactness, -left.position)
      < (right.quality, right.exactness, -right.position)
  }
}

/// One element of an Accept header; quality in thousandths.
private struct MediaRange {
  let type: String
  let quality: Int
  let position: Int

  init(_ element: [UInt8], position: Int) {
    let parts = String(decoding: element, as: UTF8.self).lowercased()
      .split(separator: ";", omittingEmptySubsequences: false).map { part in
        String(part.filter { $0 != " " && $0 != "\t" })
      }
    type = parts.first ?? ""
    self.position = position
    let weight = parts.dropFirst().first { $0.hasPrefix("q=") }
    quality = weight.map { MediaRange.thousandths($0.dropFirst(2)) } ?? 1000
  }

  /// 2: named; 1: by its kind; 0: by `*/*`; nil: not meant.
  func exactness(for mediaType: String) -> Int? {
    if type == mediaType { return 2 }
    if type.hasSuffix("/*"), mediaType.hasPrefix(type.dropLast()) { return 1 }
    return type == "*/*" ? 0 : nil
  }

  /// `1`, `0.5`; nonsense is 0.
  private static func thousandths(_ text: Substring) -> Int {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard let whole = Int(parts[0]), (0...1).contains(whole), parts.count <= 2 else { return 0 }
    let fraction = parts.count == 2 ? parts[1].prefix(3) : ""
    guard fraction.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return 0 }
    let padded = fraction + String(repeating: "0", count: 3 - fraction.utf8.count)
    return min(1000, whole * 1000 + (Int(padded) ?? 0))
  }
}
