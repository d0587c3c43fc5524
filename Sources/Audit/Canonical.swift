// Canonical: values as bytes that mean only one thing, for hashing. Each begins with its kind, and
// text and bytes with their length, so that no two rows have the same encoding.

import GRDB

struct Canonical {
  private(set) var bytes: [UInt8] = []

  /// `purpose` keeps a digest of one kind from passing for one of another.
  init(_ purpose: StaticString) {
    bytes.reserveCapacity(512)
    restart(purpose)
  }

  /// Begins another value in the same memory.
  mutating func restart(_ purpose: StaticString) {
    bytes.removeAll(keepingCapacity: true)
    append(tag: 3, UInt64(purpose.utf8CodeUnitCount))
    bytes.append(
      contentsOf: UnsafeBufferPointer(
        start: purpose.utf8Start, count: purpose.utf8CodeUnitCount))
  }

  mutating func append(_ value: DatabaseValue) {
    switch value.storage {
    case .null: bytes.append(0)
    case .int64(let integer): append(integer)
    case .double(let real): append(tag: 2, UInt64(real.bitPattern))
    case .string(let text): append(text)
    case .blob(let data): append(Array(data))
    }
  }

  mutating func append(_ integer: Int64?) {
    guard let integer else { return bytes.append(0) }
    append(tag: 1, UInt64(bitPattern: integer))
  }

  mutating func append(_ text: String) {
    append(tag: 3, UInt64(text.utf8.count))
    bytes.append(contentsOf: text.utf8)
  }

  mutating func append(_ text: String?) {
    guard let text else { return bytes.append(0) }
    append(text)
  }

  mutating func append(_ data: [UInt8]) {
    append(tag: 4, UInt64(data.count))
    bytes.append(contentsOf: data)
  }

  private mutating func append(tag: UInt8, _ value: UInt64) {
    bytes.append(tag)
    withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
  }
}
