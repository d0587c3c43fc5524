// RequestHead: an owned copy of a parsed request head.
//
// The C head points into the connection's buffer and ends with the request; a handler may outlive
// both, so the bytes are copied once, and header values become strings only when asked for.

internal import CReactor

/// The head of a request, or of bytes that could not be taken for one. It may be kept as long as
/// one likes.
public struct RequestHead: Sendable {
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

  private func slice(_ slice: cr_slice) -> ArraySlice<UInt8> {
    bytes[Int(slice.at)..<Int(slice.at + slice.len)]
  }

  /// The first value of the header of that name (upper or lower case), without white space around
  /// it; nil when there is none.
  public subscript(name: String) -> String? {
    for field in fields where equalIgnoringCase(slice(field.name), name.utf8) {
      return String(decoding: slice(field.value), as: UTF8.self)
    }
    return nil
  }

  /// Every value of the header of that name, in order.
  public func values(of name: String) -> [String] {
    fields.filter { equalIgnoringCase(slice($0.name), name.utf8) }
      .map { String(decoding: slice($0.value), as: UTF8.self) }
  }

  /// All header fields in order, names as received.
  public var headers: [(name: String, value: String)] {
    fields.map {
      (
        String(decoding: slice($0.name), as: UTF8.self),
        String(decoding: slice($0.value), as: UTF8.self)
      )
    }
  }
}
