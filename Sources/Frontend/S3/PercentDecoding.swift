import Crypto

extension PercentEncoding {
  /// The text that `text` stands for, what is not UTF-8 in it replaced; nil as `decode` has it.
  static func decoded(_ text: String) -> String? {
    guard text.utf8.span.contains(UInt8(ascii: "%")) else { return text }
    return decode(text.utf8).map { String(decoding: $0, as: UTF8.self) }
  }

  /// The bytes that `text` stands for (RFC 3986 section 2.1); nil when a "%" is not followed by two
  /// hexadecimal digits. A plus is a plus.
  static func decode(_ text: some Sequence<UInt8>) -> [UInt8]? {
    let text = Array(text)
    // Most keys are of bytes that stand for themselves.
    guard text.contains(UInt8(ascii: "%")) else { return text }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.count)
    var iterator = text.makeIterator()
    while let byte = iterator.next() {
      guard byte == UInt8(ascii: "%") else {
        bytes.append(byte)
        continue
      }
      guard let high = iterator.next().flatMap(Hex.value(of:)),
        let low = iterator.next().flatMap(Hex.value(of:))
      else { return nil }
      bytes.append(high << 4 | low)
    }
    return bytes
  }
}
