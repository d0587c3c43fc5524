// UUIDs: random ones (RFC 9562 section 5.4) and ones derived from a name (section 5.8).

import Crypto

func randomUUID() -> String { uuid(Random.bytes(16), version: 4) }

/// The id of the collection that serves a folder when none is given: a function of the folder's
/// absolute path, so that a bucket keeps its name over restarts.
public func collectionID(forDirectory path: String) -> String {
  uuid(SHA256.hash("globus-s3-frontend collection\0\(path)".utf8), version: 8)
}

private func uuid(_ bytes: [UInt8], version: UInt8) -> String {
  var bytes = Array(bytes.prefix(16))
  bytes[6] = bytes[6] & 0x0f | version << 4
  bytes[8] = bytes[8] & 0x3f | 0x80
  let hex = Hex.encode(bytes)
  var text = ""
  var rest = hex[...]
  for count in [8, 4, 4, 4, 12] {
    text += (text.isEmpty ? "" : "-") + rest.prefix(count)
    rest = rest.dropFirst(count)
  }
  return text
}
