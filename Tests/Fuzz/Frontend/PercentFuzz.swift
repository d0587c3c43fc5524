// Percent-encoded paths.
//   - The decoded bytes are those of a decoder that looks at one place at a time.
//   - Encoded anew, in either form, they decode to themselves.
//   - A key that is taken is the decoded bytes, has no segment that anybody could climb by, and is
//     taken again from its own encoding; below any root folder it stays below.

@testable import Frontend

func fuzzPercent(_ input: [UInt8]) {
  let decoded = PercentEncoding.decode(input)
  holds(decoded == decodedByPlaces(input), "the decoded bytes")
  if let decoded, let text = String(validating: decoded, as: UTF8.self) {
    for encoded in [PercentEncoding.path(text), PercentEncoding.component(text)] {
      holds(encoded.utf8.allSatisfy { (0x21..<0x7f).contains($0) }, "encoded text is visible ASCII")
      holds(PercentEncoding.decode(encoded.utf8) == decoded, "encoded anew")
    }
    checkRoot(text)
  }
  guard let text = String(validating: input, as: UTF8.self) else { return }
  if let key = try? ObjectKey(encoded: text) {
    holds(Array(key.description.utf8) == decoded, "a key is the decoded bytes")
    check(key)
  }
}

private func decodedByPlaces(_ input: [UInt8]) -> [UInt8]? {
  var bytes: [UInt8] = []
  var at = 0
  while at < input.count {
    if input[at] != UInt8(ascii: "%") {
      bytes.append(input[at])
      at += 1
      continue
    }
    guard at + 2 < input.count, let high = digit(input[at + 1]), let low = digit(input[at + 2])
    else { return nil }
    bytes.append(high * 16 + low)
    at += 3
  }
  return bytes
}

private func digit(_ byte: UInt8) -> UInt8? {
  "0123456789abcdefABCDEF".utf8.contains(byte)
    ? UInt8(String(UnicodeScalar(byte)), radix: 16) : nil
}

private func check(_ key: ObjectKey) {
  let bytes = Array(key.description.utf8)
  holds(1...Limits.keyBytes ~= bytes.count, "a key's length")
  holds(!bytes.contains { $0 < 0x20 || $0 == 0x7f }, "a key has no control byte")
  var segments = bytes.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
  if segments.last?.isEmpty == true { segments.removeLast() }
  holds(
    segments.allSatisfy { !$0.isEmpty && $0 != [0x2e] && $0 != [0x2e, 0x2e] }, "a key's segments")
  let again = try? ObjectKey(encoded: PercentEncoding.path(key.description))
  holds(again.map { Array($0.description.utf8) } == bytes, "a key is taken from its encoding")
  let folder = bytes.last == UInt8(ascii: "/")
  holds(
    Array(key.path.utf8) == [UInt8(ascii: "/")] + (folder ? bytes.dropLast() : bytes[...]),
    "a key's path is the key")
  for root in ["/a", "/a/b c"] {
    let folder = RootFolder(root)
    let path = RootFolder.confined(root + key.path, to: folder)
    holds(path?.utf8.starts(with: (root + "/").utf8) == true, "a key is below its root")
  }
}

private func checkRoot(_ text: String) {
  guard let root = RootFolder(text) else { return }
  let path = root.description.utf8
  holds(path.first == UInt8(ascii: "/") && path.last != UInt8(ascii: "/"), "a root's form")
  holds(path.count <= CredentialLimits.rootFolderBytes, "a root's length")
  let slash = UInt8(ascii: "/")
  let bare = text.utf8.first == slash ? text.utf8.dropFirst() : text.utf8[...]
  holds(
    path.dropFirst().elementsEqual(bare.last == slash ? bare.dropLast() : bare), "a root's text")
  holds(RootFolder(root.description) == root, "a root is a root")
  holds(RootFolder.confined(root.description, to: root) != nil, "a root is in itself")
  holds(RootFolder.confined(root.description + "x", to: root) == nil, "its neighbour is not")
}
