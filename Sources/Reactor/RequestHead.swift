// RequestHead: an owned copy of a parsed request head.
//
// The C head points into the connection's buffer and ends with the request; a handler may outlive
// both, so the bytes are copied once, and header values become strings only when asked for.

internal import CReactor

/// The head of a request, or of bytes that could not be taken for one.
public struct RequestHead: Sendable {
  /// Why the bytes are no request: the status that fits and a text for the client.
  public struct Malformed: Sendable, Equatable {
    public let status: Int
    public let reason: String
  }

  private struct Field {
    let name, value: cr_slice
  }

  private let bytes: [UInt8]
  private let fields: [Field]
  public let method: String
  /// The request target as received: path and query, percent-encoded.
  public let target: String
  /// Of a target in absolute form ("http://authority/path") its authority, which then is the Host
  /// header's value too; `target` has the rest.
  public let authority: String?
  public let malformed: Malformed?
  /// The declared body length; nil for a chunked body.
  public let contentLength: UInt64?
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

  /// The first value of the header of that name, in any case.
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
