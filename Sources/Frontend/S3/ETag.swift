// ETag: the entity tag of an object, a pure function of what `stat` says, so that HEAD, GET and
// listings agree and it changes when the file does.
//
// The form is that of a multipart upload: clients take 32 bare hex digits for an MD5 and would
// report corruption; "-1" tells them not to compare.

import Crypto

struct ETag: Sendable, Equatable, CustomStringConvertible {
  /// `"<32 hex digits>-1"`, quotes included.
  let description: String

  /// `path` is absolute in the collection; `modified` are Unix seconds.
  init(collection: CollectionID, path: String, size: UInt64, modified: Int64) {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(path.utf8.count + 32)
    for number in [collection.bits.high, collection.bits.low, size, UInt64(bitPattern: modified)] {
      withUnsafeBytes(of: number.bigEndian) { bytes.append(contentsOf: $0) }
    }
    bytes.append(contentsOf: path.utf8)
    description = "\"\(Hex.encode(SHA256.hash(bytes), 16))-1\""
  }
}
