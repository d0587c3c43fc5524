// RequestHeaders: the header fields of a request, as they were received.
//
// The names and values lie in one array of bytes, and become strings only when they are asked for.

internal import CReactor

/// Header fields of a request in order, several of one name allowed. Names compare without regard to
/// case.
public struct RequestHeaders: Sendable {
  private struct Field {
    let name, value: Range<Int>
  }

  private let bytes: [UInt8]
  private let lines: [Field]

  public init(_ fields: [(name: String, value: String)]) {
    var bytes: [UInt8] = []
    lines = fields.map { field in
      let start = bytes.count
      bytes.append(contentsOf: field.name.utf8)
      let end = bytes.count
      bytes.append(contentsOf: field.value.utf8)
      return Field(name: start..<end, value: end..<bytes.count)
    }
    self.bytes = bytes
  }

  init(_ head: borrowing cr_head) {
    guard head.malformed_status == 0 else {
      (bytes, lines) = ([], [])
      return
    }
    bytes = Array(UnsafeRawBufferPointer(start: head.base, count: Int(head.len)))
    let range = { (slice: cr_slice) in Int(slice.at)..<Int(slice.at + slice.len) }
    lines = UnsafeBufferPointer(start: head.headers, count: Int(head.header_count))
      .map { Field(name: range($0.name), value: range($0.value)) }
  }

  /// The first value of the header of that name, without white space around it; nil when there is
  /// none.
  public subscript(name: String) -> String? {
    withValue(of: name) { $0.withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) } }
  }

  /// What `body` makes of the first value of that name; nil when there is none.
  public func withValue<Result, Failure: Error>(
    of name: String, _ body: (Span<UInt8>) throws(Failure) -> Result
  ) throws(Failure) -> Result? {
    let (wanted, bytes) = (name.utf8.span, bytes.span)
    for line in lines where equalIgnoringCase(bytes.extracting(line.name), wanted) {
      return try body(bytes.extracting(line.value))
    }
    return nil
  }

  /// Every value of the header of that name, in order.
  public func values(of name: String) -> [String] {
    let (wanted, bytes) = (name.utf8.span, bytes.span)
    var values: [String] = []
    for line in lines where equalIgnoringCase(bytes.extracting(line.name), wanted) {
      values.append(
        bytes.extracting(line.value)
          .withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) })
    }
    return values
  }

  /// Calls `body` with each name and value, in order.
  public func visit(_ body: (_ name: Span<UInt8>, _ value: Span<UInt8>) -> Void) {
    let bytes = bytes.span
    for line in lines { body(bytes.extracting(line.name), bytes.extracting(line.value)) }
  }

  /// All fields in order, names as received.
  public var fields: [(name: String, value: String)] {
    lines.map {
      (
        String(decoding: bytes[$0.name], as: UTF8.self),
        String(decoding: bytes[$0.value], as: UTF8.self)
      )
    }
  }
}

/// ASCII comparison without regard to case.
func equalIgnoringCase(_ a: Span<UInt8>, _ b: Span<UInt8>) -> Bool {
  guard a.count == b.count else { return false }
  for at in a.indices where lowered(a[at]) != lowered(b[at]) { return false }
  return true
}

private func lowered(_ byte: UInt8) -> UInt8 {
  byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte
}
