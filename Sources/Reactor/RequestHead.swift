// RequestHead: an owned copy of a parsed request head.
//
// The C head points into the connection's buffer and ends with the request; a handler may outlive
// both, so the bytes are copied once, and header values become strings only when asked for. A class,
// because it is handed to everybody: one reference instead of eight.

internal import CReactor

/// The head of a request, or of bytes that could not be taken for one. It may be kept as long as
/// one likes.
public final class RequestHead: Sendable {
  /// Why the bytes are no request.
  public struct Malformed: Sendable, Equatable {
    /// The status that fits, such as 400, 408 or 431.
    public let status: Int
    /// What is wrong, in English, for the client; it repeats nothing that was sent.
    public let reason: String
  }

  private struct Field {
    let name, value: cr_slice
  }

  private let bytes: [UInt8]
  private let fields: [Field]
  /// Upper case, as received: "GET".
  public let method: String
  /// The request target as received: path and query, percent-encoded, visible ASCII. Nothing in it is
  /// decoded or normalised.
  public let target: String
  /// Of a target in absolute form ("http://authority/path") its authority, which then is the Host
  /// header's value too; `target` has the rest.
  public let authority: String?
  /// Not nil: this is no request. There are then no headers, method and target are as far as they
  /// could be read, and the connection closes after the answer.
  public let malformed: Malformed?
  /// The declared length of the body in bytes, 0 without one; nil for a chunked body.
  public let contentLength: UInt64?
  /// Whether a body of at least one byte, or a chunked one, follows.
  public let hasBody: Bool

  init(_ head: borrowing cr_head) {
    let base = UnsafeRawPointer(head.base)
    bytes = Array(UnsafeRawBufferPointer(start: base, count: Int(head.len)))
    let at = { (slice: cr_slice) in
      String(
        decoding: UnsafeRawBufferPointer(start: base + Int(slice.at), count: Int(slice.len)),
        as: UTF8.self)
    }
    method = at(head.method)
    target = at(head.target)
    authority = head.authority.len > 0 ? at(head.authority) : nil
    contentLength = head.chunked ? nil : head.content_length
    hasBody = head.has_body
    if head.malformed_status != 0 {
      malformed = Malformed(
        status: Int(head.malformed_status),
        reason: head.malformed_reason.map { String(cString: $0) } ?? "malformed request")
      fields = []
    } else {
      malformed = nil
      fields = UnsafeBufferPointer(start: head.headers, count: Int(head.header_count)).map {
        Field(name: $0.name, value: $0.value)
      }
    }
  }

  /// Calls `body` with each name and value, until it says false.
  private func forEachField(
    _ body: (_ name: UnsafeBufferPointer<UInt8>, _ value: UnsafeBufferPointer<UInt8>) -> Bool
  ) {
    bytes.withUnsafeBufferPointer { bytes in
      let at = { (slice: cr_slice) in
        UnsafeBufferPointer(rebasing: bytes[Int(slice.at)..<Int(slice.at + slice.len)])
      }
      for field in fields where !body(at(field.name), at(field.value)) { return }
    }
  }

  /// The first value of the header of that name (upper or lower case), without white space around
  /// it; nil when there is none.
  public subscript(name: String) -> String? {
    var found: String?
    name.utf8.span.withUnsafeBufferPointer { wanted in
      forEachField { name, value in
        guard equalIgnoringCase(name, wanted) else { return true }
        found = String(decoding: value, as: UTF8.self)
        return false
      }
    }
    return found
  }

  /// Every value of the header of that name, in order.
  public func values(of name: String) -> [String] {
    var values: [String] = []
    name.utf8.span.withUnsafeBufferPointer { wanted in
      forEachField { name, value in
        if equalIgnoringCase(name, wanted) {
          values.append(String(decoding: value, as: UTF8.self))
        }
        return true
      }
    }
    return values
  }

  /// All header fields in order, names as received.
  public var headers: [(name: String, value: String)] {
    var headers: [(name: String, value: String)] = []
    headers.reserveCapacity(fields.count)
    forEachField { name, value in
      headers.append(
        (String(decoding: name, as: UTF8.self), String(decoding: value, as: UTF8.self)))
      return true
    }
    return headers
  }
}
