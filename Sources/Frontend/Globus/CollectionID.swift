// CollectionID: the UUID of a Globus collection, which is the name of its bucket.

/// A UUID in the form 8-4-4-4-12; its text is lower case.
struct CollectionID: Hashable, Sendable, CustomStringConvertible {
  let description: String

  /// Nil unless `text` is a UUID, in any case.
  init?(_ text: some StringProtocol) {
    let bytes = Array(text.utf8)
    guard bytes.count == 36 else { return nil }
    for (index, byte) in bytes.enumerated() {
      let isHyphen = [8, 13, 18, 23].contains(index)
      let isHex = (0x30...0x39).contains(byte) || (0x61...0x66).contains(byte | 0x20)
      guard isHyphen ? byte == 0x2d : isHex else { return nil }
    }
    description = text.lowercased()
  }
}
