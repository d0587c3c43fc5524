/// Text as it stands in a URL's path or query (RFC 3986 section 2).
enum PercentEncoding {
  private static let hex = Array("0123456789ABCDEF".utf8)

  /// Every byte outside the unreserved ones and "/" encoded: collections and Transfer take a path
  /// in this form, and a query value may have a "/" (RFC 3986 section 3.4).
  static func path(_ text: some StringProtocol) -> String { encode(text, keepingSlash: true) }

  /// Every byte outside the unreserved ones encoded, as form fields and Basic credentials want.
  static func component(_ text: some StringProtocol) -> String {
    encode(text, keepingSlash: false)
  }

  /// Names and values joined as `a=b&c=d`.
  static func query(_ fields: [(name: String, value: String)]) -> String {
    fields.map { "\(component($0.name))=\(component($0.value))" }.joined(separator: "&")
  }

  private static func encode(_ text: some StringProtocol, keepingSlash: Bool) -> String {
    let bytes = Array(text.utf8)
    // Most are of bytes that stand for themselves.
    if bytes.allSatisfy({ stays($0, keepingSlash) }) { return String(text) }
    var encoded: [UInt8] = []
    append(bytes, keepingSlash: keepingSlash, to: &encoded)
    return String(decoding: encoded, as: UTF8.self)
  }

  /// Appends `text` with every byte outside the unreserved ones encoded, "/" perhaps excepted.
  static func append(_ text: [UInt8], keepingSlash: Bool, to bytes: inout [UInt8]) {
    bytes.append(addingCapacity: 3 * text.count) { bytes in
      for byte in text {
        if stays(byte, keepingSlash) {
          bytes.append(byte)
        } else {
          bytes.append(UInt8(ascii: "%"))
          bytes.append(hex[Int(byte >> 4)])
          bytes.append(hex[Int(byte & 15)])
        }
      }
    }
  }

  /// Appends a path that is encoded somehow, decoded and encoded as here.
  static func appendAnew(_ path: String, to bytes: inout [UInt8]) {
    let text = path.utf8.span
    for at in text.indices where !stays(text[at], true) {
      return append(decode(path.utf8) ?? Array(path.utf8), keepingSlash: true, to: &bytes)
    }
    bytes.append(path)
  }

  private static func stays(_ byte: UInt8, _ keepingSlash: Bool) -> Bool {
    isUnreserved(byte) || keepingSlash && byte == UInt8(ascii: "/")
  }

  private static func isUnreserved(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"):
      true
    case UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"): true
    default: false
    }
  }
}
